"""What a rule of the contracts is: a name, rows of parameters, and a pure function from state and data to weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from quantsim.contract.estimators import gradient
from quantsim.contract.estimators.vectors import per_token
from quantsim.contract.fixed_point import ONE, div, int256, mul, quotient

__all__ = [
    "ContractRule",
    "Rows",
    "RuleState",
    "Update",
    "add_centred",
    "gradient_state",
    "relative_gradient",
    "uses_raw_price",
]

Rows = Sequence[Sequence[int]]
"""The contract's ``ruleParameters``: a row per parameter, with one value or one per token."""


class RuleState(NamedTuple):
    """What a rule stores for a pool between updates.

    Attributes:
        moving_averages: (n,) moving averages of the prices: the constructor's ``_initialMovingAverages``.
        intermediate: (n,) the rule's own state: ``a`` of the gradient, ``A`` of the variance, or the short moving averages of
            difference momentum; the constructor's ``_initialIntermediateValues``.
    """

    moving_averages: tuple[int, ...]
    intermediate: tuple[int, ...]


class Update(NamedTuple):
    """The inputs of a rule at one update.

    Attributes:
        weights: (n,) weights in force.
        data: (n,) prices of the oracles.
        parameters: rows of parameters, in the contract's order.
        lambdas: (1,) or (n,) decays.
        averages: (n,) moving averages after the update.
        previous_averages: (n,) moving averages before the update.
        intermediate: (n,) the rule's own state before the update.
    """

    weights: Sequence[int]
    data: Sequence[int]
    parameters: Rows
    lambdas: Sequence[int]
    averages: Sequence[int]
    previous_averages: Sequence[int]
    intermediate: Sequence[int]


@dataclass(frozen=True, eq=False)
class ContractRule:
    """A rule of the contracts. Compares by identity: there is one object per name.

    Attributes:
        name: the contract's ``name``, such as ``"Momentum"``.
        contract: name of the contract.
        rows: names of the rows of parameters, in order.
        weights: ``update → (state, weights)``: the contract's ``_getWeights``; the weights are those before the guard.
        observe: ``update → state``: the new state alone, to warm up; weights are not read.
        problem: ``(rows, n) → reason``: why ``validParameters`` refuses the parameters, or why their rows do not fit ``n``
            tokens; None if they are valid.
        stores_averages: whether the rule's own state are averages of prices, which start at a price and not at 0.
    """

    name: str
    contract: str
    rows: tuple[str, ...]
    weights: Callable[[Update], tuple[tuple[int, ...], tuple[int, ...]]]
    observe: Callable[[Update], tuple[int, ...]]
    problem: Callable[[Rows, int], str | None]
    stores_averages: bool = False

    def initial(self, prices: Sequence[int]) -> tuple[int, ...]:
        """Returns the rule's own state before any move of prices, (n,)."""
        return tuple(prices) if self.stores_averages else (0,) * len(prices)


def gradient_state(update: Update) -> tuple[int, ...]:
    """Returns the new state of the gradient."""
    return gradient(update.intermediate, update.data, update.averages, update.lambdas)[0]


def relative_gradient(update: Update, raw_price: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns the new state of the gradient, and ``s = (1/d)·gradient``, with ``d`` the price or the moving average."""
    state, found = gradient(update.intermediate, update.data, update.averages, update.lambdas)
    divisors = update.data if raw_price else update.averages
    return state, tuple(mul(div(ONE, divisor), each) for divisor, each in zip(divisors, found, strict=True))


def uses_raw_price(parameters: Rows, row: int) -> bool:
    """Whether the row exists and is 1."""
    return len(parameters) > row and parameters[row][0] == ONE


def add_centred(weights: Sequence[int], signals: Sequence[int], kappa: Sequence[int], sign: int = 1) -> tuple[int, ...]:
    """Returns ``w + κ·(s - mean)``; ``sign = -1`` gives ``w + κ·(mean - s)``.

    One ``κ`` for all tokens subtracts the plain mean; one for each subtracts the mean weighted by ``κ``.
    """
    n_tokens = len(weights)
    if len(kappa) == 1:
        mean = quotient(int256(sum(signals)), n_tokens)
    else:
        each = per_token(kappa, n_tokens, "kappa")
        total = sum(mul(signal, factor) for signal, factor in zip(signals, each, strict=True))
        mean = div(int256(total), int256(sum(kappa)))
    factors = per_token(kappa, n_tokens, "kappa")
    return tuple(
        int256(weight + mul(factor, int256(sign * (signal - mean))))
        for weight, signal, factor in zip(weights, signals, factors, strict=True)
    )
