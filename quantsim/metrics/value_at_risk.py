"""Value at risk: the return that only the worst few percent fall below. The larger (less negative), the better.

Two forms per block length and confidence. The plain one takes the percentile of the per-bar returns inside each block
and averages over blocks, so it speaks of one bar's return; returns across block boundaries are left out. The ``_trad``
one takes the percentile of the returns between the blocks' last values, so it speaks of a day's or a week's return.
Percentiles interpolate linearly between the neighbouring order statistics (numpy's default).

A percentile is piecewise differentiable: its gradient reaches the one or two returns beside it. In the plain form these
are one or two of every block, and the average is fit to be followed. In the ``_trad`` form they are one or two of the
whole sample, so it is registered as not differentiable, though its gradient is finite.
"""

from __future__ import annotations

import functools

import jax.numpy as jnp
from jax import Array

from quantsim.metrics.sample import Least, Metric, Need, Sample, SampleShape
from quantsim.metrics.series import blocks, simple_returns

__all__ = ["METRICS", "between_blocks", "inside_blocks", "value_at_risk", "value_at_risk_trad"]


def value_at_risk(sample: Sample, shape: SampleShape, *, block_days: int, percent: float) -> Array:
    """Mean over the blocks of the ``percent``-th percentile of the per-bar returns inside the block.

    Undefined without a complete block, or where a block is a single bar and so has no return inside.
    """
    returns = simple_returns(blocks(sample.bars, shape, block_days))
    return jnp.mean(jnp.percentile(returns, percent, axis=1))


def value_at_risk_trad(sample: Sample, shape: SampleShape, *, block_days: int, percent: float) -> Array:
    """``percent``-th percentile of the returns between the last values of successive blocks; undefined below two blocks."""
    returns = simple_returns(blocks(sample.bars, shape, block_days)[:, -1])
    return jnp.percentile(returns, percent)


def inside_blocks(block_days: int) -> Least:
    """What :func:`value_at_risk` needs: a complete block, and a return inside it."""
    return Least(blocks=1, block_days=block_days, block_bars=2)


def between_blocks(block_days: int) -> Least:
    """What :func:`value_at_risk_trad` needs: a return between two blocks."""
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
            f"Value at risk of one bar's return, {confidence} % confidence, averaged over each {block}.",
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
