"""Which trials a split tells apart from the selected one: the difference of their Sharpe ratios is beyond its error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quantsim.statistics.arrays import LEAST_DAYS
from quantsim.statistics.block_length import block_length
from quantsim.statistics.bootstrap import resampled_days

__all__ = ["told_apart"]

FloatArray = NDArray[np.float64]

_SAME = 1e-12
"""Largest difference of daily log returns between copies of a trial."""


def told_apart(
    returns: FloatArray, selected: int, confidence: float, *, n_resamples: int = 1000, seed: int = 0
) -> float:
    """Returns the share of the other trials whose Sharpe ratio differs from that of the selected one.

    A trial differs if the bootstrap interval of the paired difference, on the same resampled days, does not contain zero.

    Args:
        returns: daily log returns, (T, N).
        selected: index of the selected trial.
        confidence: of the intervals.
        n_resamples: number of resamples.
        seed: seed of the resamples.

    Returns:
        A share from 0 to 1. Copies of the selected trial do not count; 1 if there is no other trial, 0 if there are too few
        days for an interval.
    """
    n_days = returns.shape[0]
    if n_days < LEAST_DAYS:
        return 0.0
    own = returns[:, selected]
    returns = returns[:, np.abs(returns - own[:, None]).max(axis=0) > _SAME]
    n_others = returns.shape[1]
    if not n_others:
        return 1.0
    returns = np.column_stack([own, returns])
    days = resampled_days(n_days, block_length(own), n_resamples, seed)
    # A resample is how often it has each day, so its moments are products of matrices.
    counts = np.stack([np.bincount(row, minlength=n_days) for row in days]) / n_days
    mean = counts @ returns
    deviation = np.sqrt(np.maximum(counts @ returns**2 - mean**2, 0.0))
    ratios = np.divide(mean, deviation, out=np.zeros_like(mean), where=deviation > 0.0)
    differences = ratios[:, 1:] - ratios[:, :1]
    low, high = np.quantile(differences, [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0], axis=0)
    return float(((low > 0.0) | (high < 0.0)).sum() / n_others)
