"""The variance of prices."""

from __future__ import annotations

from collections.abc import Sequence

from quantsim.contract.estimators.vectors import per_token
from quantsim.contract.fixed_point import ONE, div, int256, mul
from quantsim.contract.storage import stored_128

__all__ = ["variance"]


def variance(
    state: Sequence[int],
    data: Sequence[int],
    averages: Sequence[int],
    previous_averages: Sequence[int],
    lambdas: Sequence[int],
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns the new state ``A ← λ·A + (x - e₋)(x - e)`` and the variance ``(1-λ)·A``, (n,) each.

    ``_calculateQuantAMMVariance`` of ``QuantAMMVarianceBasedRule``. It is the variance of prices, in squared quote currency,
    not of returns.

    Args:
        state: (n,) state ``A`` before the update.
        data: (n,) prices ``x``.
        averages: (n,) moving averages ``e`` after the update.
        previous_averages: (n,) moving averages ``e₋`` before the update.
        lambdas: (1,) or (n,) decays ``λ``.
    """
    states, variances = [], []
    decays = per_token(lambdas, len(data), "lambda")
    for before, price, average, earlier, decay in zip(state, data, averages, previous_averages, decays, strict=True):
        product = div(mul(int256(price - earlier), int256(price - average)), ONE)
        after = int256(mul(decay, before) + product)
        states.append(after)
        variances.append(mul(int256(ONE - decay), after))
    return stored_128(states), tuple(variances)
