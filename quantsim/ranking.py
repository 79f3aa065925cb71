"""How values are ranked, nan and infinity among them: the one policy of search, grid, training, selection and reports.

* **nan ranks nowhere.** A parameter set whose deciding value is nan has failed, and whatever reports it says why.
* **+inf ranks above all finite values, -inf below them.** A Sortino ratio without a losing day is +inf, and the best there is.
* **Equal values** are told apart by :data:`TIE_METRIC` of the same split, the higher the better, and then by age: the
  earlier one stays ahead.
* **Where arithmetic needs finite numbers** (distances between values, a sampler's model), :func:`stand_ins` take the place
  of infinite ones. What is stored is always the true value.

Ratios that are combined, over periods or windows or with other metrics, are bounded before: see
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
"""The metric that tells equal values apart; of the same split. It has no denominator, and so no bound."""


def is_ranked(value: float | None) -> bool:
    """Whether a value takes part: it is there, and is not nan."""
    return value is not None and not math.isnan(value)


def rank(value: float, tie: float | None = None) -> tuple[float, float]:
    """A sort key: the larger, the better.

    Args:
        value: what decides; not nan.
        tie: :data:`TIE_METRIC` of the same split. None or nan, where it is not known, rank lowest.

    Raises:
        ValueError: the value is nan.

    Example:
        >>> rank(math.inf, 0.1) > rank(9.0, 0.5) > rank(9.0) > rank(-math.inf, 0.9)
        True
    """
    if math.isnan(value):
        raise ValueError("nan has no rank: sort it out by is_ranked first")
    return float(value), float(tie) if tie is not None and is_ranked(tie) else -math.inf


def best_index(values: Sequence[float], ties: Sequence[float | None] | None = None) -> int | None:
    """The place of the best value, by :func:`rank`; of equal ones the first; None where all are nan, or there are none.

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
    """The values with finite ones in place of infinite ones, in the same order.

    +inf becomes the largest finite value plus the range of the finite ones, -inf the smallest less that range; the range
    counts as 1 where they do not vary, and the values as 0 where none is finite.

    Args:
        values: (N,), or (N, K) for K columns each by itself. nan stays.

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
    """The value, or the largest or smallest finite number in place of an infinite one, for what can hold no infinity."""
    return min(max(value, -sys.float_info.max), sys.float_info.max)
