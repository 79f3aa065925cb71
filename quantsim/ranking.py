"""How values are ranked, including nan and infinity. Search, grid, training, selection and reports all use these rules.

* **nan has no rank.** A parameter set whose objective is nan has failed. Reports give the reason.
* **+inf ranks above all finite values, -inf below them.** A Sortino ratio without a losing day is +inf, the best value.
* **Ties** are broken by :data:`TIE_METRIC` on the same split, the higher the better, and then by age, the earlier first.
* **Where arithmetic needs finite numbers** (distances between values, a sampler's model), :func:`stand_ins` replaces
  infinite ones. Stores always keep the true value.

Ratios are bounded before they are combined over periods or windows, or with other metrics: see
:attr:`quantsim.metrics.Metric.bound`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["TIE_METRIC", "best_index", "clamped", "gain", "is_ranked", "rank", "stand_ins"]

TIE_METRIC = "returns"
"""The metric that breaks ties, on the same split. It has no denominator, so it needs no bound."""


def is_ranked(value: float | None) -> bool:
    """Whether a value can be ranked: it exists and is not nan."""
    return value is not None and not math.isnan(value)


def rank(value: float, tie: float | None = None) -> tuple[float, float]:
    """Returns a sort key: the larger, the better.

    Args:
        value: the value to rank by; not nan.
        tie: :data:`TIE_METRIC` on the same split. None and nan (unknown) rank lowest.

    Raises:
        ValueError: the value is nan.

    Example:
        >>> rank(math.inf, 0.1) > rank(9.0, 0.5) > rank(9.0) > rank(-math.inf, 0.9)
        True
    """
    if math.isnan(value):
        raise ValueError("nan has no rank: filter values with is_ranked first")
    return float(value), float(tie) if tie is not None and is_ranked(tie) else -math.inf


def best_index(values: Sequence[float], ties: Sequence[float | None] | None = None) -> int | None:
    """Returns the index of the best value by :func:`rank`, the first of equal ones; None if all are nan or there are none.

    Example:
        >>> best_index([math.nan, 2.0, math.inf, math.inf], [0.0, 0.9, 0.1, 0.2])
        3
    """
    ties = [None] * len(values) if ties is None else ties
    ranked = [index for index, value in enumerate(values) if is_ranked(value)]
    return max(ranked, key=lambda index: (rank(values[index], ties[index]), -index), default=None)


def gain(now: float, before: float) -> float:
    """``now - before``; 0 between equal infinities, whose difference would be nan."""
    return 0.0 if now == before else now - before


def stand_ins(values: ArrayLike) -> NDArray[np.float64]:
    """Replaces infinite values by finite ones; the order of the values stays the same.

    +inf becomes the largest finite value plus the range of the finite values, -inf the smallest minus that range. If the
    finite values are all equal, the range counts as 1. If no value is finite, the finite values count as 0.

    Args:
        values: (N,), or (N, K) for K separate columns. nan stays nan.

    Example:
        >>> stand_ins([1.0, math.inf, 3.0, -math.inf]).tolist()
        [1.0, 5.0, 3.0, -1.0]
    """
    given = np.asarray(values, np.float64)
    finite = np.isfinite(given)
    if finite.all():
        return given
    some = finite.any(axis=0)
    high = np.where(some, np.max(given, axis=0, where=finite, initial=-np.inf), 0.0)
    low = np.where(some, np.min(given, axis=0, where=finite, initial=np.inf), 0.0)
    room = np.where(high > low, high - low, 1.0)
    placed = np.where(np.isposinf(given), high + room, np.where(np.isneginf(given), low - room, given))
    return np.clip(placed, -sys.float_info.max, sys.float_info.max)


def clamped(value: float) -> float:
    """Replaces an infinite value by the largest or smallest finite number, for formats that cannot hold infinity."""
    return min(max(value, -sys.float_info.max), sys.float_info.max)
