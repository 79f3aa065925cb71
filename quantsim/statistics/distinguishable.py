"""The share of trials whose Sharpe ratio differs significantly from that of the selected trial."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from quantsim.statistics.arrays import LEAST_DAYS, checked_level
from quantsim.statistics.block_length import block_length
from quantsim.statistics.bootstrap import resampled_days

__all__ = ["distinguishable_share"]

_SAME = 1e-12
"""Largest difference of daily log returns between copies of a trial."""


def distinguishable_share(
    returns: ArrayLike, selected: int, level: float = 0.9, *, n_resamples: int = 1000, seed: int = 0
) -> float:
    """Returns the share of the other trials whose Sharpe ratio differs significantly from that of the selected one.

    A difference is significant if its paired bootstrap interval, on the same resampled days, does not contain 0.

    Args:
        returns: (T, N) daily log returns.
        selected: index of the selected trial.
        level: nominal coverage of the intervals.
        n_resamples: number of resamples.
        seed: seed of the resamples.

    Returns:
        A share from 0 to 1. Copies of the selected trial do not count. It is 1 without other trials, and 0 if there are too few
        days for an interval.
    """
    checked_level(level)
    columns = np.asarray(returns, dtype=np.float64)
    n_days = columns.shape[0]
    if n_days < LEAST_DAYS:
        return 0.0
    own = columns[:, selected]
    others = columns[:, np.abs(columns - own[:, None]).max(axis=0) > _SAME]
    n_others = others.shape[1]
    if not n_others:
        return 1.0
    columns = np.column_stack([own, others])
    days = resampled_days(n_days, block_length(own), n_resamples, seed)
    # With the frequency of each day in each resample, moments are products of matrices.
    counts = np.stack([np.bincount(row, minlength=n_days) for row in days]) / n_days
    mean = counts @ columns
    deviation = np.sqrt(np.maximum(counts @ columns**2 - mean**2, 0.0))
    ratios = np.divide(mean, deviation, out=np.zeros_like(mean), where=deviation > 0.0)
    differences = ratios[:, 1:] - ratios[:, :1]
    low, high = np.quantile(differences, [(1.0 - level) / 2.0, (1.0 + level) / 2.0], axis=0)
    return float(((low > 0.0) | (high < 0.0)).sum() / n_others)
