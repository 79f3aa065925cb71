"""Tables for the terminal, and pictures (with the extra ``plots``)."""

from quantsim.report.comparison import Comparison, Row, SplitComparison, compare
from quantsim.report.comparison_table import (
    beaten_text,
    comparison_markdown,
    comparison_notes,
    comparison_table,
    gain_line,
)
from quantsim.report.hodl import hodl_returns
from quantsim.report.tables import (
    coverage_table,
    front_table,
    gains_table,
    gaps_table,
    metrics_table,
    parameters_table,
    results_table,
    space_table,
)

__all__ = [
    "Comparison",
    "Row",
    "SplitComparison",
    "beaten_text",
    "compare",
    "comparison_markdown",
    "comparison_notes",
    "comparison_table",
    "coverage_table",
    "front_table",
    "gain_line",
    "gains_table",
    "gaps_table",
    "hodl_returns",
    "metrics_table",
    "parameters_table",
    "results_table",
    "space_table",
]
