"""A swap fee that rises with volatility, like the loss to arbitrageurs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from quantsim.estimators import capped_logit, return_variance
from quantsim.fee_rules.base import HIGHEST_FEE, FeeRule, base_fee
from quantsim.lazy_jax import Array, jnp
from quantsim.parameters import ParameterSpec, common
from quantsim.parameters.spec import LOG2
from quantsim.parameters.transforms import MINUTES_PER_DAY, sigmoid
from quantsim.rules import Observed, RuleSettings

__all__ = ["FEE_RULE", "volatility_fees"]


def volatility_fees(params: Mapping[str, Array], observed: Observed, settings: RuleSettings) -> Array:
    """``min(φ + s σ, 0.1)``: a base fee ``φ`` plus a share ``s`` of the daily volatility ``σ``, the tokens' root mean square.

    Args:
        params: ``logit_lamb``, ``logit_base_fee`` and ``log_fee_per_volatility``; each (1,).
        observed: prices at the chunk boundaries, (K, n).
        settings: settings of the experiment.

    Returns:
        (K,) swap fees.
    """
    logit = capped_logit(params["logit_lamb"], settings.max_memory_days, settings.chunk_minutes)
    per_chunk = return_variance(observed.prices, logit, settings.scan_mode, first=0.0)
    mean = jnp.mean(per_chunk * (MINUTES_PER_DAY / settings.chunk_minutes), axis=-1)
    still = mean <= 0.0  # the square root has no derivative at 0
    volatility = jnp.where(still, 0.0, jnp.sqrt(jnp.where(still, 1.0, mean)))
    fees: Array = sigmoid(params["logit_base_fee"]) + jnp.exp2(params["log_fee_per_volatility"]) * volatility
    return jnp.minimum(fees, HIGHEST_FEE)


FEE_RULE = FeeRule(
    name="volatility",
    description="a base fee plus a share of the price volatility",
    parameters=(
        replace(common.memory_days, description="effective memory of the volatility", default=5.0),
        base_fee,
        ParameterSpec(
            raw_name="log_fee_per_volatility",
            human_name="fee_per_volatility",
            unit="per daily volatility",
            description="rise of the fee with the daily volatility",
            transform=LOG2,
            default=0.05,
            low=0.001,
            high=1.0,
            log=True,
        ),
    ),
    fees=volatility_fees,
)
