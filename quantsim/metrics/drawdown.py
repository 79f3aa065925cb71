"""Drawdowns of the value below its start or its running maximum, and ratios of returns to drawdowns.

All except the two ratios are at most zero: -0.2 is a fall by 20 %, and larger is better. The running maximum of a block
starts with the block. Metrics over blocks are nan if there is no complete block. Sources: Young (1991) for calmar, Kestner
(1996) for sterling, Martin and McCann (1989) for ulcer, in the forms of quantammsim.
"""

from __future__ import annotations

from quantsim.lazy_jax import Array
from quantsim.metrics.sample import RATIO_BOUND, Least, Metric, Need, Sample, SampleShape
from quantsim.metrics.series import blocks, drawdowns, period_return, ratio, root

__all__ = [
    "METRICS",
    "calmar",
    "daily_max_drawdown",
    "greatest_draw_down",
    "max_drawdown",
    "sterling",
    "ulcer",
    "weekly_max_drawdown",
]

WEEK_DAYS = 7
MONTH_DAYS = 30
_A_WEEK = Least(blocks=1, block_days=WEEK_DAYS)
_A_MONTH = Least(blocks=1, block_days=MONTH_DAYS)


def greatest_draw_down(sample: Sample, shape: SampleShape) -> Array:
    """``min(V - V[0])/V[0]``: the worst fall below the first value. For falls below the maximum see ``max_drawdown``."""
    return (sample.bars - sample.start_value[..., None]).min(axis=-1) / sample.start_value


def max_drawdown(sample: Sample, shape: SampleShape) -> Array:
    """``min_t(V[t]/max_{s<=t} V[s] - 1)`` over all bars; 0 for a path that never falls."""
    return drawdowns(sample.bars).min(axis=-1)


def daily_max_drawdown(sample: Sample, shape: SampleShape) -> Array:
    """``max_drawdown`` at the first bar of each day; it is never deeper, and only needs daily returns."""
    return drawdowns(sample.daily_values).min(axis=-1)


def weekly_max_drawdown(sample: Sample, shape: SampleShape) -> Array:
    """The worst ``max_drawdown`` of the 7-day blocks."""
    return drawdowns(blocks(sample.bars, shape, WEEK_DAYS)).min(axis=(-2, -1))


def calmar(sample: Sample, shape: SampleShape) -> Array:
    """``((V[-1]/V[0])^y - 1) / -max_drawdown``; without a drawdown, 0 if the return is 0, else + infinity."""
    return ratio(period_return(sample, shape), -max_drawdown(sample, shape))


def sterling(sample: Sample, shape: SampleShape) -> Array:
    """``((V[-1]/V[0])^y - 1)`` over minus the mean of the 30-day blocks' max drawdowns.

    Without a drawdown in any block: 0 if the return is 0, else ± infinity with its sign.
    """
    worst = drawdowns(blocks(sample.bars, shape, MONTH_DAYS)).min(axis=-1)
    return ratio(period_return(sample, shape), -worst.mean(axis=-1))


def ulcer(sample: Sample, shape: SampleShape) -> Array:
    """Minus the mean over the 30-day blocks of ``sqrt(mean(drawdown²))``; 0 if no block ever falls."""
    squares = drawdowns(blocks(sample.bars, shape, MONTH_DAYS)) ** 2
    return -root(squares.mean(axis=-1)).mean(axis=-1)


METRICS = (
    Metric(
        "greatest_draw_down", greatest_draw_down, Need.ENDS | Need.BARS, True, "fraction",
        "Worst fall below the first value.",
        "min(V - V[0])/V[0]",
    ),
    Metric(
        "max_drawdown", max_drawdown, Need.BARS, True, "fraction",
        "Worst fall below the running maximum.",
        "min(V/running max - 1)",
    ),
    Metric(
        "daily_max_drawdown", daily_max_drawdown, Need.DAILY, True, "fraction",
        "Worst fall below the running maximum, at the first bar of each day.",
        "min(V/running max - 1) of daily values",
    ),
    Metric(
        "weekly_max_drawdown", weekly_max_drawdown, Need.BARS, True, "fraction",
        "Worst fall below the running maximum inside any week.",
        "min over 7-day blocks of min(V/running max of the block - 1)",
        _A_WEEK,
    ),
    Metric(
        "calmar", calmar, Need.ENDS | Need.BARS, True, "ratio, annualised",
        "Annual return over the maximum drawdown.",
        "((V[-1]/V[0])^y - 1) / -max_drawdown",
        bound=RATIO_BOUND,
    ),
    Metric(
        "sterling", sterling, Need.ENDS | Need.BARS, True, "ratio, annualised",
        "Annual return over the mean of the months' maximum drawdowns.",
        "((V[-1]/V[0])^y - 1) / -mean of the 30-day blocks' max drawdowns",
        _A_MONTH, RATIO_BOUND,
    ),
    Metric(
        "ulcer", ulcer, Need.BARS, True, "fraction",
        "Ulcer index: root mean square drawdown inside a month, averaged and negated.",
        "-mean over 30-day blocks of sqrt(mean((V/running max of the block - 1)²))",
        _A_MONTH,
    ),
)  # fmt: skip
