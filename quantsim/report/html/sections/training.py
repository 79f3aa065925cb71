"""Curves of gradient training, for runs that took gradient steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantsim.report.html.blocks import Drawing, Section, Text
from quantsim.report.html.drawing import page_style, svg_of
from quantsim.report.training_plot import training_figure, training_outcome

if TYPE_CHECKING:
    from quantsim.report.html.content import Content

__all__ = ["training"]

_INCHES = (8.0, 8.0)


def training(content: Content) -> Section | None:
    """Returns the section; None without gradient steps."""
    curves = content.training
    if curves is None:
        return None
    text = (
        f"{training_outcome(curves)}. {curves.metric} of each parameter set on training and validation data, the learning "
        "rate, and the norms of gradients and updates. Where training still rises and validation falls, parameters fit noise."
    )
    with page_style():
        figure = training_figure(curves, titled=False)
        figure.set_size_inches(*_INCHES)
        svg = svg_of(figure, "drawing-training")
    return Section("training", "Gradient training", (Text(text, "muted"), Drawing(svg, "Curves of gradient training")))
