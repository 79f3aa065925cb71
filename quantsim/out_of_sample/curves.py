"""Out-of-sample curves of daily values, and their differences, with bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantsim.array_types import FloatArray
from quantsim.metrics.sample import DAYS_PER_YEAR
from quantsim.statistics import Interval, interval, paired_interval, sharpe

__all__ = [
    "Curve",
    "Difference",
    "Resampling",
    "annual_growth",
    "annual_sharpe",
    "curve_of",
    "difference",
    "joined",
    "yearly",
]


def annual_growth(returns: ArrayLike) -> FloatArray:
    """Returns the mean daily log return times 365, (..., T) to (...); nan without returns."""
    days = np.asarray(returns, dtype=np.float64)
    if not days.shape[-1]:
        return np.full(days.shape[:-1], np.nan)
    return np.asarray(DAYS_PER_YEAR * days.mean(axis=-1))


def annual_sharpe(returns: ArrayLike) -> FloatArray:
    """Returns the Sharpe ratio of daily log returns times ``sqrt(365)``, (..., T) to (...); nan if they do not vary."""
    return math.sqrt(DAYS_PER_YEAR) * sharpe(returns)


def yearly(log_growth: float) -> float:
    """Returns a log growth a year as a compound return, a fraction; infinite if it is too large for a float."""
    return math.expm1(log_growth) if log_growth < 700.0 else math.inf


@dataclass(frozen=True)
class Resampling:
    """Settings of the bootstrap; see :func:`quantsim.statistics.interval`.

    Attributes:
        level: nominal coverage of the intervals.
        n_resamples: number of resamples.
        seed: seed of the resamples.
    """

    level: float = 0.9
    n_resamples: int = 1000
    seed: int = 0

    def of(self, statistic: Callable[[FloatArray], FloatArray], *series: FloatArray) -> Interval:
        """Returns the interval of a statistic of one series, or of the difference between those of two on the same days."""
        function: Any = interval if len(series) == 1 else paired_interval
        found: Interval = function(statistic, *series, level=self.level, n_resamples=self.n_resamples, seed=self.seed)
        return found


@dataclass(frozen=True, eq=False)
class Curve:
    """The daily value of a pool over the ``D`` days of a span.

    Attributes:
        name: name of the pool.
        times: (D,) first bar of each day, ``datetime64[s]``, UTC.
        values: (D,) value relative to the first day.
        days: (R,) indices of the days that have a return: to the next day of the same pool.
        daily_log_returns: (R,) their log returns.
        growth: log growth per year.
        sharpe: annualised Sharpe ratio of the daily log returns.
    """

    name: str
    times: NDArray[np.datetime64]
    values: FloatArray
    days: NDArray[np.int64]
    daily_log_returns: FloatArray
    growth: Interval
    sharpe: Interval


@dataclass(frozen=True)
class Difference:
    """The difference between a curve and a benchmark on the same days; both are resampled together.

    Attributes:
        excess: log growth per year minus that of the benchmark.
        information_ratio: annualised Sharpe ratio of the difference of daily log returns.
        sharpe: annualised Sharpe ratio minus that of the benchmark.
    """

    excess: Interval
    information_ratio: Interval
    sharpe: Interval


def curve_of(name: str, times: NDArray[np.datetime64], daily_log_returns: FloatArray, resampling: Resampling) -> Curve:
    """Returns the curve of a pool that runs through all days.

    Args:
        name: name of the pool.
        times: (D,) first bar of each day.
        daily_log_returns: (D-1,).
        resampling: settings of the bootstrap.
    """
    return joined(name, times, [(0, daily_log_returns)], resampling)


def joined(
    name: str, times: NDArray[np.datetime64], pieces: Sequence[tuple[int, FloatArray]], resampling: Resampling
) -> Curve:
    """Returns the curve of pools that follow one another; its value does not change between two pools.

    Args:
        name: name of the curve.
        times: (D,) first bar of each day.
        pieces: first day and daily log returns of each pool, in order.
        resampling: settings of the bootstrap.
    """
    days = np.concatenate([first + np.arange(returns.size) for first, returns in pieces])
    returns = np.concatenate([returns for _, returns in pieces])
    log_values = np.zeros(times.size)
    np.add.at(log_values, days + 1, returns)
    growth, ratio = resampling.of(annual_growth, returns), resampling.of(annual_sharpe, returns)
    return Curve(name, times, np.exp(np.cumsum(log_values)), days, returns, growth, ratio)


def difference(curve: Curve, benchmark: Curve, resampling: Resampling) -> Difference:
    """Returns the difference to a benchmark, on the days that both have."""
    _, own, other = np.intersect1d(curve.days, benchmark.days, assume_unique=True, return_indices=True)
    returns, base = curve.daily_log_returns[own], benchmark.daily_log_returns[other]
    return Difference(
        excess=resampling.of(annual_growth, returns - base),
        information_ratio=resampling.of(annual_sharpe, returns - base),
        sharpe=resampling.of(annual_sharpe, returns, base),
    )
