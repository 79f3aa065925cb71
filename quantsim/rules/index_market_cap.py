"""Market-capitalisation index: weights in proportion to a supplied series, such as market caps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import jax.numpy as jnp
from jax import Array

from quantsim.errors import ConfigError
from quantsim.estimators import capped_logit, moving_average
from quantsim.parameters import common
from quantsim.rules.base import Observed, Output, Rule, RuleSettings

__all__ = ["RULE", "index_weights"]


def index_weights(params: Mapping[str, Array], observed: Observed, settings: RuleSettings) -> Array:
    """``c_i / Σ_j c_j``, with ``c`` the moving average of the oracle's values.

    Args:
        params: ``logit_lamb``, (n,).
        observed: the oracle's values at the chunk boundaries, (K, n), positive.
        settings: of the experiment.

    Returns:
        (K, n) weights, rows summing to one.
    """
    if observed.oracle is None:
        raise ConfigError("rule 'index_market_cap' needs an oracle series: set series.oracle")
    logit = capped_logit(params["logit_lamb"], settings.max_memory_days, settings.chunk_minutes)
    smoothed = observed.oracle[0] / jnp.max(observed.oracle[0]) * moving_average(observed.oracle, logit)
    return smoothed / jnp.sum(smoothed, axis=-1, keepdims=True)


RULE = Rule(
    name="index_market_cap",
    description="weights in proportion to market capitalisation, or any other supplied series",
    parameters=(replace(common.memory_days, description="effective memory of the series", low=0.5),),
    output=Output.WEIGHTS,
    outputs=index_weights,
    needs_oracle=True,
)
