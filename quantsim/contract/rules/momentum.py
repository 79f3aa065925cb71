"""Momentum: ``w + κ·(s - mean)``."""

from __future__ import annotations

from quantsim.contract.rules.base import (
    ContractRule,
    Rows,
    Update,
    add_centred,
    gradient_state,
    relative_gradient,
    uses_raw_price,
)
from quantsim.contract.rules.valid import not_positive, raw_price_problem, rows_problem, size_problem

__all__ = ["RULE", "gradient_rule_problem", "momentum_weights"]

_ROWS = ("kappa", "useRawPrice")


def momentum_weights(update: Update) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns the state and the weights of an update: ``_getWeights`` of ``MomentumUpdateRule``."""
    state, slope = relative_gradient(update, uses_raw_price(update.parameters, 1))
    return state, add_centred(update.weights, slope, update.parameters[0])


def gradient_rule_problem(parameters: Rows, n_tokens: int) -> str | None:
    """Returns why ``validParameters`` of momentum and anti-momentum refuses parameters; None if it does not."""
    return (
        rows_problem(parameters, _ROWS, optional=1)
        or size_problem(parameters, _ROWS, n_tokens)
        or not_positive("kappa", parameters[0])
        or raw_price_problem(parameters, 1)
    )


RULE = ContractRule(
    name="Momentum",
    contract="MomentumUpdateRule",
    rows=_ROWS,
    weights=momentum_weights,
    observe=gradient_state,
    problem=gradient_rule_problem,
)
