"""Moving averages of prices."""

from __future__ import annotations

from collections.abc import Sequence

from quantsim.contract.estimators.vectors import per_token
from quantsim.contract.fixed_point import ONE, div, int256, mul

__all__ = ["moving_average"]


def moving_average(previous: Sequence[int], data: Sequence[int], lambdas: Sequence[int]) -> tuple[int, ...]:
    """Returns ``e ← (e·λ + x·(1-λ)) / 1``: ``_calculateQuantAMMMovingAverage`` of ``QuantAMMMathMovingAverage``.

    Args:
        previous: (n,) averages before the update.
        data: (n,) prices.
        lambdas: (1,) or (n,) decays ``λ``.

    Example:
        >>> moving_average([ONE], [2 * ONE], [9 * ONE // 10])
        (1100000000000000000,)
    """
    decays = per_token(lambdas, len(data), "lambda")
    return tuple(
        div(int256(mul(average, decay) + mul(price, int256(ONE - decay))), ONE)
        for average, price, decay in zip(previous, data, decays, strict=True)
    )
