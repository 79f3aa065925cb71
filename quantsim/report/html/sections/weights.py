"""Weights of the pool over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantsim.config.baselines import has_initial_weights
from quantsim.config.pools import pool_of
from quantsim.report.html.blocks import Section
from quantsim.report.html.colours import SERIES, variable
from quantsim.report.html.interactive import blank, days_of, escaped, figure_of, mark_splits, rounded

if TYPE_CHECKING:
    from quantsim.report.html.content import Content

__all__ = ["weights"]


def weights(content: Content) -> Section:
    """Returns the section."""
    curves, view = content.curves, content.experiment.pools[-1]
    has_weights = has_initial_weights(view) and pool_of(view).name != "hold"
    title, of_token = ("Weights", "weight") if has_weights else ("Shares of value", "share of the value")
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
    figure.update_layout(yaxis={"range": [0, 100], "title": {"text": f"{of_token}, %", "standoff": 10}})
    mark_splits(figure, curves, "--on-series")
    alt = f"{of_token.capitalize()} of each token over time"
    return Section("weights", title, (figure_of("figure-weights", figure, alt, 320),))
