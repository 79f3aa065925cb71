"""Results beside baselines, tables for the terminal, and pictures (with the extra ``plots``).

:func:`compare_checkpoint`, :func:`compare_selection` and :func:`compare_simulation` make a :class:`Comparison`: metrics of a
parameter set and of baselines on every split, with intervals. :func:`comparison_table` shows it.

Names are imported when they are used, so that a table of stored runs needs neither studies nor statistics.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quantsim.report.comparing import compare as compare
    from quantsim.report.comparison import Comparison as Comparison
    from quantsim.report.comparison import Row as Row
    from quantsim.report.comparison import SplitComparison as SplitComparison
    from quantsim.report.comparison_tables import beaten_text as beaten_text
    from quantsim.report.comparison_tables import comparison_markdown as comparison_markdown
    from quantsim.report.comparison_tables import comparison_notes as comparison_notes
    from quantsim.report.comparison_tables import comparison_table as comparison_table
    from quantsim.report.comparison_tables import gain_line as gain_line
    from quantsim.report.hodl import hodl_returns as hodl_returns
    from quantsim.report.results import RunResult as RunResult
    from quantsim.report.results import compare_cell as compare_cell
    from quantsim.report.results import compare_checkpoint as compare_checkpoint
    from quantsim.report.results import compare_gain as compare_gain
    from quantsim.report.results import compare_selection as compare_selection
    from quantsim.report.results import compare_simulation as compare_simulation
    from quantsim.report.results import result_of_run as result_of_run
    from quantsim.report.results import simulated_pool as simulated_pool
    from quantsim.report.tables import coverage_table as coverage_table
    from quantsim.report.tables import front_table as front_table
    from quantsim.report.tables import gains_table as gains_table
    from quantsim.report.tables import gaps_table as gaps_table
    from quantsim.report.tables import parameters_table as parameters_table
    from quantsim.report.tables import space_table as space_table

_HOMES = {
    "comparing": ("compare",),
    "comparison": ("Comparison", "Row", "SplitComparison"),
    "comparison_tables": ("beaten_text", "comparison_markdown", "comparison_notes", "comparison_table", "gain_line"),
    "hodl": ("hodl_returns",),
    "results": (
        *("RunResult", "compare_cell", "compare_checkpoint", "compare_gain", "compare_selection"),
        *("compare_simulation", "result_of_run", "simulated_pool"),
    ),
    "tables": ("coverage_table", "front_table", "gains_table", "gaps_table", "parameters_table", "space_table"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME_OF])
