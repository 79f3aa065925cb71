"""Difference momentum: ``w + κ·(s - mean)``, with ``s = (short - long)/long`` of two moving averages."""

from __future__ import annotations

from quantsim.contract.estimators import moving_average
from quantsim.contract.fixed_point import ONE, div, int256, mul
from quantsim.contract.rules.base import ContractRule, Rows, Update, add_centred
from quantsim.contract.rules.valid import rows_problem, size_problem
from quantsim.contract.storage import stored_128

__all__ = ["RULE", "difference_momentum_weights"]

_ROWS = ("kappa", "lambdaShort")


def difference_momentum_weights(update: Update) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns the short moving averages and the weights: ``_getWeights`` of ``DifferenceMomentumUpdateRule``.

    The pool's ``λ`` is that of the long averages. ``κ`` may be negative.
    """
    short = _short_averages(update)
    signals = [
        mul(div(ONE, long), int256(average - long)) for average, long in zip(short, update.averages, strict=True)
    ]
    return short, add_centred(update.weights, signals, update.parameters[0])


def _short_averages(update: Update) -> tuple[int, ...]:
    return stored_128(moving_average(update.intermediate, update.data, update.parameters[1]))


def _problem(parameters: Rows, n_tokens: int) -> str | None:
    found = rows_problem(parameters, _ROWS) or size_problem(parameters, _ROWS, n_tokens)
    if found is not None:
        return found
    kappa, short = parameters
    outside = [value for value in short if not 0 <= value <= ONE]
    if outside:
        return f"lambdaShort = {outside[0] / ONE:g} must be between 0 and 1"
    if 0 in kappa or sum(kappa) == 0:
        return "kappa must not be 0, nor its sum"
    return None


RULE = ContractRule(
    name="DifferenceMomentum",
    contract="DifferenceMomentumUpdateRule",
    rows=_ROWS,
    weights=difference_momentum_weights,
    observe=_short_averages,
    problem=_problem,
    stores_averages=True,
)
