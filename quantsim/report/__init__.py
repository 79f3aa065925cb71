"""Results beside baselines, tables for the terminal, and pictures (with the extra ``plots``).

:func:`compare_checkpoint`, :func:`compare_selection` and :func:`compare_simulation` make a :class:`Comparison`: metrics of a
parameter set and of baselines on every split, with intervals. :func:`comparison_table` shows it.
"""

from quantsim.report.comparison import Comparison, Row, SplitComparison, compare
from quantsim.report.comparison_table import (
    beaten_text,
    comparison_markdown,
    comparison_notes,
    comparison_table,
    gain_line,
)
from quantsim.report.hodl import hodl_returns
from quantsim.report.results import (
    RunResult,
    compare_cell,
    compare_checkpoint,
    compare_gain,
    compare_selection,
    compare_simulation,
    result_of_run,
    simulated_pool,
)
from quantsim.report.tables import (
    coverage_table,
    front_table,
    gains_table,
    gaps_table,
    parameters_table,
    space_table,
)

__all__ = [
    "Comparison",
    "Row",
    "RunResult",
    "SplitComparison",
    "beaten_text",
    "compare",
    "compare_cell",
    "compare_checkpoint",
    "compare_gain",
    "compare_selection",
    "compare_simulation",
    "comparison_markdown",
    "comparison_notes",
    "comparison_table",
    "coverage_table",
    "front_table",
    "gain_line",
    "gains_table",
    "gaps_table",
    "hodl_returns",
    "parameters_table",
    "result_of_run",
    "simulated_pool",
    "space_table",
]
