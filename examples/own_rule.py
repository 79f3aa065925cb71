"""Your own rule: momentum with a bounded response to slopes. Name it in a study as "examples/own_rule.py:calm_momentum"."""

from collections.abc import Mapping

import jax.numpy as jnp
from jax import Array

from quantsim.parameters import ParameterSpec, common
from quantsim.parameters.spec import LOG2
from quantsim.rules import Observed, Output, Rule, RuleSettings, centre
from quantsim.rules.momentum import aggressiveness, slope_of

ceiling = ParameterSpec(
    raw_name="log_ceiling",
    human_name="ceiling",
    unit="per chunk",
    description="slope beyond which the response flattens",
    transform=LOG2,
    default=0.02,
    low=0.001,
    high=0.2,
    log=True,
)


def outputs(params: Mapping[str, Array], observed: Observed, settings: RuleSettings) -> Array:
    slope = slope_of(params, observed.prices, settings)  # (K, n), per chunk
    most = jnp.exp2(params["log_ceiling"])
    return centre(most * jnp.tanh(slope / most), aggressiveness(params, settings))


calm_momentum = Rule(
    name="calm_momentum",
    description="momentum with a bounded response to large slopes",
    parameters=(common.memory_days, common.alt_memory_days, common.k_per_day, ceiling),
    output=Output.CHANGE,
    outputs=outputs,
    sums_to_zero=True,
)
