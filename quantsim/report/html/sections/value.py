"""Value and drawdowns of the pool and its baselines, with the splits marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantsim.config.baselines import has_initial_weights
from quantsim.metrics.series import drawdowns
from quantsim.report.formats import metric_text, suits_log_axis
from quantsim.report.html.blocks import Cell, Figure, Section, Table, Text
from quantsim.report.html.colours import POOLS, TITLES, variable
from quantsim.report.html.interactive import blank, days_of, figure_of, mark_splits, rounded

if TYPE_CHECKING:
    from quantsim.report.html.content import Content, Curves

__all__ = ["value"]


def value(content: Content) -> Section:
    """Returns the section."""
    curves = content.curves
    text = (
        "One pool runs through all splits, and so does each baseline; dotted lines mark where a split begins. "
        "The metrics of a split below start with a new pool."
    )
    if not has_initial_weights(content.experiment.pools[-1]):
        text += " Constant weights are a weighted pool of the same tokens, fees and arbitrage."
    return Section("value", "Value", (Text(text, "muted"), _figure(curves), _table(curves)))


def _figure(curves: Curves) -> Figure:
    dates = days_of(curves.times)
    scale = "log" if suits_log_axis(*curves.values.values()) else "linear"
    figure = blank(hovermode="x unified")
    for name, values in curves.values.items():
        line = {"color": variable(POOLS[name]), "width": 2.2 if name == "selected" else 1.3}
        shared = {"x": dates, "name": TITLES[name], "legendgroup": name, "line": line, "mode": "lines"}
        figure.add_scatter(**shared, y=rounded(values), hovertemplate="%{y:,.4s}")
        below = rounded(100.0 * drawdowns(values), 4)
        figure.add_scatter(**shared, y=below, yaxis="y2", showlegend=False, hovertemplate="%{y:.1f} %")
    figure.update_layout(
        xaxis={"anchor": "y2"},
        yaxis={"domain": [0.36, 1.0], "type": scale, "title": {"text": "value, USD", "standoff": 10}, "nticks": 7},
        yaxis2={
            **figure.layout.yaxis.to_plotly_json(),
            "domain": [0.0, 0.3],
            "title": {"text": "drawdown, %", "standoff": 10},
        },
    )
    mark_splits(figure, curves)
    return figure_of("figure-value", figure, "Value of the pool and its baselines, and their drawdowns", 520)


def _table(curves: Curves) -> Table:
    rows = []
    for name, values in curves.values.items():
        below = drawdowns(values)
        trough = int(below.argmin())
        peak = int(values[: trough + 1].argmax())
        later = np.flatnonzero(values[trough:] >= values[peak])
        days = days_of(curves.times)
        ended = days[trough + int(later[0])] if later.size else "not yet"
        depth = metric_text(float(below[trough]), "fraction", 1)
        cells = (TITLES[name], metric_text(curves.ends[name] / float(values[0]) - 1.0, "fraction", 1), depth)
        rows.append(tuple(map(Cell, (*cells, days[peak], days[trough], ended))))
    head = ("", "return, %", "drawdown, %", "from", "lowest", "recovered")
    caption = "The deepest drawdown of each pool, of values at the first bar of each day."
    return Table(head, tuple(rows), caption=caption)
