"""Tables for the terminal, and pictures (with the extra ``plots``)."""

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
    "coverage_table",
    "front_table",
    "gains_table",
    "gaps_table",
    "hodl_returns",
    "metrics_table",
    "parameters_table",
    "results_table",
    "space_table",
]
