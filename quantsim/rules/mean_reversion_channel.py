"""Mean-reversion channel: small slopes are expected to revert, large ones to continue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from quantsim.estimators import capped_memory_days
from quantsim.lazy_jax import Array, jnp
from quantsim.parameters import common
from quantsim.parameters.transforms import squareplus
from quantsim.rules.base import Observed, Output, Rule, RuleSettings, centre
from quantsim.rules.momentum import aggressiveness, slope_of
from quantsim.rules.power_channel import scaled_power

__all__ = ["RULE", "exponents", "mean_reversion_channel_outputs", "reversion"]

exponents = replace(common.exponents, low=0.5)
"""Exponents below 1 are allowed, unlike in the power channel, because the channel handles small slopes."""

_PEAK = 0.5415  # approximate peak of the cubic times the envelope; the published scale of the amplitude


def mean_reversion_channel_outputs(params: Mapping[str, Array], observed: Observed, settings: RuleSettings) -> Array:
    """``centre(-A E (z - z³/6) / 0.5415 + (1-E) sign(s) |s / (2α)|^β)``, ``E = exp(-s²/(2W²))``, ``z = π s / (3W)``.

    ``W = 2^raw_width`` is the width of the channel, ``A = 2^log_amplitude · memory_days``.

    Args:
        params: parameters of the power channel, ``raw_width`` and ``log_amplitude``; each (n,).
        observed: prices at the chunk boundaries, (K, n).
        settings: settings of the experiment.

    Returns:
        (K, n) weight changes, rows summing to zero.
    """
    slope = slope_of(params, observed.prices, settings)
    inside = jnp.exp(-0.5 * (slope * jnp.exp2(-params["raw_width"])) ** 2)
    trend = scaled_power(slope, squareplus(params["raw_exponents"]), params, settings)
    signal = inside * reversion(slope, params, settings) + (1.0 - inside) * trend
    return centre(signal, aggressiveness(params, settings))


def reversion(slope: Array, params: Mapping[str, Array], settings: RuleSettings) -> Array:
    """``-A (z - z³/6) / 0.5415``, (K, n): against the slope; close to a sine up to the turning point outside the channel."""
    memory = capped_memory_days(params["logit_lamb"], settings.max_memory_days, settings.chunk_minutes)
    z = (jnp.pi / 3.0) * slope * jnp.exp2(-params["raw_width"])
    return -jnp.exp2(params["log_amplitude"]) * memory * (z - z**3 / 6.0) / _PEAK


RULE = Rule(
    name="mean_reversion_channel",
    description="trades against small slopes and with large ones",
    parameters=(
        common.memory_days,
        common.alt_memory_days,
        common.k_per_day,
        common.width,
        common.amplitude_per_day,
        exponents,
        common.pre_exp_scaling,
        common.bounded_pre_exp_scaling,
    ),
    output=Output.CHANGE,
    outputs=mean_reversion_channel_outputs,
    sums_to_zero=True,
)
