"""Tests for superior trials: Hansen's test, and the stepwise procedure of Romano and Wolf.

Source: Hansen, "A test for superior predictive ability", Journal of Business & Economic Statistics 23 (2005); Romano and Wolf,
"Stepwise multiple testing as formalized data snooping", Econometrica 73 (2005).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantsim.statistics.arrays import FloatArray, checked_level
from quantsim.statistics.resampled_means import resampled_means

__all__ = ["SuperiorAbility", "step_m", "superior_ability"]


@dataclass(frozen=True)
class SuperiorAbility:
    """p values of the null hypothesis "no trial beats the benchmark".

    They differ in the assumed mean of trials that were worse than the benchmark.

    Attributes:
        lower: the observed mean. A lower bound, too small if trials are as good as the benchmark.
        consistent: the observed mean for trials that were much worse, 0 for the others. Quote this one.
        upper: 0 for all trials. An upper bound, without power if many trials are bad.
    """

    lower: float
    consistent: float
    upper: float


def superior_ability(
    excess: ArrayLike,
    *,
    studentized: bool = True,
    n_resamples: int = 1000,
    seed: int = 0,
    block: float | None = None,
) -> SuperiorAbility:
    """Tests the null that no trial has a higher expected log return than the benchmark.

    The statistic is ``max(0, max_k sqrt(T)·d[k]/ω[k])`` of the mean excess ``d[k]`` of trial ``k`` and its standard error
    ``ω[k]``. Its distribution under the null comes from days that are resampled in blocks, with means shifted to 0, by
    ``d[k]`` (upper), only where ``d[k] ≥ -ω[k]·sqrt(2·log(log(T))/T)`` (consistent), or only where ``d[k] ≥ 0`` (lower).

    Args:
        excess: (T, N) daily log returns of each trial minus those of the benchmark.
        studentized: whether to divide by ``ω[k]``, as the paper does; without it, the trials that move most decide.
        n_resamples: number of resamples, ``B``.
        seed: seed of the resamples.
        block: mean block length, in days; by default :func:`~quantsim.statistics.block_length` of the excess.

    Returns:
        p values, ``(1 + number of resamples that reach the statistic)/(1 + B)``. They are 1 if no trial is ahead.

    Raises:
        StatisticsError: there are too few days, values are not finite, or a trial is ahead by the same amount each day.
    """
    resampled = resampled_means(excess, studentized, n_resamples, seed, block)
    if resampled is None:
        return SuperiorAbility(1.0, 1.0, 1.0)
    best = max(0.0, resampled.statistics.max())

    def p_value(shifts: FloatArray) -> float:
        return _share(np.maximum(0.0, (resampled.centred + shifts).max(axis=1)), best)

    return SuperiorAbility(
        p_value(np.minimum(resampled.statistics, 0.0)), p_value(resampled.consistent_shifts), p_value(np.array(0.0))
    )


def step_m(
    excess: ArrayLike,
    *,
    level: float = 0.05,
    studentized: bool = True,
    n_resamples: int = 1000,
    seed: int = 0,
    block: float | None = None,
) -> NDArray[np.intp]:
    """Returns the trials that beat the benchmark, as indices in ascending order; often there is none.

    Trials above the ``1 - level`` quantile of the best statistic, under the consistent null of :func:`superior_ability`, are
    found and set aside; this is repeated with the others until no more are found. The probability of one or more false
    discoveries is at most ``level``.

    Args:
        excess: (T, N).
        level: probability of one or more false discoveries.
        studentized: as in :func:`superior_ability`.
        n_resamples: as in :func:`superior_ability`.
        seed: as in :func:`superior_ability`.
        block: as in :func:`superior_ability`.

    Raises:
        StatisticsError: as :func:`superior_ability`, or the level is not between 0 and 1.
    """
    checked_level(level)
    resampled = resampled_means(excess, studentized, n_resamples, seed, block)
    if resampled is None:
        return np.zeros(0, dtype=np.intp)
    values = resampled.centred + resampled.consistent_shifts
    open_ = np.ones(len(resampled.statistics), dtype=bool)
    while open_.any():
        maxima = np.maximum(0.0, values[:, open_].max(axis=1))
        named = open_ & (resampled.statistics > 0.0)
        named[named] = [_share(maxima, one) <= level for one in resampled.statistics[named]]
        if not named.any():
            break
        open_ &= ~named
    return resampled.trials[~open_]


def _share(maxima: FloatArray, statistic: float) -> float:
    """Returns the p value of a statistic among its resamples; never 0, because the sample itself counts as one."""
    return float((1 + np.count_nonzero(maxima >= statistic)) / (1 + len(maxima)))
