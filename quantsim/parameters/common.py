"""Parameter specs that several pools or rules share."""

from __future__ import annotations

from quantsim.parameters.spec import ALT_MEMORY_DAYS, LOG2, LOGISTIC, MEMORY_DAYS, SIMPLEX, SQUAREPLUS, ParameterSpec

__all__ = [
    "alt_memory_days",
    "amplitude_per_day",
    "bounded_pre_exp_scaling",
    "exponents",
    "initial_weights",
    "k_per_day",
    "maximum_weights",
    "memory_days",
    "minimum_weights",
    "pre_exp_scaling",
    "swap_fee",
    "width",
]

initial_weights = ParameterSpec(
    raw_name="initial_weights_logits",
    human_name="initial_weights",
    unit="",
    description="weights the pool starts with, one per token, summing to 1",
    transform=SIMPLEX,
    default=None,
    low=0.0,
    high=1.0,
    trainable=False,
    searchable=False,
)
"""Weights at the start, one per token."""

memory_days = ParameterSpec(
    raw_name="logit_lamb",
    human_name="memory_days",
    unit="days",
    description="effective memory of the estimator's moving average",
    transform=MEMORY_DAYS,
    default=10.0,
    low=1.0,
    high=200.0,
    log=True,
)
"""Memory of an estimator, in days."""

alt_memory_days = ParameterSpec(
    raw_name="logit_delta_lamb",
    human_name="alt_memory_days",
    unit="days",
    description="memory of the second moving average, the divisor of the slope (with update.use_alt_lamb)",
    transform=ALT_MEMORY_DAYS,
    default=10.0,
    low=1.0,
    high=200.0,
    log=True,
    setting=("use_alt_lamb", True),
)
"""Memory of the divisor of a slope, in days."""

k_per_day = ParameterSpec(
    raw_name="log_k",
    human_name="k_per_day",
    unit="per day",
    description="aggressiveness: weight change per unit of signal, for each day of memory",
    transform=LOG2,
    default=20.0,
    low=0.1,
    high=1000.0,
    log=True,
)
"""Aggressiveness, per day of memory."""

exponents = ParameterSpec(
    raw_name="raw_exponents",
    human_name="exponents",
    unit="",
    description="power of the response to the price slope",
    transform=SQUAREPLUS,
    default=1.5,
    low=1.0,
    high=5.0,
)
"""Power of the response to a slope."""

pre_exp_scaling = ParameterSpec(
    raw_name="raw_pre_exp_scaling",
    human_name="pre_exp_scaling",
    unit="per chunk",
    description="scale of the slope: a slope of this size counts as 0.5 in the power",
    transform=LOG2,
    default=0.5,
    low=0.01,
    high=2.0,
    log=True,
    setting=("pre_exp_scaling", "log2"),
)
"""Scale of a slope before the power."""

bounded_pre_exp_scaling = ParameterSpec(
    raw_name="logit_pre_exp_scaling",
    human_name="bounded_pre_exp_scaling",
    unit="per chunk",
    description="the same, limited to below 1 (with update.pre_exp_scaling = 'logistic')",
    transform=LOGISTIC,
    default=0.5,
    low=0.01,
    high=0.99,
    setting=("pre_exp_scaling", "logistic"),
)
"""Scale of a slope before the power, below 1."""

width = ParameterSpec(
    raw_name="raw_width",
    human_name="width",
    unit="per chunk",
    description="half width of the channel: slopes inside are expected to revert, slopes outside to continue",
    transform=LOG2,
    default=0.01,
    low=0.001,
    high=0.2,
    log=True,
)
"""Half width of a channel of slopes."""

amplitude_per_day = ParameterSpec(
    raw_name="log_amplitude",
    human_name="amplitude_per_day",
    unit="per day",
    description="strength of the reversion inside the channel, for each day of memory",
    transform=LOG2,
    default=0.5,
    low=0.01,
    high=10.0,
    log=True,
)
"""Strength of the reversion inside a channel."""

swap_fee = ParameterSpec(
    raw_name="logit_swap_fee",
    human_name="swap_fee",
    unit="share",
    description="swap fee, as a parameter",
    transform=LOGISTIC,
    default=None,
    low=1e-4,
    high=0.03,
    log=True,
    opt_in=True,
)
"""The swap fee."""

minimum_weights = ParameterSpec(
    raw_name="logit_minimum_weights",
    human_name="minimum_weights",
    unit="",
    description="lower bounds of the weights, as parameters",
    transform=LOGISTIC,
    default=None,
    low=0.02,
    high=0.3,
    opt_in=True,
)
"""Lower bounds of the weights."""

maximum_weights = ParameterSpec(
    raw_name="logit_maximum_weights",
    human_name="maximum_weights",
    unit="",
    description="upper bounds of the weights, as parameters",
    transform=LOGISTIC,
    default=None,
    low=0.5,
    high=0.98,
    opt_in=True,
)
"""Upper bounds of the weights."""
