"""The picture of gradient training: objective, learning rate, and norms by step. Drawn with matplotlib (extra ``plots``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from quantsim.checkpoints.training import Phase, TrainingCurves
from quantsim.report.canvas import MUTED, STYLE, TOKENS, add_title, blank_figure, figure_svg, require_matplotlib
from quantsim.report.formats import suits_log_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["training_figure", "training_outcome", "training_svg"]

_MOST_NAMED = len(TOKENS)  # sets with a colour and an entry in the legend
_DASHED: Any = (0, (4, 3))


def training_figure(curves: TrainingCurves, *, titled: bool = True) -> Figure:
    """Draws the objective of every parameter set on train and validation data, the learning rate, and the norms.

    Rounds of a hybrid run follow each other from left to right. Crosses mark rejected updates.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    require_matplotlib()
    import matplotlib

    with matplotlib.rc_context(STYLE):
        figure, at, starts = blank_figure(), 0, []
        axes = figure.subplots(3, 1, sharex=True, height_ratios=[2.4, 0.8, 1.2])
        for phase in curves.phases:
            _draw(axes, phase, at)
            starts.append(at)
            at += int(phase.reports[-1])
        axes[0].margins(y=0.1)
        axes[0].set_ylabel(f"objective: {curves.metric}")
        axes[1].set_ylabel("learning rate")
        axes[2].set_ylabel("norm")
        axes[2].set_xlabel("gradient step")
        axes[2].set_xlim(0, max(at, 1))
        _log_scale(axes[1], curves, "learning_rate")
        _log_scale(axes[2], curves, "gradient_norm", "update_norm")
        _show_rounds(axes, curves, starts)
        _show_legends(axes, curves)
        if titled:
            add_title(axes[0], f"{curves.run.name}: gradient training", training_outcome(curves))
    return figure


def training_svg(curves: TrainingCurves) -> str:
    """Returns :func:`training_figure` as an SVG element for HTML pages. Equal curves give equal text.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    return figure_svg(training_figure(curves))


def _draw(axes: Any, phase: Phase, at: int) -> None:
    few = phase.n_sets <= _MOST_NAMED
    norms = phase.per_step["gradient_norm"], phase.per_step["update_norm"]
    for index in range(phase.n_sets):
        look: Any = {"color": _colour(index)} if few else {"color": MUTED, "alpha": 0.5}
        for split, values in phase.objective.items():
            style = "-" if split == "train" else _DASHED
            axes[0].plot(at + phase.reports, _finite(values[:, index]), linewidth=1.6, linestyle=style, **look)
        axes[1].plot(at + phase.steps, _positive(phase.per_step["learning_rate"][:, index]), linewidth=1.4, **look)
        for values, style in zip(norms, ("-", _DASHED), strict=True):
            axes[2].plot(at + phase.steps, _positive(values[:, index]), linewidth=1.0, linestyle=style, **look)
        rejected = at + phase.steps[phase.per_step["rejected"][:, index] > 0]
        if rejected.size:
            axes[2].plot(rejected, np.full(rejected.size, 0.06), "x", transform=axes[2].get_xaxis_transform(), **look)


def _show_rounds(axes: Any, curves: TrainingCurves, starts: list[int]) -> None:
    """Names the rounds of a hybrid run at the top, with lines between them."""
    for phase, start in zip(curves.phases, starts, strict=True):
        for each in axes if start else ():
            each.axvline(start, color=MUTED, linewidth=0.8, linestyle=_DASHED)
        if phase.round:
            place: Any = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "va": "top"}
            axes[0].annotate(f"round {phase.round}", (start, 1.0), (6, -2), color=MUTED, fontsize=12, **place)


def _show_legends(axes: Any, curves: TrainingCurves) -> None:
    from matplotlib.lines import Line2D

    beside: Any = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.5}
    solid, dashed = Line2D([], [], color=MUTED), Line2D([], [], color=MUTED, linestyle=_DASHED)
    cross = Line2D([], [], color=MUTED, marker="x", linestyle="")
    n_sets = max(phase.n_sets for phase in curves.phases)
    named = [Line2D([], [], color=_colour(index)) for index in range(n_sets)] if n_sets <= _MOST_NAMED else []
    splits = dict(zip(curves.phases[0].objective, (solid, dashed), strict=False))
    sets = [f"set {index}" for index in range(len(named))]
    axes[0].legend([*splits.values(), *named], [*splits, *sets], **beside)
    axes[2].legend([solid, dashed, cross], ["gradient", "update", "rejected"], **beside)


def training_outcome(curves: TrainingCurves) -> str:
    """Returns the numbers of steps, sets, rounds and rejected updates in words."""
    sets = max(phase.n_sets for phase in curves.phases)
    steps = sum(int(phase.reports[-1]) for phase in curves.phases)
    text = f"{steps} steps of {sets} parameter {'set' if sets == 1 else 'sets'}"
    if curves.phases[0].round:
        text += f" in {len(curves.phases)} {'round' if len(curves.phases) == 1 else 'rounds'}"
    return f"{text}, {curves.n_rejected or 'no'} {'update' if curves.n_rejected == 1 else 'updates'} rejected"


def _log_scale(axes: Axes, curves: TrainingCurves, *names: str) -> None:
    """Uses a logarithmic axis where that suits the positive values."""
    if suits_log_axis(*(_positive(phase.per_step[name]) for phase in curves.phases for name in names)):
        axes.set_yscale("log")


def _colour(index: int) -> str:
    return TOKENS[index % len(TOKENS)]


def _finite(values: Any) -> Any:
    return np.where(np.isfinite(values), values, np.nan)


def _positive(values: Any) -> Any:
    return np.where(np.isfinite(values) & (values > 0.0), values, np.nan)
