"""The mean block length of the stationary bootstrap (Politis and White 2004, corrected by Patton, Politis and White 2009)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from quantsim.statistics.arrays import FloatArray, checked_trials, varies

__all__ = ["block_length"]


def block_length(returns: ArrayLike) -> float:
    """Returns the mean block length, in days, that keeps the dependence between days when they are resampled in blocks.

    ``b = (2·g²/d)^(1/3)·T^(1/3)`` with ``g = Σ λ(k/m)·|k|·γ[k]``, ``d = 2·(Σ λ(k/m)·γ[k])²``, sums over ``-m ≤ k ≤ m``, the
    autocovariances ``γ``, and the flat-top window ``λ(x) = min(1, 2·(1 - |x|))``. ``m`` is twice the first lag from which on
    five autocorrelations in a row are below ``2·sqrt(log10(T)/T)``.

    Args:
        returns: (T,), or (T, N) for the median over the trials that vary.

    Returns:
        Between 1 (independent days, or returns that do not vary) and ``min(3·sqrt(T), T/3)``, rounded up.

    Raises:
        StatisticsError: there are too few days, or values are not finite.

    Source: Politis and White, "Automatic block-length selection for the dependent bootstrap", Econometric Reviews 23 (2004);
    correction with Patton, Econometric Reviews 28 (2009).
    """
    columns = checked_trials(returns)
    columns = columns[:, varies(columns.std(axis=0), columns.mean(axis=0))]
    if columns.shape[1] == 0:
        return 1.0
    n_days = len(columns)
    n_insignificant = max(5, int(math.log10(n_days)))
    most_lags = min(math.ceil(math.sqrt(n_days)) + n_insignificant, n_days - 1)
    covariances = _autocovariances(columns, most_lags)
    lags = _window_lags(covariances, n_insignificant, 2.0 * math.sqrt(math.log10(n_days) / n_days))

    k = np.arange(1, most_lags + 1)[:, None]
    window = np.clip(2.0 * (1.0 - k / lags), 0.0, 1.0)
    g = 2.0 * (window * k * covariances[1:]).sum(axis=0)
    long_run = covariances[0] + 2.0 * (window * covariances[1:]).sum(axis=0)
    longest = math.ceil(min(3.0 * math.sqrt(n_days), n_days / 3.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        lengths = np.cbrt(np.square(g / long_run) * n_days)  # 2g²/d, d = 2·(long run)²
    return float(np.median(np.clip(np.nan_to_num(lengths, nan=longest, posinf=longest), 1.0, longest)))


def _autocovariances(columns: FloatArray, most_lags: int) -> FloatArray:
    """Returns ``γ[k] = Σ_t x[t]·x[t+k] / T`` of the centred columns, (most_lags + 1, N)."""
    centred, n_days = columns - columns.mean(axis=0), len(columns)
    return np.stack(
        [np.einsum("tn,tn->n", centred[lag:], centred[: n_days - lag]) / n_days for lag in range(most_lags + 1)]
    )


def _window_lags(covariances: FloatArray, n_insignificant: int, bound: float) -> FloatArray:
    """Returns ``m`` of each column, (N,): the widths of the flat-top windows."""
    most_lags = len(covariances) - 1
    small = np.abs(covariances / covariances[0]) < bound
    lags = np.full(covariances.shape[1], float(most_lags))
    for first in reversed(range(1, most_lags - n_insignificant + 1)):
        lags[small[first : first + n_insignificant].all(axis=0)] = min(2 * first, most_lags)
    return lags
