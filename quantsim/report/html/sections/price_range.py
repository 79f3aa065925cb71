"""The range of prices of a pool that concentrates its liquidity, and its centeredness, over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantsim.report.html.blocks import Section, Text
from quantsim.report.html.colours import SERIES, variable
from quantsim.report.html.interactive import blank, days_of, escaped, figure_of, mark_splits, rounded

if TYPE_CHECKING:
    from quantsim.report.html.content import Content

__all__ = ["price_range"]


def price_range(content: Content) -> Section | None:
    """Returns the section; None for a pool without a range of prices."""
    curves, simulation = content.curves, content.simulation
    if "range_low" not in simulation.state:
        return None
    days = np.searchsorted(simulation.times, curves.times)
    first, second = simulation.tokens[:2]
    dates, figure = days_of(curves.times), blank(hovermode="x unified")
    state = {name: values[days] for name, values in simulation.state.items()}
    shared = {"x": dates, "mode": "lines", "hovertemplate": "%{y:,.5s}"}
    edge = {"color": variable(SERIES[0]), "width": 1.0}
    figure.add_scatter(**shared, y=rounded(state["range_low"]), name="lowest price", line=edge)
    figure.add_scatter(
        **shared, y=rounded(state["range_high"]), name="highest price", line=edge, fill="tonexty", opacity=0.6
    )
    market = simulation.prices[days, 0] / simulation.prices[days, 1]
    figure.add_scatter(**shared, y=rounded(market), name="market", line={"color": variable(SERIES[5]), "width": 1.8})
    centred = state.get("centeredness")
    if centred is not None:
        line = {"color": variable(SERIES[2]), "width": 1.3}
        below = {**shared, "hovertemplate": "%{y:.3f}", "yaxis": "y2"}
        figure.add_scatter(**below, y=rounded(centred, 4), name="centeredness", line=line)
        figure.update_layout(
            xaxis={"anchor": "y2"},
            yaxis={"domain": [0.36, 1.0]},
            yaxis2={
                **figure.layout.yaxis.to_plotly_json(),
                "domain": [0.0, 0.3],
                "range": [0.0, 1.05],
                "title": {"text": "centeredness", "standoff": 10},
            },
        )
    figure.update_layout(
        yaxis={"type": "log", "title": {"text": escaped(f"price of {first} in {second}"), "standoff": 10}, "nticks": 7}
    )
    mark_splits(figure, curves)
    text = (
        f"The pool trades while the price of {first} in {second} is within its range, and holds one token beyond it."
        + (" Centeredness is 1 in the middle of the range, 0 at its ends." if centred is not None else "")
    )
    alt = "Range of prices of the pool, the market's price, and the pool's centeredness over time"
    return Section(
        "price-range", "Price range", (Text(text, "muted"), figure_of("figure-price-range", figure, alt, 480))
    )
