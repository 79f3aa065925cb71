"""Pictures of a pool, drawn with matplotlib (the extra ``plots``) and without a display."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quantsim.report.canvas import (
    MUTED,
    STYLE,
    SUFFIXES,
    TOKENS,
    add_title,
    blank_figure,
    require_matplotlib,
    save_figure,
    scale_values,
)
from quantsim.report.hodl import hodl_returns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from quantsim.config import Experiment
    from quantsim.simulator import Result

__all__ = ["SUFFIXES", "pool_figure", "require_matplotlib", "save_figure"]

_MOST_POINTS = 4000  # more than the pixels of a line; years of minutes would make huge files
_LINE = 110  # characters of a caution below the axes

_POOL, _HODL = "#1b6ca8", "#d9822b"
_SPLITS = {"train": "#ffffff", "validation": "#f2f5f9", "test": "#fdf3e4"}


def pool_figure(
    experiment: Experiment,
    result: Result,
    hodl_value: NDArray[np.float64],
    metrics: Mapping[str, Mapping[str, float]] | None = None,
) -> Figure:
    """Draws a pool's value and HODL, and its weights below, with the splits in the background.

    The axis of the value is logarithmic if values differ by more than a factor of three.

    Args:
        experiment: experiment of the simulation, for its name and splits.
        result: result of a simulation, T bars.
        hodl_value: value of holding the first bar's reserves, (T,).
        metrics: split → metric → value; the title has the return over HODL on test data, or on the simulated split.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    require_matplotlib()
    import matplotlib.dates

    stride = max(1, math.ceil(result.times.size / _MOST_POINTS))
    bars = np.unique(np.append(np.arange(0, result.times.size, stride), result.times.size - 1))
    times = result.times[bars].astype("datetime64[s]").astype(object)
    with matplotlib.rc_context(STYLE):
        figure = blank_figure()
        value_axes, weight_axes = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1.0])
        _draw_value(value_axes, times, result.value[bars], hodl_value[bars])
        _draw_weights(weight_axes, times, result.weights[bars], result.tokens)
        _shade_splits(value_axes, experiment, times[0], times[-1])
        # For five months (at most 153 days) or more, the locator only uses the first day of a month.
        months = times[-1] - times[0] >= timedelta(days=153)
        dates: Any = matplotlib.dates  # not typed
        ticks = dates.AutoDateLocator(minticks=5, maxticks=12).tick_values(times[0], times[-1])
        shown = dates.DateFormatter("%b %Y" if months else "%d %b %Y")
        # Set once: a locator would look for them with each of a dozen layouts, which takes a fifth of the time of a picture.
        weight_axes.set_xticks(ticks, [shown(tick) for tick in ticks])
        weight_axes.set_xlim(times[0], times[-1])
        cautions = (textwrap.fill(caution, _LINE) for caution in result.notes.get("cautions", ()))
        weight_axes.set_xlabel("\n".join(("date (UTC)", *cautions)))
        name = f"{experiment.name}: {experiment.pool.label} on {', '.join(result.tokens)}"
        add_title(value_axes, name, _outcome(result, metrics or {}))
    return figure


def _draw_value(axes: Axes, times: Any, value: NDArray[np.float64], hodl_value: NDArray[np.float64]) -> None:
    from matplotlib.ticker import EngFormatter

    axes.plot(times, hodl_value, color=_HODL, linewidth=1.4, label="HODL")
    axes.plot(times, value, color=_POOL, linewidth=1.8, label="pool")
    axes.fill_between(times, value, hodl_value, color=_POOL, alpha=0.08, linewidth=0.0)
    axes.set_ylabel("value, USD")
    scale_values(axes, value, hodl_value)
    axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.5)


def _draw_weights(axes: Axes, times: Any, weights: NDArray[np.float64], tokens: tuple[str, ...]) -> None:
    colours = [TOKENS[index % len(TOKENS)] for index in range(len(tokens))]
    axes.stackplot(times, 100.0 * weights.T, labels=tokens, colors=colours, alpha=0.9, linewidth=0.0)
    axes.set_ylim(0.0, 100.0)
    axes.set_ylabel("weight, %")
    axes.grid(visible=False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.5)


def _shade_splits(axes: Axes, experiment: Experiment, first: datetime, last: datetime) -> None:
    """Colours the background by split, with the name of the split at the top."""
    for name, period in experiment.periods.splits().items():
        start, end = (moment.replace(tzinfo=None) for moment in period)
        start, end = max(start, first), min(end, last)
        if start >= end:
            continue
        axes.axvspan(start, end, color=_SPLITS[name], zorder=0.0, linewidth=0.0)  # type: ignore[arg-type]
        if start > first:
            axes.axvline(start, color=MUTED, linewidth=0.8, linestyle=(0, (4, 4)))  # type: ignore[arg-type]
        axes.annotate(
            name,
            xy=(start + (end - start) / 2, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, -8),
            textcoords="offset points",
            ha="center",
            va="top",
            color=MUTED,
            fontsize=12,
        )


def _outcome(result: Result, metrics: Mapping[str, Mapping[str, float]]) -> str:
    """Describes the returns of pool and HODL on test data, or on the simulated split if there is no test data."""
    split = next((name for name in ("test", result.split) if name in metrics), None)
    returns, held = (metrics[split].get("returns"), hodl_returns(metrics)[split]) if split else (None, None)
    if returns is None or held is None:
        return ""
    where = "Whole period" if split == "all" else f"{str(split).capitalize()} period"
    fresh = ", a new pool" if split != result.split else ""
    over = (1.0 + returns) / (1.0 + held) - 1.0
    return f"{where}{fresh}: {100 * returns:+.1f} %, HODL {100 * held:+.1f} %, over HODL {100 * over:+.1f} %"
