"""Momentum: weight flows to the tokens whose price rises fastest."""

from __future__ import annotations

from collections.abc import Mapping

from quantsim.estimators import capped_logit, capped_memory_days, proportional_slope
from quantsim.lazy_jax import Array, jnp
from quantsim.parameters import common
from quantsim.rules.base import Observed, Output, Rule, RuleSettings, centre

__all__ = ["RULE", "aggressiveness", "momentum_outputs", "slope_of"]


def momentum_outputs(params: Mapping[str, Array], observed: Observed, settings: RuleSettings) -> Array:
    """``centre(s)``, with ``s`` the proportional slope and ``k = 2^log_k · memory_days``.

    Args:
        params: ``logit_lamb``, ``log_k``, and ``logit_delta_lamb`` with ``use_alt_lamb``; each (n,).
        observed: prices at the chunk boundaries, (K, n).
        settings: settings of the experiment.

    Returns:
        (K, n) weight changes, rows summing to zero.
    """
    return centre(slope_of(params, observed.prices, settings), aggressiveness(params, settings))


def slope_of(params: Mapping[str, Array], prices: Array, settings: RuleSettings) -> Array:
    """Returns the proportional slope, (K, n), with memories limited by the settings."""
    limits = (settings.max_memory_days, settings.chunk_minutes)
    divisor = None
    if settings.use_alt_lamb:
        divisor = capped_logit(params["logit_lamb"] + params["logit_delta_lamb"], *limits)
    return proportional_slope(prices, capped_logit(params["logit_lamb"], *limits), divisor, settings.scan_mode)


def aggressiveness(params: Mapping[str, Array], settings: RuleSettings) -> Array:
    """``k = 2^log_k · memory_days``, (n,)."""
    memory = capped_memory_days(params["logit_lamb"], settings.max_memory_days, settings.chunk_minutes)
    return jnp.exp2(params["log_k"]) * memory


RULE = Rule(
    name="momentum",
    description="weight flows to the tokens whose price rises fastest",
    parameters=(common.memory_days, common.alt_memory_days, common.k_per_day),
    output=Output.CHANGE,
    outputs=momentum_outputs,
    sums_to_zero=True,
)
"""The rule ``momentum``."""
