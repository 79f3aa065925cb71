"""Value at risk: a low percentile of returns. Larger (less negative) is better.

There are two forms per block length and confidence. The plain form is the mean over blocks of the percentile of the per-bar
returns inside each block, so it is the risk of one bar; returns across block boundaries do not count. The ``_trad`` form is
the percentile of the returns between the last values of successive blocks, so it is the risk of a day or a week. Percentiles
interpolate linearly between order statistics (numpy's default).

A percentile is piecewise differentiable: its gradient depends on the one or two returns next to it. In the plain form these
are one or two returns of every block, which is enough for training. In the ``_trad`` form they are one or two returns of the
whole sample, so it is registered as not differentiable, although its gradient is finite.
"""

from __future__ import annotations

import functools

from quantsim.lazy_jax import Array
from quantsim.metrics.sample import Least, Metric, Need, Sample, SampleShape
from quantsim.metrics.series import blocks, percentile, simple_returns

__all__ = ["METRICS", "between_blocks", "inside_blocks", "value_at_risk", "value_at_risk_trad"]


def value_at_risk(sample: Sample, shape: SampleShape, *, block_days: int, percent: float) -> Array:
    """Mean over blocks of the ``percent``-th percentile of the per-bar returns inside the block.

    Undefined without a complete block, or if a block is a single bar and has no returns.
    """
    returns = simple_returns(blocks(sample.bars, shape, block_days))
    return percentile(returns, percent).mean(axis=-1)


def value_at_risk_trad(sample: Sample, shape: SampleShape, *, block_days: int, percent: float) -> Array:
    """``percent``-th percentile of the returns between last values of successive blocks; undefined below two blocks."""
    returns = simple_returns(blocks(sample.bars, shape, block_days)[..., -1])
    return percentile(returns, percent)


def inside_blocks(block_days: int) -> Least:
    """Returns the smallest sample of :func:`value_at_risk`: a complete block with a return inside."""
    return Least(blocks=1, block_days=block_days, block_bars=2)


def between_blocks(block_days: int) -> Least:
    """Returns the smallest sample of :func:`value_at_risk_trad`: two complete blocks."""
    return Least(blocks=2, block_days=block_days)


def _entries(label: str, block: str, block_days: int, confidence: int) -> tuple[Metric, Metric]:
    percent = 100 - confidence
    ordinal = {5: "5th", 1: "1st"}[percent]
    name = f"{label}_var_{confidence}%"
    return (
        Metric(
            name,
            functools.partial(value_at_risk, block_days=block_days, percent=percent),
            Need.BARS,
            True,
            "fraction per bar",
            f"Value at risk of a bar's return, {confidence} % confidence: mean over {block}s.",
            f"mean over {block_days}-day blocks of the {ordinal} percentile of per-bar returns inside the block",
            inside_blocks(block_days),
        ),
        Metric(
            f"{name}_trad",
            functools.partial(value_at_risk_trad, block_days=block_days, percent=percent),
            Need.BARS,
            False,
            f"fraction per {block}",
            f"Value at risk of a {block}'s return, {confidence} % confidence.",
            f"{ordinal} percentile of returns between the last values of {block_days}-day blocks",
            between_blocks(block_days),
        ),
    )


METRICS = (
    *_entries("daily", "day", 1, 95),
    *_entries("daily", "day", 1, 99),
    *_entries("weekly", "week", 7, 95),
    *_entries("weekly", "week", 7, 99),
)
