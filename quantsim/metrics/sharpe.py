"""Mean return over its deviation, annualised: Sharpe (1994) and Sortino and van der Meer (1991), no risk-free rate.

Per bar, or per day on the values at each day's first bar. Where the deviation is exactly zero, the result is 0 if the
mean is 0 and else ± infinity with the sign of the mean; ``daily_log_sharpe`` stays finite by the small constant in its
denominator, and is nan below three days: one return has no deviation, and what it divided by would be that constant alone.
Without a single return (one bar, one day) all are nan.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax import Array

from quantsim.metrics.sample import DAYS_PER_YEAR, RATIO_BOUND, Least, Metric, Need, Sample, SampleShape
from quantsim.metrics.series import deviation, ratio, root, simple_returns

__all__ = ["METRICS", "daily_log_sharpe", "daily_sharpe", "daily_sortino", "sharpe", "sortino"]

LOG_SHARPE_SOFTENING = 1e-8  # added to the deviation: bounds the metric, and shifts a real one by less than 1e-6 of it


def sharpe(sample: Sample, shape: SampleShape) -> Array:
    """``sqrt(365·B)·mean(r)/std(r)`` of the per-bar returns ``r``."""
    return _sharpe(sample.bars, shape.bars_per_year)


def daily_sharpe(sample: Sample, shape: SampleShape) -> Array:
    """``sqrt(365)·mean(r)/std(r)`` of the daily returns ``r``."""
    return _sharpe(sample.daily_values, DAYS_PER_YEAR)


def daily_log_sharpe(sample: Sample, shape: SampleShape) -> Array:
    """``sqrt(365)·mean(l)/(std(l) + 1e-8)`` of the daily log returns ``l``. The default objective; finite for any deviation."""
    log_returns = jnp.log(sample.daily_values[1:] / sample.daily_values[:-1])
    return math.sqrt(DAYS_PER_YEAR) * jnp.mean(log_returns) / (deviation(log_returns) + LOG_SHARPE_SOFTENING)


def sortino(sample: Sample, shape: SampleShape) -> Array:
    """``sqrt(365·B)·mean(r)/sqrt(mean(min(r, 0)²))`` of the per-bar returns; + infinity if none of them is a loss."""
    return _sortino(sample.bars, shape.bars_per_year)


def daily_sortino(sample: Sample, shape: SampleShape) -> Array:
    """``sqrt(365)·mean(r)/sqrt(mean(min(r, 0)²))`` of the daily returns; + infinity if none of them is a loss."""
    return _sortino(sample.daily_values, DAYS_PER_YEAR)


def _sharpe(values: Array, periods_per_year: float) -> Array:
    returns = simple_returns(values)
    return math.sqrt(periods_per_year) * ratio(jnp.mean(returns), deviation(returns))


def _sortino(values: Array, periods_per_year: float) -> Array:
    returns = simple_returns(values)
    downside = root(jnp.mean(jnp.square(jnp.minimum(returns, 0.0))))
    return math.sqrt(periods_per_year) * ratio(jnp.mean(returns), downside)


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
)  # fmt: skip
