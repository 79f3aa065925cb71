"""The out-of-sample performance of the best in-sample trial: combinatorially symmetric cross-validation.

Source: Bailey, Borwein, López de Prado and Zhu, "The probability of backtest overfitting", Journal of Computational Finance 20
(2017).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from quantsim.errors import StatisticsError
from quantsim.statistics.arrays import FloatArray, checked_trials

__all__ = ["Cscv", "cscv"]

_MOST_BLOCKS = 16  # 12 870 halves
_BLOCK_DAYS = 5  # fewest days of a block, unless the number of blocks is given
_CELLS = 2**14  # halves times trials that are computed at once, so that they stay in the cache


@dataclass(frozen=True)
class Cscv:
    """The out-of-sample performance of the best in-sample trial, over all halves of the blocks of days.

    Attributes:
        probability_of_loss: share of the halves in which the trial loses to the benchmark out of sample.
        pbo: share in which the trial is not above the median trial out of sample; nan for fewer than two different trials. It
            can be small on pure noise if most trials lose to costs: show it only beside ``probability_of_loss``.
        logits: (n_splits,) ``ω = log(r/(N + 1 - r))`` of its rank ``r`` out of sample, from 1 (worst) to ``N``; equal trials
            share the mean of their ranks.
        n_splits: number of halves.
        n_blocks: number of blocks.
    """

    probability_of_loss: float
    pbo: float
    logits: FloatArray = field(repr=False)
    n_splits: int
    n_blocks: int


def cscv(excess: ArrayLike, n_blocks: int | None = None) -> Cscv:
    """Returns the performance of the best trial of each half of the blocks of days on the other half.

    Trials are ordered by their Sharpe ratio; the days are cut into blocks of equal length, give or take a day.

    Args:
        excess: (T, N) daily log returns of each trial minus those of the benchmark.
        n_blocks: number of blocks, even; by default 16, or fewer where a block would be shorter than 5 days.

    Raises:
        StatisticsError: the number of blocks is odd or too large, there are too few days, or values are not finite.
    """
    columns = checked_trials(excess)
    n_days, n_trials = columns.shape
    n_blocks = _blocks(n_blocks, n_days)
    edges = np.linspace(0, n_days, n_blocks + 1).round().astype(int)
    sizes = np.diff(edges).astype(np.float64)
    sums = np.add.reduceat(columns, edges[:-1], axis=0)
    squares = np.add.reduceat(np.square(columns), edges[:-1], axis=0)

    chosen = np.array(list(itertools.combinations(range(n_blocks), n_blocks // 2)))
    halves = np.zeros((len(chosen), n_blocks))
    np.put_along_axis(halves, chosen, 1.0, axis=1)
    # In this order the complement of the first half is the last one, and so on: each pair is computed once, used twice.
    n_pairs = len(halves) // 2
    means, ranks = np.empty(len(halves)), np.empty(len(halves))
    step = max(1, _CELLS // n_trials)
    for begin in range(0, n_pairs, step):
        rows = np.arange(begin, min(begin + step, n_pairs))
        mirrored = len(halves) - 1 - rows
        first, second = (_ratios(halves[part], sizes, sums, squares) for part in (rows, mirrored))
        means[rows], ranks[rows] = _outcome(first, second)
        means[mirrored], ranks[mirrored] = _outcome(second, first)
    logits = np.log(ranks / (n_trials + 1.0 - ranks))
    distinct = n_trials > 1 and bool((columns != columns[:, :1]).any())
    return Cscv(
        probability_of_loss=float(np.mean(means < 0.0)),
        pbo=float(np.mean(logits <= 0.0)) if distinct else math.nan,
        logits=logits,
        n_splits=len(halves),
        n_blocks=n_blocks,
    )


def _blocks(n_blocks: int | None, n_days: int) -> int:
    """Returns the number of blocks, checked."""
    if n_blocks is None:
        return max(2, min(_MOST_BLOCKS, n_days // _BLOCK_DAYS // 2 * 2))
    most = min(n_days // 2 // 2 * 2, 20)  # two days a block; 20 blocks have 184 756 halves
    if n_blocks % 2 or not 2 <= n_blocks <= most:
        raise StatisticsError(f"n_blocks = {n_blocks} must be even, and 2 to {most} for {n_days} days")
    return n_blocks


def _ratios(halves: FloatArray, sizes: FloatArray, sums: FloatArray, squares: FloatArray) -> FloatArray:
    """Returns the Sharpe ratios of all trials on each half, (halves, N); 0 for an excess of 0, ± infinite without deviation."""
    n_days = (halves @ sizes)[:, None]
    mean, square = halves @ sums / n_days, halves @ squares / n_days
    variance = square - np.square(mean)
    regular = variance > 1e-12 * square  # else it is what rounding leaves of 0
    limit = np.where(mean == 0.0, 0.0, np.copysign(np.inf, mean))
    return np.where(regular, mean / np.sqrt(np.where(regular, variance, 1.0)), limit)


def _outcome(inside: FloatArray, outside: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Returns ratio and rank outside of the trial that is best inside, (halves,) each."""
    best = inside.argmax(axis=1)[:, None]
    ratio = np.take_along_axis(outside, best, axis=1)
    below, equal = (outside < ratio).sum(axis=1), (outside == ratio).sum(axis=1)
    return ratio[:, 0], below + (equal + 1) / 2.0
