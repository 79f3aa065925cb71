"""The picture of a validation: train against validation ratios of all trials, and out-of-sample ranks of the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantsim.errors import SelectionError
from quantsim.report.canvas import INK, MUTED, STYLE, TOKENS, blank_figure, require_matplotlib
from quantsim.validation.judgement import yearly_ratio

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from quantsim.validation import Validation
    from quantsim.validation.evidence import Evidence

__all__ = ["validation_figure"]

_TRIALS, _SELECTED = TOKENS[0], TOKENS[5]


def validation_figure(validation: Validation) -> Figure:
    """Draws the information ratio of every trial on two splits, and the distribution of ω.

    The splits are train and validation, or train and test without validation. ``ω`` is the logit of the rank out of sample of
    the trial that is best in sample, over all halves of the days; below 0 it is worse than the median trial.

    Args:
        validation: the validation.

    Raises:
        ConfigError: matplotlib is not installed.
        SelectionError: there is no evidence to draw.
    """
    require_matplotlib()
    import matplotlib

    evidence = validation.evidence
    if evidence is None:
        raise SelectionError(f"there is nothing to draw (--plot): {validation.judgement.text}")
    with matplotlib.rc_context(STYLE):
        figure = blank_figure()
        trials_axes, omega_axes = figure.subplots(1, 2, width_ratios=[1.4, 1.0])
        _draw_trials(trials_axes, validation)
        _draw_omega(omega_axes, evidence)
        worth = f"{evidence.n_trials} trials, equivalent to {evidence.independent_trials:.2g} independent ones"
        figure.suptitle(f"{validation.study}: {worth}", x=0.05, ha="left", fontsize=19, fontweight="bold")
    return figure


def _draw_trials(axes: Axes, validation: Validation) -> None:
    from quantsim.statistics.ratios import sharpe

    trials, splits = validation.trials, validation.trials.splits
    one, other = splits[0], splits[min(1, len(splits) - 1)]
    x, y = (yearly_ratio(1.0) * sharpe(trials.excess([split]).T) for split in (one, other))
    axes.axhline(0.0, color=MUTED, linewidth=0.8)
    axes.axvline(0.0, color=MUTED, linewidth=0.8)
    axes.scatter(x, y, s=28, color=_TRIALS, alpha=0.5, linewidths=0.0, label="trial")
    own = trials.selected
    axes.scatter(x[own], y[own], s=170, marker="*", color=_SELECTED, edgecolors=INK, linewidths=0.8, label="selected")
    axes.set_xlabel(f"{one}: information ratio over constant weights, a year")
    axes.set_ylabel(f"{other}: information ratio over constant weights, a year")
    axes.legend(loc="upper left")


def _draw_omega(axes: Axes, evidence: Evidence) -> None:
    found = evidence.overfitting
    shares = np.full(found.logits.size, 100.0 / found.logits.size)
    axes.hist(found.logits, bins=30, weights=shares, color=_TRIALS, alpha=0.8)
    axes.axvline(0.0, color=INK, linewidth=1.2)
    axes.set_xlabel("ω: logit of the rank out of sample of the best in sample")
    axes.set_ylabel("halves of the days, %")
    axes.set_title(
        f"below 0 (PBO): {100.0 * found.pbo:.0f} %; behind constant weights: {100.0 * found.probability_of_loss:.0f} %",
        loc="left",
        fontsize=14,
        color=MUTED,
    )
