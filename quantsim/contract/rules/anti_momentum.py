"""Anti-momentum: ``w + κ·(mean - s)``."""

from __future__ import annotations

from quantsim.contract.rules.base import (
    ContractRule,
    Update,
    add_centred,
    gradient_state,
    relative_gradient,
    uses_raw_price,
)
from quantsim.contract.rules.momentum import gradient_rule_problem

__all__ = ["RULE", "anti_momentum_weights"]


def anti_momentum_weights(update: Update) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns the state and the weights of an update: ``_getWeights`` of ``AntiMomentumUpdateRule``."""
    state, slope = relative_gradient(update, uses_raw_price(update.parameters, 1))
    return state, add_centred(update.weights, slope, update.parameters[0], sign=-1)


RULE = ContractRule(
    name="AntiMomentum",
    contract="AntiMomentumUpdateRule",
    rows=("kappa", "useRawPrice"),
    weights=anti_momentum_weights,
    observe=gradient_state,
    problem=gradient_rule_problem,
)
