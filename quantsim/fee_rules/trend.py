"""A swap fee that rises with the steepest trend, when a pool loses most to arbitrageurs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from quantsim.estimators import capped_logit, proportional_slope
from quantsim.fee_rules.base import HIGHEST_FEE, FeeRule, base_fee
from quantsim.lazy_jax import Array, jnp
from quantsim.parameters import ParameterSpec, common
from quantsim.parameters.spec import LOG2
from quantsim.parameters.transforms import MINUTES_PER_DAY, sigmoid
from quantsim.rules import Observed, RuleSettings

__all__ = ["FEE_RULE", "trend_fees"]


def trend_fees(params: Mapping[str, Array], observed: Observed, settings: RuleSettings) -> Array:
    """``min(φ + k max_i |s_i|, 0.1)``: a base fee ``φ`` plus ``k`` times the largest absolute proportional slope per day.

    Args:
        params: ``logit_lamb``, ``logit_base_fee`` and ``log_fee_per_trend``; each (1,).
        observed: prices at the chunk boundaries, (K, n).
        settings: settings of the experiment.

    Returns:
        (K,) swap fees.
    """
    logit = capped_logit(params["logit_lamb"], settings.max_memory_days, settings.chunk_minutes)
    logits = jnp.broadcast_to(logit, observed.prices.shape[1:])
    slope = proportional_slope(observed.prices, logits, mode=settings.scan_mode)
    steepest = jnp.max(jnp.abs(slope), axis=-1) * (MINUTES_PER_DAY / settings.chunk_minutes)
    fees: Array = sigmoid(params["logit_base_fee"]) + jnp.exp2(params["log_fee_per_trend"]) * steepest
    return jnp.minimum(fees, HIGHEST_FEE)


FEE_RULE = FeeRule(
    name="trend",
    description="a base fee plus a multiple of the steepest price trend",
    parameters=(
        replace(common.memory_days, description="effective memory of the trend", default=5.0),
        base_fee,
        ParameterSpec(
            raw_name="log_fee_per_trend",
            human_name="fee_per_trend",
            unit="per proportional slope per day",
            description="rise of the fee with the steepest daily trend",
            transform=LOG2,
            default=0.1,
            low=0.001,
            high=2.0,
            log=True,
        ),
    ),
    fees=trend_fees,
)
