"""Profit and loss by what it comes from; the terms sum to the change of the pool's value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from quantsim.config.pools import pool_of
from quantsim.report.canvas import GRID, INK, TOKENS
from quantsim.report.formats import metric_text
from quantsim.report.html.blocks import Cell, Download, Drawing, Section, Table, Text
from quantsim.report.html.drawing import date_axis, drawing_of, legend_above
from quantsim.simulator.attribution import TERMS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from quantsim.report.html.content import Content

__all__ = ["attribution"]

_SHORT = {
    "held": "initial reserves",
    "traded": "traded since",
    "arbitrage": "trades",
    "gas": "gas",
    "fees": "fees",
    "noise": "noise",
    "swaps": "swaps",
}
_GAIN, _LOSS = TOKENS[2], TOKENS[6]


def attribution(content: Content) -> Section:
    """Returns the section."""
    daily, start = content.attribution, float(content.curves.values["selected"][0])
    terms = [name for name in TERMS if (daily[name] != 0.0).any()]
    blocks = (
        Text(
            "Where the change of the pool's value comes from. The first rows are price moves of the reserves, the others are "
            "results of trades at market prices. The terms sum to the change of value, by day, by split and in total."
        ),
        _table(content.by_split, terms, start, _titles(content)),
        _bars(daily, terms, start),
        _lines(daily, terms, start),
        Download(
            "attribution.csv",
            "Attribution by day (CSV)",
            daily.to_csv(float_format="%.10g", date_format="%Y-%m-%d"),
            "text/csv",
        ),
    )
    return Section("attribution", "Profit and loss", blocks)


def _titles(content: Content) -> dict[str, str]:
    """Returns what each term is for the pool of the study."""
    titles = {**TERMS, "arbitrage": pool_of(content.experiment.pools[-1]).trade_costs, "total": "change of value"}
    if content.simulation.fees is None:
        titles["arbitrage"] = "result of trades; the pool does not state its fees"
    if content.experiment.series.trades is None:
        titles["fees"] = "fees of arbitrage"
    return titles


def _table(by_split: pd.DataFrame, terms: list[str], start: float, titles: Mapping[str, str]) -> Table:
    columns = {"all": by_split.sum(), **{str(split): by_split.loc[split] for split in by_split.index}}
    rows = [
        (Cell(titles[name], strong=name == "total"), *(_money(found[name], start) for found in columns.values()))
        for name in (*terms, "total")
    ]
    caption = f"USD; below it, % of the initial value of {start:,.0f} USD."
    return Table(("", *columns), tuple(rows), caption=caption)


def _money(amount: float, start: float) -> Cell:
    decimals = max(0, 5 - math.floor(math.log10(start))) if start > 0.0 else 2
    return Cell(f"{round(amount, decimals) + 0.0:+,.{decimals}f}", metric_text(amount / start, "fraction"))


def _bars(daily: pd.DataFrame, terms: list[str], start: float) -> Drawing:
    """Draws a waterfall from the initial to the final value."""
    sums = 100.0 * daily[terms].sum().to_numpy() / start
    ends = np.cumsum(sums)

    def draw(axes: Axes) -> None:
        for place, (size, end) in enumerate(zip(sums, ends, strict=True)):
            axes.barh(place, size, left=end - size, color=_GAIN if size >= 0.0 else _LOSS, height=0.62)
        axes.barh(len(terms), ends[-1], color=TOKENS[0], height=0.62)
        axes.axvline(0.0, color=INK, linewidth=0.8)
        axes.use_sticky_edges = False
        axes.margins(x=0.04)
        axes.set_yticks(range(len(terms) + 1), [*(_SHORT[name] for name in terms), "total"])
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("% of the initial value")

    return drawing_of(
        "drawing-waterfall", draw, "From the initial to the final value, term by term", "From start to end"
    )


def _lines(daily: pd.DataFrame, terms: list[str], start: float) -> Drawing:
    shown = [*terms, "total"]
    sums = 100.0 * daily[shown].cumsum() / start
    times = daily.index.tz_localize(None).to_numpy()  # type: ignore[attr-defined]
    colours = dict(
        zip(TERMS, (TOKENS[7], TOKENS[1], TOKENS[6], TOKENS[4], TOKENS[2], TOKENS[3], TOKENS[5]), strict=True)
    )

    def draw(axes: Axes) -> None:
        for name in shown:
            wide = name == "total"
            axes.plot(
                times,
                sums[name].to_numpy(),
                label=_SHORT.get(name, name),
                color=TOKENS[0] if wide else colours[name],
                linewidth=1.8 if wide else 1.1,
            )
        axes.axhline(0.0, color=GRID, linewidth=1.0, zorder=1)
        axes.set_ylabel("% of the initial value")
        legend_above(axes)
        date_axis(axes)

    return drawing_of("drawing-attribution", draw, "Cumulative profit and loss of each term over time", "Over time")
