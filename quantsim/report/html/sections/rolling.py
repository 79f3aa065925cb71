"""Ratios over a moving window."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from quantsim.array_types import FloatArray
from quantsim.baseline import BENCHMARK
from quantsim.metrics.sample import DAYS_PER_YEAR
from quantsim.report.canvas import MUTED, TOKENS
from quantsim.report.comparison import SELECTED
from quantsim.report.html.blocks import Section, Text
from quantsim.report.html.drawing import date_axis, drawing_of, legend_above, moment

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from quantsim.report.html.content import Content

__all__ = ["rolling", "rolling_ratio"]


_WINDOW, _LEAST = 90, 14  # days


def rolling_ratio(returns: FloatArray, window: int) -> FloatArray:
    """Returns ``sqrt(365)·mean/std`` over the last ``window`` returns, (T,) to (T,); nan before, and where they do not vary."""
    rolled = pd.Series(returns).rolling(window)
    deviation = rolled.std(ddof=0)
    return np.asarray(math.sqrt(DAYS_PER_YEAR) * rolled.mean() / deviation.where(deviation > 1e-12), np.float64)


def rolling(content: Content) -> Section | None:
    """Returns the section; None for less than two windows of two weeks."""
    curves, returns = content.curves, content.curves.log_returns
    window = min(_WINDOW, returns[SELECTED].size // 2)
    if window < _LEAST:
        return None
    times = curves.times[1:].astype("datetime64[D]")
    error = math.sqrt(DAYS_PER_YEAR / window)

    def sharpe(axes: Axes) -> None:
        for name, label, colour in ((SELECTED, "selected", TOKENS[0]), (BENCHMARK, "constant weights", TOKENS[5])):
            axes.plot(times, rolling_ratio(returns[name], window), label=label, color=colour, linewidth=1.4)
        _finish(axes, content)
        legend_above(axes)

    def information(axes: Axes) -> None:
        excess = returns[SELECTED] - returns[BENCHMARK]
        axes.plot(times, rolling_ratio(excess, window), color=TOKENS[0], linewidth=1.4)
        axes.axhspan(-error, error, color=TOKENS[1], alpha=0.25, linewidth=0.0)
        _finish(axes, content)

    text = (
        f"Ratios of daily log returns over the last {window} days, annualised. One of so few days has a standard error of "
        f"about {error:.1f}; the band in the second picture shows it around 0, so most of what the curves do is noise."
    )
    blocks = (
        Text(text, "muted"),
        drawing_of("drawing-sharpe", sharpe, "Rolling Sharpe ratio", "Sharpe ratio"),
        drawing_of(
            "drawing-information",
            information,
            "Rolling information ratio against constant weights",
            "Information ratio against constant weights",
        ),
    )
    return Section("rolling", "Rolling ratios", blocks)


def _finish(axes: Axes, content: Content) -> None:
    axes.axhline(0.0, color=MUTED, linewidth=0.8, zorder=1)
    for day in list(content.curves.splits.values())[1:]:
        axes.axvline(moment(content.curves.times[day].item()), color=MUTED, linewidth=0.8, linestyle=":")
    date_axis(axes)
