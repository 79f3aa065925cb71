"""Triple threat: a mean-reversion channel with a separate memory and weight for reversion, trend and interaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from quantsim.lazy_jax import Array, jnp
from quantsim.parameters import ParameterSpec, common
from quantsim.parameters.spec import LOG2
from quantsim.parameters.transforms import squareplus
from quantsim.rules.base import Observed, Output, Rule, RuleSettings, centre
from quantsim.rules.mean_reversion_channel import exponents, reversion
from quantsim.rules.momentum import aggressiveness, slope_of
from quantsim.rules.power_channel import scaled_power

__all__ = ["RULE", "triple_threat_outputs"]


def triple_threat_outputs(params: Mapping[str, Array], observed: Observed, settings: RuleSettings) -> Array:
    """``centre(-c A E (z - z³/6) / 0.5415 + t (1-E) sign(s_t) |s_t / (2α)|^β)``.

    ``E = exp(-i s_i²/(2W²))`` and ``z = π s_c / (3W)``. The slopes of channel, trend and interaction, ``s_c``, ``s_t`` and
    ``s_i``, have separate memories; the memory of the channel also scales ``A`` and ``k``. With ``use_alt_lamb`` the divisors
    of all three slopes have the memory ``alt_memory_days``. If all memories are equal and ``c = t = i = 1``, this is the
    mean-reversion channel.

    Args:
        params: parameters of the mean-reversion channel, ``logit_trend_lamb``, ``logit_interaction_lamb``,
            ``log_channel_weight``, ``log_trend_weight`` and ``log_interaction_weight``; each (n,).
        observed: prices at the chunk boundaries, (K, n).
        settings: settings of the experiment.

    Returns:
        (K, n) weight changes, rows summing to zero.
    """

    def slope(name: str) -> Array:
        own = {"logit_lamb": params[name]}
        if settings.use_alt_lamb:  # relative to the channel's memory
            own["logit_delta_lamb"] = params["logit_lamb"] + params["logit_delta_lamb"] - params[name]
        return slope_of(own, observed.prices, settings)

    weight = {part: jnp.exp2(params[f"log_{part}_weight"]) for part in ("channel", "trend", "interaction")}
    scaled = slope("logit_interaction_lamb") * jnp.exp2(-params["raw_width"])
    inside = jnp.exp(-0.5 * weight["interaction"] * scaled**2)
    trend = scaled_power(slope("logit_trend_lamb"), squareplus(params["raw_exponents"]), params, settings)
    reverting = reversion(slope("logit_lamb"), params, settings)
    signal = weight["channel"] * inside * reverting + weight["trend"] * (1.0 - inside) * trend
    return centre(signal, aggressiveness(params, settings))


def _memory(part: str, description: str) -> ParameterSpec:
    return replace(
        common.memory_days,
        raw_name=f"logit_{part}_lamb",
        human_name=f"{part}_memory_days",
        description=description,
    )


def _weight(part: str, description: str) -> ParameterSpec:
    return ParameterSpec(
        raw_name=f"log_{part}_weight",
        human_name=f"{part}_weight",
        unit="",
        description=description,
        transform=LOG2,
        default=1.0,
        low=0.1,
        high=10.0,
        log=True,
    )


RULE = Rule(
    name="triple_threat_mean_reversion_channel",
    description="trades against small slopes and with large ones, each with its own memory",
    parameters=(
        replace(common.memory_days, description="effective memory of the channel's slope"),
        _memory("trend", "effective memory of the trend's slope"),
        _memory("interaction", "effective memory of the slope that decides between the two"),
        _weight("channel", "weight of the reversion"),
        _weight("trend", "weight of the trend"),
        _weight("interaction", "factor on the squared slope: the larger, the sooner the trend takes over"),
        common.alt_memory_days,
        common.k_per_day,
        common.width,
        common.amplitude_per_day,
        exponents,
        common.pre_exp_scaling,
        common.bounded_pre_exp_scaling,
    ),
    output=Output.CHANGE,
    outputs=triple_threat_outputs,
    sums_to_zero=True,
)
