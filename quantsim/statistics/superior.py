"""Whether any trial beats the benchmark, and which: Hansen's test, and the stepwise procedure of Romano and Wolf.

Source: Hansen, "A test for superior predictive ability", Journal of Business & Economic Statistics 23 (2005); Romano and Wolf,
"Stepwise multiple testing as formalized data snooping", Econometrica 73 (2005).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantsim.errors import StatisticsError
from quantsim.statistics.arrays import FloatArray, checked_level, checked_trials, varies
from quantsim.statistics.block_length import block_length
from quantsim.statistics.bootstrap import resampled_days

__all__ = ["SuperiorAbility", "step_m", "superior_ability"]


@dataclass(frozen=True)
class SuperiorAbility:
    """p values of "no trial beats the benchmark"; a small one says that some trial does.

    They differ in what the null takes trials for that did worse than the benchmark.

    Attributes:
        lower: they are as bad as they did: a lower bound, which is too small where trials are as good as the benchmark.
        consistent: those that did much worse are as bad as they did, the others as good as the benchmark. The one to quote.
        upper: all are as good as the benchmark: an upper bound, without power where many trials are bad.
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
        seed: of the resamples.
        block: mean block length, in days; by default :func:`~quantsim.statistics.block_length` of the excess.

    Returns:
        p values, ``(1 + number of resamples that reach the statistic)/(1 + B)``. They are 1 if no trial is ahead.

    Raises:
        StatisticsError: there are too few days, values are not finite, or a trial is ahead by the same amount each day.
    """
    resampled = _resample(excess, studentized, n_resamples, seed, block)
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
    named and set aside; this is repeated with the others until no more is named. The probability that any is named wrongly is
    at most ``level``.

    Args:
        excess: (T, N).
        level: probability of one or more wrong names.
        studentized: as in :func:`superior_ability`.
        n_resamples: as in :func:`superior_ability`.
        seed: as in :func:`superior_ability`.
        block: as in :func:`superior_ability`.

    Raises:
        StatisticsError: as :func:`superior_ability`, or the level is not between 0 and 1.
    """
    checked_level(level)
    resampled = _resample(excess, studentized, n_resamples, seed, block)
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


class _Resampled(NamedTuple):
    """Statistics of the trials that vary, N of them, and of their resamples."""

    trials: NDArray[np.intp]  #: (N,) columns of the matrix
    statistics: FloatArray  #: (N,) sqrt(T)·d/ω
    centred: FloatArray  #: (B, N) sqrt(T)·(d* - d)/ω
    consistent_shifts: (
        FloatArray  #: (N,) what the consistent null adds: the statistic of trials that are far behind, else 0
    )


def _resample(
    excess: ArrayLike, studentized: bool, n_resamples: int, seed: int, block: float | None
) -> _Resampled | None:
    """Returns the statistics, or None if no trial varies, so that none can be ahead."""
    columns = checked_trials(excess)
    mean, deviation = columns.mean(axis=0), columns.std(axis=0)
    vary = varies(deviation, mean)
    ahead = np.flatnonzero(~vary & (mean > 0.0))
    if len(ahead):
        raise StatisticsError(
            f"trial {ahead[0]} is ahead of the benchmark by the same {mean[ahead[0]]:.3g} each day: that is no return of a pool"
        )
    if not vary.any():
        return None
    columns, mean, n_days = columns[:, vary], mean[vary], len(columns)
    block = block_length(columns) if block is None else block
    days = resampled_days(n_days, block, n_resamples, seed)
    rows = np.arange(n_resamples)[:, None] * n_days
    counts = np.bincount((days + rows).ravel(), minlength=n_resamples * n_days).reshape(n_resamples, n_days)
    errors = _long_run_deviation(columns - mean, block)
    scale = math.sqrt(n_days) / (errors if studentized else np.ones_like(errors))
    far_behind = mean < -errors * math.sqrt(2.0 * math.log(math.log(n_days)) / n_days)
    statistics = mean * scale
    centred = (counts @ (columns - mean) / n_days) * scale
    return _Resampled(np.flatnonzero(vary), statistics, centred, np.where(far_behind, statistics, 0.0))


def _long_run_deviation(centred: FloatArray, block: float) -> FloatArray:
    """Returns ``ω``, (N,): the deviation of ``sqrt(T)`` times the mean of resampled days, for infinitely many resamples.

    ``ω² = γ[0] + 2·Σ_i ((1 - i/T)·(1 - q)^i + i/T·(1 - q)^(T - i))·γ[i]`` with ``q = 1/block`` and the
    autocovariances ``γ``, which are computed by a Fourier transform.
    """
    n_days = len(centred)
    power = np.square(np.abs(np.fft.rfft(centred, 2 * n_days, axis=0)))
    covariances = np.fft.irfft(power, axis=0)[:n_days] / n_days
    lag, stays = np.arange(n_days), 1.0 - 1.0 / block
    kernel = (1.0 - lag / n_days) * stays**lag + lag / n_days * stays ** (n_days - lag)
    kernel[1:] *= 2.0
    return np.sqrt(np.maximum(kernel @ covariances, np.finfo(np.float64).tiny))


def _share(maxima: FloatArray, statistic: float) -> float:
    """Returns the p value of a statistic among its resamples; never 0, because the sample itself counts as one."""
    return float((1 + np.count_nonzero(maxima >= statistic)) / (1 + len(maxima)))
