"""Interactive figures: plotly's, with colours from the style sheet, and names of users escaped."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quantsim.report.html.blocks import Figure
from quantsim.report.html.colours import variable

if TYPE_CHECKING:
    from quantsim.report.html.content import Curves

__all__ = ["blank", "days_of", "escaped", "figure_of", "mark_splits", "rounded"]


def escaped(text: str) -> str:
    """Returns a text for names and labels of plotly, which reads HTML tags in them."""
    return html.escape(text, quote=False)


def rounded(values: NDArray[np.float64], digits: int = 6) -> list[float | None]:
    """Returns values with so many significant digits, more than a screen shows; None if they are not finite."""
    return [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in values.tolist()]


def days_of(times: NDArray[np.datetime64]) -> list[str]:
    """Returns the dates of daily values."""
    return np.datetime_as_string(times, unit="D").tolist()  # type: ignore[no-any-return]


def blank(**layout: Any) -> Any:
    """Returns an empty figure in the style of the page."""
    import plotly.graph_objects as go

    axis = {"gridcolor": variable("--grid"), "linecolor": variable("--grid"), "zeroline": False, "automargin": True}
    figure = go.Figure(
        layout={
            "template": {},
            "font": {"color": variable("--ink"), "family": "system-ui, sans-serif", "size": 12},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "hoverlabel": {"bgcolor": variable("--card"), "font": {"color": variable("--ink")}},
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
            "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
            "xaxis": axis,
            "yaxis": axis,
        }
    )
    return figure.update_layout(**layout)


def mark_splits(figure: Any, curves: Curves, colour: str = "--muted") -> None:
    """Draws a line at the start of each split, with its name, in the colour of a variable."""
    dates = days_of(curves.times)
    for name, day in curves.splits.items():
        if day:
            figure.add_vline(x=dates[day], line={"color": variable(colour), "width": 1, "dash": "dot"})
        figure.add_annotation(
            x=dates[day],
            y=1.0,
            yref="paper",
            text=escaped(name),
            showarrow=False,
            textangle=-90,  # names of short splits would lie over each other
            xanchor="left",
            yanchor="top",
            font={"color": variable(colour), "size": 11},
        )


def figure_of(name: str, figure: Any, alt: str, height: int = 420) -> Figure:
    """Returns the block of a figure."""
    return Figure(name, json.loads(figure.to_json()), alt, height)
