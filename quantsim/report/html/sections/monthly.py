"""Returns of each month."""

from __future__ import annotations

import calendar
from typing import TYPE_CHECKING

import pandas as pd

from quantsim.baseline import BENCHMARK
from quantsim.report.comparison import SELECTED
from quantsim.report.formats import metric_text
from quantsim.report.html.blocks import Cell, Section, Table

if TYPE_CHECKING:
    from quantsim.report.html.content import Content, Curves

__all__ = ["monthly", "monthly_returns"]

_FEW_YEARS = 3
_MONTHS = tuple(calendar.month_abbr[month] for month in range(1, 13))


def monthly_returns(curves: Curves, pool: str, unit: str = "M") -> pd.Series:
    """Returns the returns of a pool by month (``"M"``) or year (``"Y"``); the first and the last one may be incomplete."""
    values = pd.Series(curves.values[pool], pd.DatetimeIndex(curves.times))
    first = values.groupby(values.index.to_period(unit)).first()  # type: ignore[attr-defined]
    return first.shift(-1, fill_value=curves.ends[pool]) / first - 1.0


def monthly(content: Content) -> Section:
    """Returns the section."""
    own = {unit: monthly_returns(content.curves, SELECTED, unit) for unit in ("M", "Y")}
    excess = {unit: found - monthly_returns(content.curves, BENCHMARK, unit) for unit, found in own.items()}
    blocks = (
        _table(own, "Returns, %", "The first and the last month may be incomplete."),
        _table(excess, "Minus constant weights, percentage points", ""),
    )
    return Section("monthly", "Monthly returns", blocks)


def _table(returns: dict[str, pd.Series], title: str, caption: str) -> Table:
    if len(returns["Y"]) <= _FEW_YEARS:
        return _upright(returns, title, caption)
    most = max(float(returns["M"].abs().max()), 1e-12)
    months = {(period.year, period.month): value for period, value in returns["M"].items()}  # type: ignore[attr-defined]
    rows = []
    for period, year in returns["Y"].items():
        cells = [_shaded(months.get((period.year, month)), most) for month in range(1, 13)]  # type: ignore[attr-defined]
        rows.append((Cell(str(period)), *cells, Cell(_percent(year), strong=True)))
    return Table(("", *_MONTHS, "year"), tuple(rows), title=title, caption=caption)


def _upright(returns: dict[str, pd.Series], title: str, caption: str) -> Table:
    """Returns the table with a column per year, which fits a phone."""
    most = max(float(returns["M"].abs().max()), 1e-12)
    months = {(period.year, period.month): value for period, value in returns["M"].items()}  # type: ignore[attr-defined]
    years = list(returns["Y"].index)
    known = {month for _, month in months}
    rows = [
        (Cell(name), *(_shaded(months.get((period.year, month)), most) for period in years))
        for month, name in enumerate(_MONTHS, start=1)
        if month in known
    ]
    total = (Cell("year", strong=True), *(Cell(_percent(value), strong=True) for value in returns["Y"]))
    return Table(("", *map(str, years)), (*rows, total), title=title, caption=caption)


def _shaded(value: float | None, most: float) -> Cell:
    return Cell("") if value is None else Cell(_percent(value), shade=value / most)


def _percent(value: float) -> str:
    return metric_text(value, "fraction", 1)
