"""Weights of the pool over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantsim.report.html.blocks import Section
from quantsim.report.html.colours import SERIES, variable
from quantsim.report.html.interactive import blank, days_of, escaped, figure_of, mark_splits, rounded

if TYPE_CHECKING:
    from quantsim.report.html.content import Content

__all__ = ["weights"]


def weights(content: Content) -> Section:
    """Returns the section."""
    curves = content.curves
    figure, dates = blank(hovermode="x unified"), days_of(curves.times)
    for index, token in enumerate(curves.tokens):
        figure.add_scatter(
            x=dates,
            y=rounded(100.0 * curves.weights[:, index], 4),
            name=escaped(token),
            mode="lines",
            stackgroup="weights",
            line={"width": 0.5, "color": variable(SERIES[index % len(SERIES)])},
            fillcolor=variable(SERIES[index % len(SERIES)]),
            hovertemplate="%{y:.1f} %",
        )
    figure.update_layout(yaxis={"range": [0, 100], "title": {"text": "weight, %", "standoff": 10}})
    mark_splits(figure, curves, "--on-series")
    return Section("weights", "Weights", (figure_of("figure-weights", figure, "Weight of each token over time", 320),))
