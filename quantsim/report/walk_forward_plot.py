"""The picture of a walk-forward: its curves beside baselines, and the parameters over the folds."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from quantsim.report.canvas import (
    GRID,
    INK,
    MUTED,
    STYLE,
    TOKENS,
    add_title,
    blank_figure,
    require_matplotlib,
    scale_values,
)
from quantsim.report.walk_forward import CURVES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from quantsim.out_of_sample.outcome import WalkForwardOutcome
    from quantsim.out_of_sample.paths import PathsOutcome
    from quantsim.out_of_sample.stability import Stability

__all__ = ["paths_figure", "walk_forward_figure"]

_MOST_PARAMETERS = 4
_COLOURS = {
    "carried": TOKENS[0],
    "restarted": TOKENS[1],
    "study": TOKENS[2],
    "constant_weights": TOKENS[5],
    "hodl": TOKENS[6],
}


def walk_forward_figure(outcome: WalkForwardOutcome) -> Figure:
    """Draws the curves out of sample, and below them up to four parameters, those with the largest spread over the folds.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    require_matplotlib()
    import matplotlib
    import matplotlib.dates

    shown = sorted(outcome.parameters, key=lambda row: -np.nan_to_num(row.relative_spread))[:_MOST_PARAMETERS]
    with matplotlib.rc_context(STYLE):
        figure = blank_figure()
        if shown:
            axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1.0])
            _draw_parameters(below, outcome, shown)
        else:
            axes = below = figure.subplots()
        _draw_curves(axes, outcome)
        for place in {axes, below}:
            for row in outcome.folds:
                place.axvline(_moment(row.fold.test.start), color=MUTED, linewidth=0.8, linestyle=(0, (4, 4)))
        dates: Any = matplotlib.dates  # not typed
        below.xaxis.set_major_locator(dates.AutoDateLocator(minticks=5, maxticks=12))
        below.xaxis.set_major_formatter(dates.ConciseDateFormatter(below.xaxis.get_major_locator()))
        below.set_xlim(outcome.restarted.times[0].astype(object), outcome.restarted.times[-1].astype(object))
        below.set_xlabel("date (UTC); dashed lines: new parameters")
        title = f"{outcome.study}: {outcome.trainer}, {len(outcome.folds)} folds, out of sample"
        add_title(axes, title, _under_title(outcome))
    return figure


def paths_figure(outcome: PathsOutcome) -> Figure:
    """Draws all paths of a combinatorial cross-validation out of sample, beside the baselines.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    require_matplotlib()
    import matplotlib
    from matplotlib.ticker import FuncFormatter

    times = outcome.times.astype(object)
    values = np.exp(np.cumsum(np.pad(outcome.daily_log_returns, ((0, 0), (1, 0))), axis=1))
    with matplotlib.rc_context(STYLE):
        figure = blank_figure()
        axes = figure.subplots()
        for number, path in enumerate(values):
            label = f"{len(values)} paths" if number == 0 else None
            axes.plot(times, path, color=TOKENS[0], alpha=0.5, linewidth=1.2, label=label)
        for curve in outcome.baselines.values():
            axes.plot(times, curve.values, label=CURVES[curve.name], color=_COLOURS[curve.name], linewidth=1.6)
        scale_values(axes, *values, *(curve.values for curve in outcome.baselines.values()))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlim(times[0], times[-1])
        axes.set_ylabel("value, first day = 1")
        axes.set_xlabel("date (UTC)")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.5)
        title = f"{outcome.study}: {outcome.trainer}, {len(values)} paths through {len(outcome.groups)} groups"
        add_title(axes, title, "\n".join(textwrap.wrap(outcome.judgement, 130)))
    return figure


def _draw_curves(axes: Axes, outcome: WalkForwardOutcome) -> None:
    pools = (outcome.restarted,) if outcome.carried is None else (outcome.carried, outcome.restarted)
    for curve in (*pools, *outcome.baselines.values()):
        wide = curve is outcome.out_of_sample
        axes.plot(
            curve.times.astype(object),
            curve.values,
            label=CURVES[curve.name],
            color=_COLOURS[curve.name],
            linewidth=2.2 if wide else 1.3,
            zorder=3 if wide else 2,
        )
    axes.axhline(1.0, color=GRID, linewidth=1.0, zorder=1)
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(6))
    scale_values(axes, *(curve.values for curve in (*pools, *outcome.baselines.values())))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylabel("value, first day = 1")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.5)


def _draw_parameters(axes: Axes, outcome: WalkForwardOutcome, shown: list[Stability]) -> None:
    """Draws each parameter relative to its median over the folds."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    starts = [_moment(row.fold.test.start) for row in outcome.folds]
    ends = [*starts, _moment(outcome.folds[-1].fold.test.end)]
    for index, row in enumerate(shown):
        values = np.array(row.values) / (row.median or 1.0)
        colour = TOKENS[(2 * index + 1) % len(TOKENS)]
        axes.step(ends, np.append(values, values[-1]), where="post", label=row.name, color=colour, linewidth=1.8)
    axes.axhline(1.0, color=INK, linewidth=0.8, zorder=1)
    if all(value > 0.0 for row in shown for value in row.values):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("parameter / median")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.5)


def _under_title(outcome: WalkForwardOutcome) -> str:
    """Returns the judgement, in lines that fit."""
    return "\n".join(textwrap.wrap(" ".join(filter(None, (outcome.judgement, outcome.note))), 130))


def _moment(time: Any) -> Any:
    return time.replace(tzinfo=None)
