"""What the pool lost or won against portfolios that hold its reserves and trade at market prices.

Between two bars such a portfolio earns what the pool's reserves earn, ``R[t-1]·(p[t] - p[t-1])``, and at the bar it trades to
``R[t]`` at market prices. The rest of the pool's result, ``(R[t] - R[t-1])·p[t]``, is what its own trades made of it:
arbitrageurs take, fees give back. Loss versus rebalancing (Milionis et al., arXiv:2208.06046) is the sum of what was taken,
over a benchmark that trades for nothing. In rebalancing versus rebalancing (Willetts and Harrington, arXiv:2410.23404) the
benchmark pays, here ``fees.rebalancing_cost`` per value that changes token.

All are negated, as every metric is to be maximised: the papers' loss is a negative number here, and a positive one means that
the pool did better than its benchmark. The benchmark of arXiv:2410.23404 keeps to the pool's weights and reinvests; this one
follows its reserves, so that loss is a sum over bars and nothing compounds.
"""

from __future__ import annotations

from jax import Array

from quantsim.metrics.sample import Least, Metric, Need, Sample, SampleShape

__all__ = ["METRICS", "lvr", "lvr_per_year", "rvr"]


def lvr(sample: Sample, shape: SampleShape) -> Array:
    """Minus ``(Σ_t R[t-1]·(p[t] - p[t-1]) - (V[-1] - V[0])) / V[0]``, the loss versus rebalancing; 0 for reserves held.

    At most 0 without fees. Fees that stay in the pool count for it.
    """
    loss, _ = sample.rebalancing
    return -loss / sample.start_value


def lvr_per_year(sample: Sample, shape: SampleShape) -> Array:
    """``lvr`` times the number of such samples in a year, by the ``T - 1`` steps between bars; undefined for a single bar."""
    return lvr(sample, shape) * (shape.bars_per_year / (shape.n_bars - 1))


def rvr(sample: Sample, shape: SampleShape) -> Array:
    """``lvr`` plus what following the reserves costs, ``cost · ½ Σ_t Σ_i |R[t,i] - R[t-1,i]| p[t,i] / V[0]``."""
    loss, costs = sample.rebalancing
    return (costs - loss) / sample.start_value


METRICS = (
    Metric(
        "lvr", lvr, Need.ENDS | Need.REBALANCING, True, "fraction",
        "Loss versus rebalancing, negated: what the pool made of its reserves, less what trading them at market prices did.",
        "(V[-1] - V[0] - Σ R[t-1]·(p[t] - p[t-1])) / V[0]",
    ),
    Metric(
        "lvr_per_year", lvr_per_year, Need.ENDS | Need.REBALANCING, True, "fraction per year",
        "Loss versus rebalancing in a year, negated.",
        "lvr·365·B/(T-1)",
        Least(bars=2),
    ),
    Metric(
        "rvr", rvr, Need.ENDS | Need.REBALANCING, True, "fraction",
        "The same over a benchmark that pays fees.rebalancing_cost: positive where the pool is the cheaper way to trade.",
        "lvr + cost·½ Σ|R[t] - R[t-1]|·p[t] / V[0]",
    ),
)  # fmt: skip
