"""Means of all trials on resampled days, relative to their standard errors."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantsim.errors import StatisticsError
from quantsim.statistics.arrays import FloatArray, checked_trials, varies
from quantsim.statistics.block_length import block_length
from quantsim.statistics.bootstrap import resampled_days

__all__ = ["ResampledMeans", "resampled_means"]


class ResampledMeans(NamedTuple):
    """Statistics of the trials that vary, N of them, and of their resamples."""

    trials: NDArray[np.intp]  #: (N,) columns of the matrix
    statistics: FloatArray  #: (N,) sqrt(T)·d/ω
    centred: FloatArray  #: (B, N) sqrt(T)·(d* - d)/ω
    consistent_shifts: FloatArray  #: (N,) shifts of the consistent null: the statistic if it is far below 0, else 0


def resampled_means(
    excess: ArrayLike, studentized: bool, n_resamples: int, seed: int, block: float | None
) -> ResampledMeans | None:
    """Returns the statistics, or None if no trial varies, so that none can be ahead.

    Arguments and errors are those of :func:`~quantsim.statistics.superior_ability`.
    """
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
    return ResampledMeans(np.flatnonzero(vary), statistics, centred, np.where(far_behind, statistics, 0.0))


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
