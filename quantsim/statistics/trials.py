"""The number of independent trials of a search, and rank correlations of trials between periods."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantsim.errors import StatisticsError
from quantsim.statistics.arrays import FloatArray, checked_level, checked_trials, varies
from quantsim.statistics.bootstrap import Interval
from quantsim.statistics.ratios import expected_maximum
from quantsim.statistics.resampled_means import resampled_means

__all__ = ["RankCorrelation", "cluster_count", "effective_trials", "independent_trials", "rank_correlation"]

_SAME_CLUSTER = 0.5  # correlation


def effective_trials(excess: ArrayLike) -> float:
    """Returns the effective number of trials: trials with similar returns count as one.

    ``N_e = (Σe)²/Σe²`` of the eigenvalues ``e`` of the trials' correlation matrix ``C``, which is ``N²/Σ C²``. The best
    of correlated trials is as high as that of more than ``N_e`` independent ones: deflate it by :func:`independent_trials`.

    Args:
        excess: (T, N).

    Returns:
        Between 1 and N. Trials that do not vary do not count; nan if none does.

    Raises:
        StatisticsError: there are too few days, or values are not finite.
    """
    scores = _scores(checked_trials(excess))
    n_days, n_trials = scores.shape
    if n_trials == 0:
        return math.nan
    products = scores.T @ scores if n_trials <= n_days else scores @ scores.T  # the same eigenvalues above 0
    return float(n_trials**2 / np.square(products).sum())


def independent_trials(
    excess: ArrayLike, *, n_resamples: int = 1000, seed: int = 0, block: float | None = None
) -> float:
    """Returns the number of independent trials whose best is expected to be as high as that of these, without skill.

    The mean of each trial is set to 0, and days are resampled in blocks, as :func:`~quantsim.statistics.superior_ability` does
    (upper). ``N`` is the number for which :func:`~quantsim.statistics.expected_maximum` is the mean of the best statistic.

    Args:
        excess: (T, N).
        n_resamples: number of resamples.
        seed: seed of the resamples.
        block: mean block length, in days; by default :func:`~quantsim.statistics.block_length` of the excess.

    Returns:
        At least 1; nan if no trial varies.

    Raises:
        StatisticsError: as :func:`~quantsim.statistics.superior_ability`.
    """
    resampled = resampled_means(excess, True, n_resamples, seed, block)
    if resampled is None:
        return math.nan
    best = float(resampled.centred.max(axis=1).mean())
    low, high = 1.0, 2.0
    while expected_maximum(high) < best:
        low, high = high, 2.0 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2.0
        low, high = (middle, high) if expected_maximum(middle) < best else (low, middle)
    return high if best > 0.0 else 1.0


def cluster_count(excess: ArrayLike) -> int:
    """Returns the number of clusters of trials with similar returns, as a check of :func:`effective_trials`.

    Average linkage joins groups as long as the mean distance ``sqrt((1 - ρ)/2)`` between them is that of a correlation of 0.5.

    Args:
        excess: (T, N).

    Returns:
        Between 1 and N; 0 if no trial varies.

    Raises:
        StatisticsError: there are too few days, or values are not finite.
    """
    scores = _scores(checked_trials(excess))
    if scores.shape[1] < 2:
        return int(scores.shape[1])
    from scipy.cluster.hierarchy import fcluster, linkage

    correlations = np.clip(scores.T @ scores, -1.0, 1.0)
    upper = np.triu_indices(len(correlations), 1)
    tree = linkage(np.sqrt((1.0 - correlations[upper]) / 2.0), method="average")
    clusters: NDArray[np.int32] = fcluster(tree, math.sqrt((1.0 - _SAME_CLUSTER) / 2.0), criterion="distance")
    return int(clusters.max())


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation.

    Attributes:
        value: correlation, -1 to 1; nan if it is undefined.
        interval: by Fisher's transformation, as if the trials were independent; its ``reason`` says why it is nan.
        n: number of pairs.
    """

    value: float
    interval: Interval
    n: int


def rank_correlation(a: ArrayLike, b: ArrayLike, *, level: float = 0.9) -> RankCorrelation:
    """Returns the rank correlation of two values of each trial, such as the objective on two splits.

    The interval is ``tanh(artanh(ρ) ± z·sqrt((1 + ρ²/2)/(N - 3)))``. It is too short for trials
    of a search, which resemble each other.

    Args:
        a: (N,); pairs with a nan are left out, infinite values are ranked.
        b: (N,).
        level: nominal coverage of the interval.

    Raises:
        StatisticsError: the shapes differ, or the level is not between 0 and 1.

    Source: Bonett and Wright, "Sample size requirements for estimating Pearson, Kendall and Spearman correlations",
    Psychometrika 65 (2000).
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise StatisticsError(
            f"shapes {first.shape} and {second.shape}: a rank correlation takes two values of each trial"
        )
    checked_level(level)
    there = ~(np.isnan(first) | np.isnan(second))
    ranks = np.stack([_ranks(first[there]), _ranks(second[there])], axis=1)
    n = len(ranks)

    def undefined(value: float, reason: str) -> RankCorrelation:
        return RankCorrelation(value, Interval(value, math.nan, math.nan, math.nan, level, reason), n)

    if n < 2 or not ranks.std(axis=0).all():
        return undefined(math.nan, f"{n} pairs of values are too few" if n < 2 else "all trials have the same value")
    value = float(np.clip((_scores(ranks).T @ _scores(ranks))[0, 1], -1.0, 1.0))
    if n < 4:
        return undefined(value, f"{n} trials are too few for an interval, which needs 4")
    if abs(value) == 1.0:
        return RankCorrelation(value, Interval(value, value, value, 0.0, level), n)
    error = math.sqrt((1.0 + value**2 / 2.0) / (n - 3))
    half, middle = NormalDist().inv_cdf((1.0 + level) / 2.0) * error, math.atanh(value)
    ends = math.tanh(middle - half), math.tanh(middle + half)
    return RankCorrelation(value, Interval(value, *ends, error * (1.0 - value**2), level), n)


def _scores(columns: FloatArray) -> FloatArray:
    """Returns the columns that vary, centred and of length 1, so that their products are correlations."""
    deviation, mean = columns.std(axis=0), columns.mean(axis=0)
    vary = varies(deviation, mean)
    scores: FloatArray = (columns[:, vary] - mean[vary]) / (deviation[vary] * math.sqrt(len(columns)))
    return scores


def _ranks(values: FloatArray) -> FloatArray:
    """Returns ranks from 1 on, (N,); equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    middles: FloatArray = np.cumsum(counts) - (counts - 1) / 2.0
    return middles.take(inverse)
