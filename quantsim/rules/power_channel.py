"""Power channel: momentum with a power response to the slope, so that small slopes count less."""

from __future__ import annotations

from collections.abc import Mapping

from quantsim.lazy_jax import Array, jnp
from quantsim.parameters import common
from quantsim.parameters.transforms import sigmoid, squareplus
from quantsim.rules.base import Observed, Output, Rule, RuleSettings, centre
from quantsim.rules.momentum import aggressiveness, slope_of

__all__ = ["RULE", "power_channel_outputs", "scaled_power"]


def power_channel_outputs(params: Mapping[str, Array], observed: Observed, settings: RuleSettings) -> Array:
    """``centre(sign(s) |s / (2α)|^β)``, with ``s`` the proportional slope and ``β`` at least 1.

    Args:
        params: parameters of momentum, ``raw_exponents`` and the pre-exponent scaling; each (n,).
        observed: prices at the chunk boundaries, (K, n).
        settings: settings of the experiment.

    Returns:
        (K, n) weight changes, rows summing to zero.
    """
    exponent = jnp.maximum(squareplus(params["raw_exponents"]), 1.0)
    slope = slope_of(params, observed.prices, settings)
    return centre(scaled_power(slope, exponent, params, settings), aggressiveness(params, settings))


def scaled_power(slope: Array, exponent: Array, params: Mapping[str, Array], settings: RuleSettings) -> Array:
    """``sign(s) |s / (2α)|^β``, (K, n), with a finite gradient everywhere: zero at ``s = 0``.

    Depending on the settings, ``α`` is ``2^raw_pre_exp_scaling``, ``sigmoid(logit_pre_exp_scaling)`` or 0.5.
    """
    if settings.pre_exp_scaling == "log2":
        slope = slope / (2.0 * jnp.exp2(params["raw_pre_exp_scaling"]))
    elif settings.pre_exp_scaling == "logistic":
        slope = slope / (2.0 * sigmoid(params["logit_pre_exp_scaling"]))
    still = slope == 0.0
    magnitude = jnp.where(still, 1.0, jnp.abs(slope))
    return jnp.where(still, 0.0, jnp.sign(slope) * jnp.exp(exponent * jnp.log(magnitude)))


RULE = Rule(
    name="power_channel",
    description="momentum with a power response to the price slope",
    parameters=(
        common.memory_days,
        common.alt_memory_days,
        common.k_per_day,
        common.exponents,
        common.pre_exp_scaling,
        common.bounded_pre_exp_scaling,
    ),
    output=Output.CHANGE,
    outputs=power_channel_outputs,
    sums_to_zero=True,
)
