"""Supply index: weights that move towards the market's shares, price times circulating supply, with a cap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from quantsim.errors import ConfigError
from quantsim.estimators import capped_logit
from quantsim.lazy_jax import Array
from quantsim.parameters import common
from quantsim.parameters.transforms import sigmoid
from quantsim.rules.base import Observed, Output, Rule, RuleSettings
from quantsim.rules.capping import cap, check_caps, with_cap

__all__ = ["RULE", "supply_persistence", "supply_weights"]


def supply_weights(params: Mapping[str, Array], observed: Observed, settings: RuleSettings) -> Array:
    """The shares ``p_i s_i / Σ_j p_j s_j`` of market capitalisation, with the oracle's supplies ``s``, capped.

    Args:
        params: ``log_cap`` if there are caps, (n,).
        observed: prices, and the oracle's circulating supplies at the chunk boundaries, (K, n) each, positive.
        settings: settings of the experiment.

    Returns:
        (K, n) weights, rows summing to one.

    Raises:
        ConfigError: there is no oracle.
    """
    if observed.oracle is None:
        raise ConfigError("rule 'index_supply' needs the circulating supplies of the tokens: set series.oracle")
    return with_cap(observed.prices * observed.oracle, params)


def supply_persistence(params: Mapping[str, Array], settings: RuleSettings) -> Array:
    """``Λ``, (n,): the decay of the weights' memory."""
    logit = capped_logit(params["logit_lamb"], settings.max_memory_days, settings.chunk_minutes)
    persistence: Array = sigmoid(logit)
    return persistence


RULE = Rule(
    name="index_supply",
    description="weights that move towards the shares of market capitalisation: price times the supply of series.oracle",
    parameters=(
        replace(common.memory_days, description="effective memory of the weights, which move towards the shares"),
        cap,
    ),
    output=Output.WEIGHTS,
    outputs=supply_weights,
    persistence=supply_persistence,
    needs_oracle=True,
    ignores=("logit_delta_lamb", "log_k"),
    check=check_caps,
)
