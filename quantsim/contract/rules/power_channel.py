"""Power channel: ``w + κ·(p - mean)``, with ``p = sign(s)·|s|^q``."""

from __future__ import annotations

from quantsim.contract.estimators.vectors import per_token
from quantsim.contract.fixed_point import ONE, power
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

__all__ = ["RULE", "power_channel_weights"]

_ROWS = ("kappa", "q", "useRawPrice")


def power_channel_weights(update: Update) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns the state and the weights of an update: ``_getWeights`` of ``PowerChannelUpdateRule``."""
    state, slope = relative_gradient(update, uses_raw_price(update.parameters, 2))
    exponents = per_token(update.parameters[1], len(update.weights), "q")
    powers = [power(abs(s), q) if s >= 0 else -power(abs(s), q) for s, q in zip(slope, exponents, strict=True)]
    return state, add_centred(update.weights, powers, update.parameters[0])


def _problem(parameters: Rows, n_tokens: int) -> str | None:
    found = rows_problem(parameters, _ROWS, optional=1) or size_problem(parameters, _ROWS, n_tokens)
    if found is not None:
        return found
    if len(parameters[0]) != len(parameters[1]):
        return (
            f"q has {len(parameters[1])} values and kappa {len(parameters[0])}: both are one for all or one per token"
        )
    return (
        not_positive("kappa", parameters[0])
        or not_positive("q", parameters[1], least=ONE)
        or raw_price_problem(parameters, 2)
    )


RULE = ContractRule(
    name="PowerChannel",
    contract="PowerChannelUpdateRule",
    rows=_ROWS,
    weights=power_channel_weights,
    observe=gradient_state,
    problem=_problem,
)
