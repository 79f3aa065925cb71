"""Sharpe ratios per day, and the probability that a ratio is above that of the best of many trials without skill.

Source: Bailey and López de Prado, "The Sharpe ratio efficient frontier", Journal of Risk 15 (2012), and "The deflated Sharpe
ratio", Journal of Portfolio Management 40 (2014).
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from quantsim.errors import StatisticsError
from quantsim.statistics.arrays import LEAST_DAYS, FloatArray, varies

__all__ = [
    "deflated_sharpe",
    "expected_best",
    "expected_maximum",
    "probabilistic_sharpe",
    "probability_above",
    "sharpe",
]

# scipy.special has both, and takes longer to import than all statistics of a search to compute.
_normal_quantile = NormalDist().inv_cdf
_normal_probability = np.vectorize(lambda x: 0.5 * math.erfc(-x / math.sqrt(2.0)), otypes=[np.float64])


def sharpe(returns: ArrayLike) -> FloatArray:
    """Returns mean over standard deviation (``ddof = 0``) per day, (..., T) to (...); times ``sqrt(365)`` it is annual.

    It is nan where returns do not vary or are not finite, and without returns.
    """
    days = np.asarray(returns, dtype=np.float64)
    if days.shape[-1] == 0:
        return np.full(days.shape[:-1], np.nan)
    with np.errstate(all="ignore"):
        mean, deviation = days.mean(axis=-1), days.std(axis=-1)
        return np.where(varies(deviation, mean), mean / deviation, np.nan)


def probability_above(
    ratio: ArrayLike, benchmark: ArrayLike, n_days: int, skew: ArrayLike = 0.0, kurtosis: ArrayLike = 3.0
) -> FloatArray:
    """Returns the probability that the true ratio is above ``benchmark``, from the estimated one.

    ``Φ((SR - SR*)·sqrt(T - 1) / sqrt(1 - skew·SR + (kurtosis - 1)/4·SR²))``

    Args:
        ratio: estimated ratio per day, ``SR``.
        benchmark: ratio per day to be above, ``SR*``.
        n_days: number of returns, ``T``.
        skew: skewness of the returns.
        kurtosis: kurtosis of the returns, 3 for normal ones (not in excess).
    """
    sr, least, g3, g4 = (np.asarray(value, dtype=np.float64) for value in (ratio, benchmark, skew, kurtosis))
    with np.errstate(all="ignore"):
        variance = 1.0 - g3 * sr + (g4 - 1.0) / 4.0 * np.square(sr)
        return np.asarray(_normal_probability((sr - least) * math.sqrt(n_days - 1.0) / np.sqrt(variance)))


def probabilistic_sharpe(returns: ArrayLike, benchmark: ArrayLike = 0.0) -> FloatArray:
    """Returns the probability that the true Sharpe ratio is above ``benchmark``, (..., T) to (...).

    :func:`probability_above` with skewness and kurtosis of the returns. It is nan where :func:`sharpe` is, and for fewer than
    :data:`~quantsim.statistics.LEAST_DAYS` returns.

    Args:
        returns: (..., T), daily.
        benchmark: ratio per day to be above.
    """
    days = np.asarray(returns, dtype=np.float64)
    n_days = days.shape[-1]
    if n_days < LEAST_DAYS:
        return np.full(days.shape[:-1], np.nan)
    with np.errstate(all="ignore"):
        scores = (days - days.mean(axis=-1, keepdims=True)) / days.std(axis=-1, keepdims=True)
        skew, kurtosis = np.power(scores, 3).mean(axis=-1), np.power(scores, 4).mean(axis=-1)
    return probability_above(sharpe(days), benchmark, n_days, skew, kurtosis)


def expected_maximum(n_trials: float) -> float:
    """Returns about the expected largest of ``n_trials`` independent standard normal numbers.

    ``(1 - γ)·Φ⁻¹(1 - 1/N) + γ·Φ⁻¹(1 - 1/(N·e))``, ``γ = 0.5772…``. It is 0 for one trial, nan for nan.

    Args:
        n_trials: number of trials, ``N``; may be an effective number.

    Raises:
        StatisticsError: it is below 1.
    """
    if n_trials < 1.0:
        raise StatisticsError(f"n_trials = {n_trials} must be at least 1")
    if n_trials == 1.0 or math.isnan(n_trials):
        return 0.0 * n_trials
    quantiles = [_normal_quantile(1.0 - share / n_trials) for share in (1.0, math.exp(-1.0))]
    # The approximation falls below 0 for fewer than 1.4 trials; one trial that nobody chose has an expectation of 0.
    return max(0.0, float((1.0 - np.euler_gamma) * quantiles[0] + np.euler_gamma * quantiles[1]))


def expected_best(n_trials: float, n_days: int) -> float:
    """Returns the expected Sharpe ratio, per day, of the best of ``n_trials`` trials without skill.

    ``expected_maximum(n_trials)·σ`` with ``σ = 1/sqrt(T - 1)``, the deviation of a ratio without skill over ``T`` days.
    The paper takes the deviation across the trials, which is mostly the spread of trading losses here.

    Args:
        n_trials: number of independent trials, such as :func:`~quantsim.statistics.independent_trials`.
        n_days: number of returns, ``T``.

    Raises:
        StatisticsError: there is less than 1 trial, or fewer than 2 days.
    """
    if n_days < 2:
        raise StatisticsError(f"n_days = {n_days} must be at least 2")
    return expected_maximum(n_trials) / math.sqrt(n_days - 1.0)


def deflated_sharpe(excess: ArrayLike, n_trials: float) -> float:
    """Returns the probability that the true ratio of the best trial is above the expected best of noise.

    ``probabilistic_sharpe(excess, expected_best(n_trials, T))``. Where no trial has skill, fewer than 5 % of studies are called
    significant (``docs/statistics.md``).

    Args:
        excess: (T,) daily log returns of the best trial minus those of the benchmark.
        n_trials: number of trials that it was chosen from, as :func:`~quantsim.statistics.independent_trials` counts them.

    Returns:
        The probability; nan if the excess does not vary or is not finite, if there are fewer than
        :data:`~quantsim.statistics.LEAST_DAYS` days, or for a number of trials that is nan.

    Raises:
        StatisticsError: the excess is no series, or there is less than 1 trial.
    """
    days = np.asarray(excess, dtype=np.float64)
    if days.ndim != 1:
        raise StatisticsError(f"excess has shape {days.shape}: pass that of one trial, (days,)")
    if len(days) < LEAST_DAYS:
        return math.nan
    return float(probabilistic_sharpe(days, expected_best(n_trials, len(days))))
