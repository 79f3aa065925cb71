"""Standard errors and intervals by the stationary bootstrap over days (Politis and Romano 1994)."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantsim.errors import StatisticsError
from quantsim.json_values import JsonNumber, json_number
from quantsim.statistics.arrays import LEAST_DAYS, FloatArray, checked_level
from quantsim.statistics.block_length import block_length

__all__ = ["Interval", "Statistic", "interval", "paired_interval", "percentile_interval", "resampled_days"]

Statistic = Callable[[FloatArray], ArrayLike]
"""Maps returns (..., T) to values (...)."""


@dataclass(frozen=True)
class Interval:
    """A statistic with its interval.

    Attributes:
        point: value on the original days.
        lower: lower end of the interval.
        upper: upper end of the interval.
        standard_error: standard deviation over the resamples.
        level: nominal coverage of the interval.
        reason: why the ends are nan; empty if they are not.
    """

    point: float
    lower: float
    upper: float
    standard_error: float
    level: float
    reason: str = ""

    @property
    def contains_zero(self) -> bool:
        """Whether 0 is in the interval. True if the ends are nan: nothing is known then."""
        return not (self.lower > 0.0 or self.upper < 0.0)

    def to_json(self, scale: float = 1.0) -> dict[str, JsonNumber]:
        """Returns the interval as JSON values, such as those of an annualised figure.

        Args:
            scale: factor for ``point``, ``lower``, ``upper`` and ``standard_error``.
        """
        ends = {name: getattr(self, name) for name in ("point", "lower", "upper", "standard_error")}
        scaled = {name: json_number(scale * value) for name, value in ends.items()}
        return {**scaled, "level": self.level, "reason": self.reason}


def resampled_days(n_days: int, block: float, n_resamples: int, seed: int) -> NDArray[np.intp]:
    """Returns resamples of days in blocks, (n_resamples, n_days): indices from 0 to ``n_days - 1``.

    A block begins at a random day; after each day it ends with probability ``1/block``, so its length is geometric with mean
    ``block``. The last day is followed by the first. The array is read-only, and shared between equal calls.

    Args:
        n_days: number of days, ``T``.
        block: mean block length, in days, at least 1.
        n_resamples: number of resamples.
        seed: seed of the random numbers; equal arguments give equal resamples.

    Raises:
        StatisticsError: an argument is too small.

    Source: Politis and Romano, "The stationary bootstrap", Journal of the American Statistical Association 89 (1994).
    """
    if n_days < 1 or n_resamples < 1 or not 1.0 <= block < math.inf:
        raise StatisticsError(
            f"n_days = {n_days}, n_resamples = {n_resamples} and block = {block} must be at least 1, and the block finite"
        )
    return _resampled_days(int(n_days), float(block), int(n_resamples), int(seed))


@functools.lru_cache(maxsize=4)
def _resampled_days(n_days: int, block: float, n_resamples: int, seed: int) -> NDArray[np.intp]:
    generator = np.random.default_rng(seed)
    begins = generator.random((n_resamples, n_days)) < 1.0 / block
    begins[:, 0] = True
    positions = np.flatnonzero(begins)
    shifts = generator.integers(n_days, size=len(positions)) - positions
    days = np.repeat(shifts, np.diff(positions, append=begins.size))
    days += np.arange(begins.size)
    days[days >= n_days] -= n_days  # no block is longer than a row; the remainder of a division takes longer
    days = days.reshape(begins.shape)
    days.flags.writeable = False
    return days


def interval(
    statistic: Statistic,
    returns: ArrayLike,
    *,
    level: float = 0.9,
    n_resamples: int = 1000,
    seed: int = 0,
    block: float | None = None,
) -> Interval:
    """Returns the percentile interval of a statistic of daily returns.

    Args:
        statistic: maps returns (..., T) to values (...); it is called once with (T,) and once with (n_resamples, T).
        returns: (T,), daily.
        level: nominal coverage of the interval.
        n_resamples: number of resamples.
        seed: seed of the resamples.
        block: mean block length, in days; by default :func:`~quantsim.statistics.block_length` of the returns.

    Returns:
        The interval. Its ends are nan, and ``reason`` says why, if there are fewer than
        :data:`~quantsim.statistics.LEAST_DAYS` days, returns are not finite, or the statistic of a resample is nan.

    Raises:
        StatisticsError: the returns are no series, or the statistic does not map (n_resamples, T) to (n_resamples,).
    """
    return _interval(statistic, (_series(returns),), level, n_resamples, seed, block)


def paired_interval(
    statistic: Statistic,
    returns: ArrayLike,
    benchmark: ArrayLike,
    *,
    level: float = 0.9,
    n_resamples: int = 1000,
    seed: int = 0,
    block: float | None = None,
) -> Interval:
    """Returns the percentile interval of ``statistic(returns) - statistic(benchmark)``, both on the same resampled days.

    Common variation, such as that of the market, cancels, so the interval is much shorter than those of the two series.

    Args:
        statistic: as in :func:`interval`.
        returns: (T,), daily.
        benchmark: (T,), returns of the benchmark on the same days.
        level: as in :func:`interval`.
        n_resamples: as in :func:`interval`.
        seed: as in :func:`interval`.
        block: mean block length, in days; by default that of the difference of the returns.

    Raises:
        StatisticsError: as :func:`interval`, or the two have different numbers of days.
    """
    first, second = _series(returns), _series(benchmark)
    if len(first) != len(second):
        raise StatisticsError(
            f"{len(first)} returns and {len(second)} of the benchmark: a pair needs the same days of both"
        )
    return _interval(statistic, (first, second), level, n_resamples, seed, block)


def _series(returns: ArrayLike) -> FloatArray:
    days = np.asarray(returns, dtype=np.float64)
    if days.ndim != 1:
        raise StatisticsError(f"returns have shape {days.shape}: an interval takes one series, (days,)")
    return days


def _interval(
    statistic: Statistic,
    series: tuple[FloatArray, ...],
    level: float,
    n_resamples: int,
    seed: int,
    block: float | None,
) -> Interval:
    """Returns the interval of the statistic of one series, or of the difference between that of two."""
    checked_level(level)
    n_days = len(series[0])

    def value(picked: Callable[[FloatArray], FloatArray]) -> FloatArray:
        with np.errstate(all="ignore"):
            found = [np.asarray(statistic(picked(days)), dtype=np.float64) for days in series]
            return found[0] if len(found) == 1 else found[0] - found[1]

    point = float(value(lambda days: days)) if n_days else math.nan

    def undefined(reason: str) -> Interval:
        return Interval(point, math.nan, math.nan, math.nan, level, reason)

    if n_days < LEAST_DAYS:
        return undefined(f"{n_days} daily returns are too few for an interval, which needs {LEAST_DAYS}")
    if not all(np.isfinite(days).all() for days in series):
        return undefined("returns are not finite, as after a total loss")
    if block is None:
        block = block_length(series[0] if len(series) == 1 else series[0] - series[1])
    picks = resampled_days(n_days, block, n_resamples, seed)
    values = value(lambda days: days[picks])
    if values.shape != (n_resamples,):
        raise StatisticsError(
            f"the statistic made {values.shape} of {(n_resamples, n_days)} returns: it must map (..., days) to (...)"
        )
    return percentile_interval(point, values, level=level)


def percentile_interval(point: float, values: ArrayLike, *, level: float = 0.9) -> Interval:
    """Returns the interval of a statistic from its values on resampled days.

    Args:
        point: value on the original days.
        values: (n_resamples,), values on the resamples.
        level: nominal coverage of the interval.
    """
    checked_level(level)
    resampled = np.asarray(values, dtype=np.float64)
    n_nan = int(np.isnan(resampled).sum())
    if n_nan or math.isnan(point):
        reason = f"undefined on {n_nan} of {len(resampled)} resamples" if n_nan else "undefined on these returns"
        return Interval(point, math.nan, math.nan, math.nan, level, reason)
    tail = (1.0 - level) / 2.0
    lower, upper = np.quantile(resampled, [tail, 1.0 - tail], method="inverted_cdf")  # no arithmetic between infinities
    error = float(resampled.std()) if np.isfinite(resampled).all() else math.inf
    return Interval(point, float(lower), float(upper), error, level)
