"""Returns over the sample, plain and annualised, absolute and relative to two holdings without trades.

All of them read only the ends of the sample.
"""

from __future__ import annotations

from quantsim.lazy_jax import Array
from quantsim.metrics.sample import Least, Metric, Need, Sample, SampleShape
from quantsim.metrics.series import annualised

__all__ = [
    "METRICS",
    "annualised_returns",
    "annualised_returns_over_hodl",
    "annualised_returns_over_uniform_hodl",
    "returns",
    "returns_over_hodl",
    "returns_over_uniform_hodl",
]


def returns(sample: Sample, shape: SampleShape) -> Array:
    """``V[-1]/V[0] - 1``."""
    return sample.end_value / sample.start_value - 1.0


def returns_over_hodl(sample: Sample, shape: SampleShape) -> Array:
    """``V[-1] / Σ_i R[0,i] p[-1,i] - 1``: relative to holding the pool's initial reserves."""
    return sample.end_value / sample.hodl_end_value - 1.0


def returns_over_uniform_hodl(sample: Sample, shape: SampleShape) -> Array:
    """``V[-1] / Σ_i (V[0]/n) p[-1,i]/p[0,i] - 1``: relative to holding the same value, split equally over the tokens."""
    return sample.end_value / sample.uniform_hodl_end_value - 1.0


def annualised_returns(sample: Sample, shape: SampleShape) -> Array:
    """``(1 + returns)^(365·B/(T-1)) - 1``; undefined for a single bar."""
    return _per_year(sample.end_value / sample.start_value, shape)


def annualised_returns_over_hodl(sample: Sample, shape: SampleShape) -> Array:
    """``(1 + returns_over_hodl)^(365·B/(T-1)) - 1``; undefined for a single bar."""
    return _per_year(sample.end_value / sample.hodl_end_value, shape)


def annualised_returns_over_uniform_hodl(sample: Sample, shape: SampleShape) -> Array:
    """``(1 + returns_over_uniform_hodl)^(365·B/(T-1)) - 1``; undefined for a single bar."""
    return _per_year(sample.end_value / sample.uniform_hodl_end_value, shape)


def _per_year(growth: Array, shape: SampleShape) -> Array:
    """Annualises a growth factor over the ``T - 1`` steps between the first and the last bar."""
    return annualised(growth, shape.bars_per_year / (shape.n_bars - 1))


METRICS = (
    Metric(
        "returns", returns, Need.ENDS, True, "fraction",
        "Return over the sample.",
        "V[-1]/V[0] - 1",
    ),
    Metric(
        "returns_over_hodl", returns_over_hodl, Need.ENDS, True, "fraction",
        "Return relative to holding the pool's initial reserves.",
        "V[-1] / Σ R[0] p[-1] - 1",
    ),
    Metric(
        "returns_over_uniform_hodl", returns_over_uniform_hodl, Need.ENDS, True, "fraction",
        "Return relative to holding equal values of each token from the start.",
        "V[-1] / Σ (V[0]/n) p[-1]/p[0] - 1",
    ),
    Metric(
        "annualised_returns", annualised_returns, Need.ENDS, True, "fraction per year",
        "Return compounded to a year.",
        "(1 + returns)^(365·B/(T-1)) - 1",
        Least(bars=2),
    ),
    Metric(
        "annualised_returns_over_hodl", annualised_returns_over_hodl, Need.ENDS, True, "fraction per year",
        "Return relative to holding the initial reserves, compounded to a year.",
        "(1 + returns_over_hodl)^(365·B/(T-1)) - 1",
        Least(bars=2),
    ),
    Metric(
        "annualised_returns_over_uniform_hodl", annualised_returns_over_uniform_hodl, Need.ENDS, True,
        "fraction per year",
        "Return relative to holding equal values of each token, compounded to a year.",
        "(1 + returns_over_uniform_hodl)^(365·B/(T-1)) - 1",
        Least(bars=2),
    ),
)  # fmt: skip
