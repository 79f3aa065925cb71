"""Colours of a report: names of CSS variables, whose values ``templates/report.css`` sets for light and dark pages."""

from __future__ import annotations

from quantsim.baseline import BENCHMARK, HODL
from quantsim.report.canvas import GRID, INK, MUTED, TOKENS
from quantsim.report.comparison import SELECTED

__all__ = ["DRAWN", "POOLS", "SERIES", "TITLES", "variable"]

SERIES = tuple(f"--series-{number}" for number in range(1, len(TOKENS) + 1))
"""Variables of tokens, terms and other series, in the order of :data:`quantsim.report.canvas.TOKENS`."""

POOLS = {SELECTED: SERIES[0], "study": SERIES[2], BENCHMARK: SERIES[5], HODL: SERIES[7]}
"""Pool → variable of its colour."""

TITLES = {SELECTED: "selected", "study": "study's own", BENCHMARK: "constant weights", HODL: "HODL"}
"""Pool → its name in legends."""

DRAWN = {INK: "--ink", MUTED: "--muted", GRID: "--grid", **dict(zip(TOKENS, SERIES, strict=True))}
"""Colour of a drawing → variable that replaces it on the page."""


def variable(name: str) -> str:
    """Returns the CSS value of a variable."""
    return f"var({name})"
