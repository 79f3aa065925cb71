"""Annualised volatility, and ratios of return to it: Sharpe (1994), Sortino and van der Meer (1991). The risk-free rate is 0.

Returns are per bar, or per day, from the value at the first bar of each day. If the deviation is exactly zero, the result is
0 if the mean is 0, else ± infinity with the sign of the mean. ``daily_log_sharpe`` and ``information_ratio`` have a small
constant in their denominators, so they are always finite; they are nan below three days, because a single return has no
deviation. Without returns all are nan.
"""

from __future__ import annotations

import math

from quantsim.lazy_jax import Array
from quantsim.metrics.sample import DAYS_PER_YEAR, RATIO_BOUND, Least, Metric, Need, Sample, SampleShape
from quantsim.metrics.series import daily_log_returns, deviation, log_returns, namespace, ratio, root, simple_returns

__all__ = [
    "METRICS",
    "annualised_volatility",
    "daily_log_sharpe",
    "daily_sharpe",
    "daily_sortino",
    "information_ratio",
    "sharpe",
    "sortino",
]

LOG_SHARPE_SOFTENING = 1e-8  # added to the deviation: bounds the metric; changes it by less than 1e-6 in practice


def sharpe(sample: Sample, shape: SampleShape) -> Array:
    """``sqrt(365·B)·mean(r)/std(r)`` of the per-bar returns ``r``."""
    return _sharpe(sample.bars, shape.bars_per_year)


def daily_sharpe(sample: Sample, shape: SampleShape) -> Array:
    """``sqrt(365)·mean(r)/std(r)`` of the daily returns ``r``."""
    return _sharpe(sample.daily_values, DAYS_PER_YEAR)


def daily_log_sharpe(sample: Sample, shape: SampleShape) -> Array:
    """``sqrt(365)·mean(l)/(std(l) + 1e-8)`` of the daily log returns ``l``. The default objective; finite for any deviation."""
    return _log_sharpe(daily_log_returns(sample))


def information_ratio(sample: Sample, shape: SampleShape) -> Array:
    """``sqrt(365)·mean(d)/(std(d) + 1e-8)`` of ``d``, daily log returns minus those of constant weights with the same costs.

    The benchmark starts with the window. A positive ratio is what moving the weights adds.
    """
    return _log_sharpe(daily_log_returns(sample) - log_returns(sample.benchmark))


def sortino(sample: Sample, shape: SampleShape) -> Array:
    """``sqrt(365·B)·mean(r)/sqrt(mean(min(r, 0)²))`` of the per-bar returns ``r``; + infinity without a loss."""
    return _sortino(sample.bars, shape.bars_per_year)


def daily_sortino(sample: Sample, shape: SampleShape) -> Array:
    """``sqrt(365)·mean(r)/sqrt(mean(min(r, 0)²))`` of the daily returns ``r``; + infinity without a loss."""
    return _sortino(sample.daily_values, DAYS_PER_YEAR)


def annualised_volatility(sample: Sample, shape: SampleShape) -> Array:
    """``-sqrt(365)·std(r)`` of the daily returns ``r``: negated, so that less is better."""
    return -math.sqrt(DAYS_PER_YEAR) * deviation(simple_returns(sample.daily_values))


def _log_sharpe(returns: Array) -> Array:
    return math.sqrt(DAYS_PER_YEAR) * returns.mean(axis=-1) / (deviation(returns) + LOG_SHARPE_SOFTENING)


def _sharpe(values: Array, periods_per_year: float) -> Array:
    returns = simple_returns(values)
    return math.sqrt(periods_per_year) * ratio(returns.mean(axis=-1), deviation(returns))


def _sortino(values: Array, periods_per_year: float) -> Array:
    returns = simple_returns(values)
    xp = namespace(returns)
    downside = root(xp.square(xp.minimum(returns, 0.0)).mean(axis=-1))
    return math.sqrt(periods_per_year) * ratio(returns.mean(axis=-1), downside)


METRICS = (
    Metric(
        "sharpe", sharpe, Need.BARS, True, "ratio, annualised",
        "Sharpe ratio of the per-bar returns.",
        "sqrt(365·B)·mean/std of per-bar returns",
        Least(bars=2), RATIO_BOUND,
    ),
    Metric(
        "daily_sharpe", daily_sharpe, Need.DAILY, True, "ratio, annualised",
        "Sharpe ratio of the daily returns.",
        "sqrt(365)·mean/std of daily returns",
        Least(daily_values=2), RATIO_BOUND,
    ),
    Metric(
        "daily_log_sharpe", daily_log_sharpe, Need.DAILY, True, "ratio, annualised",
        "Sharpe ratio of the daily log returns; the default objective.",
        "sqrt(365)·mean/(std + 1e-8) of daily log returns",
        Least(daily_values=3), RATIO_BOUND,
    ),
    Metric(
        "information_ratio", information_ratio, Need.DAILY | Need.BENCHMARK, True, "ratio, annualised",
        "Sharpe ratio of the daily log returns above those of the same pool with constant weights and the same costs.",
        "sqrt(365)·mean/(std + 1e-8) of daily log returns minus those of constant weights",
        Least(daily_values=3), RATIO_BOUND,
    ),
    Metric(
        "sortino", sortino, Need.BARS, True, "ratio, annualised",
        "Sortino ratio of the per-bar returns: only losses count as risk.",
        "sqrt(365·B)·mean/sqrt(mean(min(r, 0)²)) of per-bar returns r",
        Least(bars=2), RATIO_BOUND,
    ),
    Metric(
        "daily_sortino", daily_sortino, Need.DAILY, True, "ratio, annualised",
        "Sortino ratio of the daily returns: only losses count as risk.",
        "sqrt(365)·mean/sqrt(mean(min(r, 0)²)) of daily returns r",
        Least(daily_values=2), RATIO_BOUND,
    ),
    Metric(
        "annualised_volatility", annualised_volatility, Need.DAILY, True, "fraction, annualised",
        "Standard deviation of the daily returns, negated: less is better.",
        "-sqrt(365)·std of daily returns",
        Least(daily_values=2), cost=True,
    ),
)  # fmt: skip
