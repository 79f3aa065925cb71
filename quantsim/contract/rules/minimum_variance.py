"""Minimum variance: ``Λ·w + (1-Λ)·(1/σ²) / Σ(1/σ²)``."""

from __future__ import annotations

from quantsim.contract.estimators import variance
from quantsim.contract.estimators.vectors import per_token
from quantsim.contract.fixed_point import ONE, div, int256, mul
from quantsim.contract.rules.base import ContractRule, Rows, Update
from quantsim.contract.rules.valid import rows_problem, size_problem

__all__ = ["RULE", "minimum_variance_weights"]

_ROWS = ("mixingVariance",)


def minimum_variance_weights(update: Update) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns the state and the weights of an update: ``_getWeights`` of ``MinimumVarianceUpdateRule``.

    Raises:
        ContractError: a variance is 0, as before a price has moved: the contract divides by it.
    """
    state, found = _variance(update)
    mixing = per_token(update.parameters[0], len(update.weights), "mixingVariance")
    precisions = [div(ONE, each) for each in found]
    total = int256(sum(precisions))
    return state, tuple(
        int256(mul(share, weight) + div(mul(int256(ONE - share), precision), total))
        for share, weight, precision in zip(mixing, update.weights, precisions, strict=True)
    )


def _variance(update: Update) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return variance(update.intermediate, update.data, update.averages, update.previous_averages, update.lambdas)


def _problem(parameters: Rows, n_tokens: int) -> str | None:
    found = rows_problem(parameters, _ROWS) or size_problem(parameters, _ROWS, n_tokens)
    outside = [] if found else [value for value in parameters[0] if not 0 <= value <= ONE]
    return f"mixingVariance = {outside[0] / ONE:g} must be between 0 and 1" if outside else found


RULE = ContractRule(
    name="MinimumVariance",
    contract="MinimumVarianceUpdateRule",
    rows=_ROWS,
    weights=minimum_variance_weights,
    observe=lambda update: _variance(update)[0],
    problem=_problem,
)
