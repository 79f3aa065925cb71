"""Market-capitalisation index: weights in proportion to a supplied series, such as market caps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from quantsim.errors import ConfigError
from quantsim.estimators import capped_logit, moving_average
from quantsim.lazy_jax import Array, jnp
from quantsim.parameters import common
from quantsim.rules.base import Observed, Output, Rule, RuleSettings
from quantsim.rules.capping import cap, check_caps, with_cap

__all__ = ["RULE", "index_weights"]


def index_weights(params: Mapping[str, Array], observed: Observed, settings: RuleSettings) -> Array:
    """The moving average of the shares ``c_i / Σ_j c_j`` of the oracle's values ``c``, scaled to sum to one, and capped.

    Args:
        params: ``logit_lamb``, and ``log_cap`` if there are caps, (n,) each.
        observed: the oracle's values at the chunk boundaries, (K, n), positive.
        settings: settings of the experiment.

    Returns:
        (K, n) weights, rows summing to one.

    Raises:
        ConfigError: there is no oracle.
    """
    if observed.oracle is None:
        raise ConfigError("rule 'index_market_cap' needs an oracle series: set series.oracle")
    shares = observed.oracle / jnp.sum(observed.oracle, axis=-1, keepdims=True)
    logit = capped_logit(params["logit_lamb"], settings.max_memory_days, settings.chunk_minutes)
    smoothed = shares[0] * moving_average(shares, logit, settings.scan_mode)
    return with_cap(smoothed, params)  # with different memories the sum is only about one


RULE = Rule(
    name="index_market_cap",
    description="weights in proportion to market capitalisation, or any other supplied series",
    parameters=(
        # Short by default: the current index, without the noise of a day.
        replace(common.memory_days, description="effective memory of the shares", default=1.0, low=0.5, high=60.0),
        cap,
    ),
    output=Output.WEIGHTS,
    outputs=index_weights,
    needs_oracle=True,
    check=check_caps,
)
