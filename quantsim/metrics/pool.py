"""Metrics of the pool's activity: fees earned and weight moved."""

from __future__ import annotations

from quantsim.lazy_jax import Array
from quantsim.metrics.sample import Metric, Need, Sample, SampleShape

__all__ = ["METRICS", "fee_revenue_over_value", "turnover"]


def fee_revenue_over_value(sample: Sample, shape: SampleShape) -> Array:
    """Value of the fees that the pool kept over the sample, divided by ``V[0]``; 0 without fees."""
    return sample.fee_revenue / sample.start_value


def turnover(sample: Sample, shape: SampleShape) -> Array:
    """Minus ``½ Σ_t Σ_i |w[t,i] - w[t-1,i]| / D``: the share of the pool that changes token per day on average, negated.

    At most 0; 0 for constant weights. Negated because less is better and every metric is maximised.
    """
    return -sample.weight_change / shape.days


METRICS = (
    Metric(
        "fee_revenue_over_value", fee_revenue_over_value, Need.ENDS | Need.FEES, True, "fraction",
        "Fees kept by the pool over the sample, as a share of its first value.",
        "fee revenue / V[0]",
    ),
    Metric(
        "turnover", turnover, Need.TURNOVER, True, "fraction per day",
        "Weight moved per day on average, negated: less is better.",
        "-½ Σ|Δw| / D",
        cost=True,
    ),
)  # fmt: skip
