"""Anti-momentum: weight flows away from the tokens whose price rises fastest."""

from __future__ import annotations

from collections.abc import Mapping

from quantsim.lazy_jax import Array
from quantsim.rules import momentum
from quantsim.rules.base import Observed, Output, Rule, RuleSettings

__all__ = ["RULE", "anti_momentum_outputs"]


def anti_momentum_outputs(params: Mapping[str, Array], observed: Observed, settings: RuleSettings) -> Array:
    """``-centre(s)``: the momentum rule with the opposite sign; shapes as in :func:`momentum.momentum_outputs`."""
    return -momentum.momentum_outputs(params, observed, settings)


RULE = Rule(
    name="anti_momentum",
    description="weight flows away from the tokens whose price rises fastest",
    parameters=momentum.RULE.parameters,
    output=Output.CHANGE,
    outputs=anti_momentum_outputs,
    sums_to_zero=True,
)
