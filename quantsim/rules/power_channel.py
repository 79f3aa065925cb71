"""Power channel: momentum whose response to the slope is a power, so that small slopes count less."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
from jax import Array

from quantsim.parameters import common
from quantsim.parameters.transforms import squareplus
from quantsim.rules.base import Output, Rule, RuleSettings, centre
from quantsim.rules.momentum import aggressiveness, slope_of

__all__ = ["RULE", "power_channel_outputs", "signed_power"]


def signed_power(x: Array, exponent: Array) -> Array:
    """``sign(x) |x|^β``, with a finite gradient everywhere: zero at ``x = 0``; shapes broadcast."""
    still = x == 0.0
    magnitude = jnp.where(still, 1.0, jnp.abs(x))
    return jnp.where(still, 0.0, jnp.sign(x) * jnp.exp(exponent * jnp.log(magnitude)))


def power_channel_outputs(params: Mapping[str, Array], prices: Array, settings: RuleSettings) -> Array:
    """``centre(sign(s) |s / (2α)|^β)``, with ``s`` the proportional slope and ``β`` at least 1.

    Args:
        params: those of momentum, ``raw_exponents`` and ``raw_pre_exp_scaling``; each (n,).
        prices: (K, n) chunk-boundary prices.
        settings: of the experiment.

    Returns:
        (K, n) weight changes, rows summing to zero.
    """
    exponent = jnp.maximum(squareplus(params["raw_exponents"]), 1.0)
    scaled = slope_of(params, prices, settings) / (2.0 * jnp.exp2(params["raw_pre_exp_scaling"]))
    return centre(signed_power(scaled, exponent), aggressiveness(params, settings))


RULE = Rule(
    name="power_channel",
    description="momentum with a power response to the price slope",
    parameters=(
        common.initial_weights,
        common.memory_days,
        common.alt_memory_days,
        common.k_per_day,
        common.exponents,
        common.pre_exp_scaling,
    ),
    output=Output.CHANGE,
    outputs=power_channel_outputs,
)
