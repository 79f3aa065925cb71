"""The swap and range formulas of a reCLAMM pool in 18-decimal integers, with the roundings of Balancer's ``ReClammMath``.

Written from the formulas of the public contract (balancer/reclamm). The power of the decay is an argument: the contract's is an
approximation from below, at most ``2e-14`` of it too small.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from math import isqrt

ONE = 10**18
MOST_OFF = Decimal("2e-14")  # of a power: the contract subtracts 1e-14 of its result, and one unit

Pair = tuple[int, int]


def mul_down(x: int, y: int) -> int:
    return x * y // ONE


def mul_up(x: int, y: int) -> int:
    return -(-x * y // ONE)


def div_down(x: int, y: int) -> int:
    return x * ONE // y


def div_up(x: int, y: int) -> int:
    return -(-x * ONE // y)


def root(x: int) -> int:
    return isqrt(x * ONE)


def invariant(real: Pair, virtual: Pair, *, up: bool = False) -> int:
    return (mul_up if up else mul_down)(real[0] + virtual[0], real[1] + virtual[1])


def out_given_in(real: Pair, virtual: Pair, into: int, amount_in: int) -> int:
    """Rounded down, for the pool. The fee is taken off before."""
    out = 1 - into
    found = (real[out] + virtual[out]) * amount_in // (real[into] + virtual[into] + amount_in)
    if found > real[out]:
        raise ValueError("AmountOutGreaterThanBalance")
    return found


def in_given_out(real: Pair, virtual: Pair, into: int, amount_out: int) -> int:
    """Rounded up, for the pool."""
    out = 1 - into
    if amount_out > real[out]:
        raise ValueError("AmountOutGreaterThanBalance")
    return -(-(real[into] + virtual[into]) * amount_out // (real[out] + virtual[out] - amount_out))


def centeredness(real: Pair, virtual: Pair) -> tuple[int, bool]:
    if real[0] == 0:
        return 0, False
    if real[1] == 0:
        return 0, True
    of_a, of_b = real[0] * virtual[1], virtual[0] * real[1]
    return (div_down(of_a, of_b), False) if of_a <= of_b else (div_down(of_b, of_a), True)


def price_range(real: Pair, virtual: Pair) -> Pair:
    product = invariant(real, virtual)
    return virtual[1] ** 2 // product, div_down(product, mul_down(virtual[0], virtual[0]))


def shift_base(exponent: int) -> int:
    return ONE - exponent // 124649


def decay(base: int, seconds: int) -> Pair:
    """Bounds of the contract's power."""
    with localcontext() as context:
        context.prec = 60
        exact = (Decimal(base) / ONE) ** min(seconds, 30 * 86400) * ONE
        return int(exact * (1 - MOST_OFF)) - 2, int(exact)


def moved_range(real: Pair, virtual: Pair, factor: int) -> Pair:
    """The virtual balances after the range has moved by a power of the base."""
    low, high = price_range(real, virtual)
    square_root = root(div_up(high, low))
    _, above = centeredness(real, virtual)
    over, under = (1, 0) if above else (0, 1)
    v_o = max(mul_down(virtual[over], factor), div_down(real[over], root(square_root) - ONE))
    v_u = real[under] * (v_o + real[over]) // (mul_down(square_root - ONE, v_o) - real[over])
    return (v_u, v_o) if above else (v_o, v_u)
