"""Checks of the arguments of statistics."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantsim.array_types import FloatArray
from quantsim.errors import StatisticsError

__all__ = ["LEAST_DAYS", "FloatArray", "checked_days", "checked_level", "checked_trials", "finite_trials", "varies"]


LEAST_DAYS = 10
"""Fewest daily returns that a statistic is computed of. Ten days tell nothing, but the formulas are defined."""

_ROUNDING = 1e-12  # a deviation below this share of the values is their rounding


def checked_days(returns: ArrayLike) -> FloatArray:
    """Returns daily returns as a float64 array, (T,) or (T, N).

    Raises:
        StatisticsError: there are other dimensions, fewer than :data:`LEAST_DAYS` days, no column, or a value is not finite.
    """
    days = np.asarray(returns, dtype=np.float64)
    if days.ndim not in (1, 2) or (days.ndim == 2 and days.shape[1] == 0):
        raise StatisticsError(
            f"returns have shape {days.shape}: pass (days,) or (days, trials), with at least one trial"
        )
    if len(days) < LEAST_DAYS:
        raise StatisticsError(
            f"{len(days)} daily returns are too few, at least {LEAST_DAYS} are needed: take a longer period"
        )
    bad = np.flatnonzero(~finite_trials(days))
    if len(bad):
        trials = ", ".join(str(index) for index in bad[:5]) + (", …" if len(bad) > 5 else "")
        raise StatisticsError(
            f"returns of trials {trials} ({len(bad)} in all) are not finite, as after a total loss: leave them out with "
            "finite_trials, and report how many"
        )
    return days


def checked_trials(excess: ArrayLike) -> FloatArray:
    """Returns :func:`checked_days` of a matrix, (T, N); a series becomes one trial, (T, 1)."""
    days = checked_days(excess)
    return days.reshape(len(days), -1)


def checked_level(level: float) -> float:
    """Returns a probability strictly between 0 and 1.

    Raises:
        StatisticsError: it is not.
    """
    if not 0.0 < level < 1.0:
        raise StatisticsError(f"level = {level} must be between 0 and 1, such as 0.9")
    return float(level)


def finite_trials(returns: ArrayLike) -> NDArray[np.bool_]:
    """Returns which columns of (T, N) returns are finite on all days, (N,); of a series (T,), one value, (1,)."""
    days = np.asarray(returns, dtype=np.float64)
    return np.asarray(np.isfinite(days.reshape(len(days), -1)).all(axis=0), dtype=bool)


def varies(deviation: FloatArray, mean: FloatArray) -> NDArray[np.bool_]:
    """Returns where a standard deviation is more than the rounding of values with this mean; the shape is that of both."""
    return np.asarray(deviation > _ROUNDING * np.abs(mean) + np.finfo(np.float64).tiny, dtype=bool)
