"""The gradient of prices."""

from __future__ import annotations

from collections.abc import Sequence

from quantsim.contract.estimators.vectors import per_token
from quantsim.contract.fixed_point import ONE, div, int256, mul, power
from quantsim.contract.storage import stored_128

__all__ = ["gradient"]

_THREE = 3 * ONE


def gradient(
    state: Sequence[int], data: Sequence[int], averages: Sequence[int], lambdas: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns the new state ``a ← λ·a + (x - e)/(1-λ)`` and the gradient ``((1-λ)³/λ)·a``, (n,) each.

    ``_calculateQuantAMMGradient`` of ``QuantAMMGradientBasedRule``; the cube is a :func:`~quantsim.contract.fixed_point.power`.

    Args:
        state: (n,) state ``a`` before the update.
        data: (n,) prices ``x``.
        averages: (n,) moving averages ``e`` after the update.
        lambdas: (1,) or (n,) decays ``λ``, between 0 and 1.
    """
    states, gradients = [], []
    factors: dict[int, int] = {}
    decays = per_token(lambdas, len(data), "lambda")
    for before, price, average, decay in zip(state, data, averages, decays, strict=True):
        rest = int256(ONE - decay)
        if decay not in factors:
            factors[decay] = div(power(rest, _THREE), decay)
        after = int256(mul(decay, before) + div(int256(price - average), rest))
        states.append(after)
        gradients.append(mul(factors[decay], after))
    return stored_128(states), tuple(gradients)
