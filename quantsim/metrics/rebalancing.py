"""Gain or loss of the pool against portfolios that hold the same reserves and trade at market prices.

Between two bars such a portfolio earns the same as the pool's reserves, ``R[t-1]·(p[t] - p[t-1])``. At the bar it trades to
``R[t]`` at market prices. The rest of the pool's result, ``(R[t] - R[t-1])·p[t]``, comes from the pool's own trades: losses
to arbitrageurs and income from fees. Loss versus rebalancing (Milionis et al., arXiv:2208.06046) is the sum of these, against
a benchmark that trades without costs. In rebalancing versus rebalancing (Willetts and Harrington, arXiv:2410.23404) the
benchmark pays costs, here ``fees.rebalancing_cost`` per unit of value that changes token.

All are negated, because every metric is maximised: the papers' loss is a negative number here, and a positive number means
that the pool did better than the benchmark. The benchmark of arXiv:2410.23404 keeps the pool's weights and reinvests. This
one follows the pool's reserves, so the loss is a sum over bars and does not compound.
"""

from __future__ import annotations

from quantsim.lazy_jax import Array
from quantsim.metrics.sample import Least, Metric, Need, Sample, SampleShape

__all__ = ["METRICS", "lvr", "lvr_per_year", "rvr"]


def lvr(sample: Sample, shape: SampleShape) -> Array:
    """Minus ``(Σ_t R[t-1]·(p[t] - p[t-1]) - (V[-1] - V[0])) / V[0]``, the loss versus rebalancing; 0 for constant reserves.

    At most 0 without fees. Fees that stay in the pool increase it.
    """
    loss, _ = sample.rebalancing
    return -loss / sample.start_value


def lvr_per_year(sample: Sample, shape: SampleShape) -> Array:
    """``lvr`` times the number of such samples in a year, ``365·B/(T-1)``; undefined for a single bar."""
    return lvr(sample, shape) * (shape.bars_per_year / (shape.n_bars - 1))


def rvr(sample: Sample, shape: SampleShape) -> Array:
    """``lvr`` plus the benchmark's trading costs, ``cost · ½ Σ_t Σ_i |R[t,i] - R[t-1,i]| p[t,i] / V[0]``."""
    loss, costs = sample.rebalancing
    return (costs - loss) / sample.start_value


METRICS = (
    Metric(
        "lvr", lvr, Need.ENDS | Need.REBALANCING, True, "fraction",
        "Loss versus rebalancing, negated: result of the pool minus that of trading its reserves at market prices.",
        "(V[-1] - V[0] - Σ R[t-1]·(p[t] - p[t-1])) / V[0]",
    ),
    Metric(
        "lvr_per_year", lvr_per_year, Need.ENDS | Need.REBALANCING, True, "fraction per year",
        "Loss versus rebalancing per year, negated.",
        "lvr·365·B/(T-1)",
        Least(bars=2),
    ),
    Metric(
        "rvr", rvr, Need.ENDS | Need.REBALANCING, True, "fraction",
        "The same against a benchmark that pays fees.rebalancing_cost: positive if the pool is the cheaper way to trade.",
        "lvr + cost·½ Σ|R[t] - R[t-1]|·p[t] / V[0]",
    ),
)  # fmt: skip
