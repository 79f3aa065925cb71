"""The evidence of a validation: tests of the selected trial, and of all trials, against constant weights.

All figures are of daily log returns minus those of constant weights with the same costs. Ratios are per day here.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.statistics.bootstrap import Interval, interval, paired_interval
from quantsim.statistics.distinguishable import distinguishable_share
from quantsim.statistics.overfitting import Cscv, cscv
from quantsim.statistics.ratios import deflated_sharpe, expected_best, sharpe
from quantsim.statistics.superior import SuperiorAbility, step_m, superior_ability
from quantsim.statistics.threshold import needed_ratio
from quantsim.statistics.trials import (
    RankCorrelation,
    effective_trials,
    independent_trials,
    rank_correlation,
)
from quantsim.validation.trials import Trials

__all__ = ["CONFIDENCE", "FEWEST_DAYS", "LEVEL", "Evidence", "SplitIntervals", "weigh"]


LEVEL = 0.05
"""Level of the tests."""

CONFIDENCE = 0.9
"""Level of the intervals: each tail has 5 %."""

FEWEST_DAYS = 30
"""Days below which nothing is judged."""


@dataclass(frozen=True)
class SplitIntervals:
    """Bootstrap intervals of the selected trial on one split.

    Attributes:
        n_days: number of days.
        sharpe: Sharpe ratio of daily log returns, per day.
        excess: mean daily log return minus that of constant weights.
        information_ratio: Sharpe ratio of that difference, per day.
        sharpe_difference: Sharpe ratio minus that of constant weights, per day, on the same resampled days.
    """

    n_days: int
    sharpe: Interval
    excess: Interval
    information_ratio: Interval
    sharpe_difference: Interval


@dataclass(frozen=True)
class Evidence:
    """The figures of N trials over the T days that were used for search or selection.

    Attributes:
        searched: names of the splits of these days.
        n_days: T.
        fitted: names of the splits that gradients or a pruner fitted the trials to. They are in ``searched`` only if
            there are no other days of search or selection.
        n_trials: N.
        effective_trials: effective number of trials, from the correlations of their returns.
        independent_trials: number of independent trials without skill whose best is expected to be as high.
        selected: index of the selected trial.
        ratio: information ratio of the selected trial against constant weights, per day.
        expected_best: expected information ratio of the best of ``independent_trials`` trials without skill, per day.
        needed: smallest ratio of the selected trial that StepM calls significant, per day.
        deflated_sharpe: probability that the true ratio of the selected trial is above ``expected_best``.
        best: index of the trial with the highest ratio.
        best_deflated_sharpe: deflated Sharpe ratio of the trial with the highest ratio.
        spa: p values of "no trial beats constant weights".
        superior: indices of the trials that StepM names.
        overfitting: combinatorially symmetric cross-validation of the trials.
        average: split → mean daily log difference of the average trial to constant weights.
        rank_correlation: pair of splits → rank correlation of the metric over the trials.
        intervals: split → intervals of the selected trial.
        distinguishable: share of the other trials whose Sharpe ratio on validation data differs significantly from that of the
            selected one; None without validation data.
    """

    searched: tuple[str, ...]
    n_days: int
    fitted: tuple[str, ...]
    n_trials: int
    effective_trials: float
    independent_trials: float
    selected: int
    ratio: float
    expected_best: float
    needed: float
    deflated_sharpe: float
    best: int
    best_deflated_sharpe: float
    spa: SuperiorAbility
    superior: tuple[int, ...]
    overfitting: Cscv
    average: Mapping[str, Interval]
    rank_correlation: Mapping[tuple[str, str], RankCorrelation]
    intervals: Mapping[str, SplitIntervals]
    distinguishable: float | None


def weigh(
    trials: Trials,
    searched: Sequence[str],
    metric: str,
    *,
    fitted: Sequence[str] = (),
    n_resamples: int = 1000,
    seed: int = 0,
) -> Evidence:
    """Returns the evidence of trials, all of which differ from constant weights.

    Args:
        trials: the trials.
        searched: splits that steered the search or chose among its trials.
        metric: metric whose ranks are compared between splits.
        fitted: splits that gradients or a pruner fitted the trials to.
        n_resamples: number of bootstrap resamples.
        seed: seed of the resamples.
    """
    drawn = {"n_resamples": n_resamples, "seed": seed}
    excess = trials.excess(searched)
    ratios, n_independent = sharpe(excess.T), independent_trials(excess, **drawn)
    n_days, best = excess.shape[0], int(np.argmax(ratios))
    return Evidence(
        searched=tuple(searched),
        n_days=n_days,
        fitted=tuple(fitted),
        n_trials=trials.count,
        effective_trials=effective_trials(excess),
        independent_trials=n_independent,
        selected=trials.selected,
        ratio=float(ratios[trials.selected]),
        expected_best=expected_best(n_independent, n_days),
        needed=needed_ratio(excess, trials.selected, LEVEL, **drawn),
        deflated_sharpe=deflated_sharpe(excess[:, trials.selected], n_independent),
        best=best,
        best_deflated_sharpe=deflated_sharpe(excess[:, best], n_independent),
        spa=superior_ability(excess, n_resamples=n_resamples, seed=seed),
        superior=tuple(step_m(excess, level=LEVEL, n_resamples=n_resamples, seed=seed).tolist()),
        overfitting=cscv(excess),
        average={split: _average(trials, split, drawn) for split in trials.splits},
        rank_correlation=_rank_correlations(trials, metric),
        intervals={split: _intervals(trials, split, drawn) for split in trials.splits},
        distinguishable=_distinguishable(trials, drawn),
    )


def _rank_correlations(trials: Trials, metric: str) -> dict[tuple[str, str], RankCorrelation]:
    found = {}
    for one, other in itertools.combinations(trials.splits, 2):
        pair = np.stack([trials.scores(one, metric), trials.scores(other, metric)])
        kept = pair[:, ~np.isnan(pair).any(axis=0)]
        if kept.shape[1] > 2:
            found[one, other] = rank_correlation(kept[0], kept[1])
    return found


def _distinguishable(trials: Trials, drawn: Mapping[str, int]) -> float | None:
    if "validation" not in trials.returns:
        return None
    return distinguishable_share(trials.returns["validation"], trials.selected, CONFIDENCE, **drawn)


def _intervals(trials: Trials, split: str, drawn: Mapping[str, int]) -> SplitIntervals:
    own, benchmark = trials.returns[split][:, trials.selected], trials.constant_weights[split]
    return SplitIntervals(
        n_days=own.size,
        sharpe=interval(sharpe, own, level=CONFIDENCE, **drawn),
        excess=interval(_mean, own - benchmark, level=CONFIDENCE, **drawn),
        information_ratio=interval(sharpe, own - benchmark, level=CONFIDENCE, **drawn),
        sharpe_difference=paired_interval(sharpe, own, benchmark, level=CONFIDENCE, **drawn),
    )


def _average(trials: Trials, split: str, drawn: Mapping[str, int]) -> Interval:
    return interval(_mean, trials.excess([split]).mean(axis=1), level=CONFIDENCE, **drawn)


def _mean(returns: FloatArray) -> FloatArray:
    return np.asarray(returns.mean(axis=-1))
