r"""The recursion of a reCLAMM pool over visits, as a loop of XLA that JAX differentiates.

It is the reference for the kernel of :mod:`quantsim.pools.reclamm.range_kernel`, and runs where there are no kernels. With real
balances ``R`` and virtual balances ``V`` of the tokens A and B, ``(R_A + V_A)(R_B + V_B)`` is constant in a swap. At each visit

1. the centeredness ``c = min(R_A V_B, R_B V_A) / max(R_A V_B, R_B V_A)`` is compared with the margin ``m``. If ``c < m``, the
   range moves towards the market: with ``O`` the rarer, overvalued token, ``U`` the other, ``r`` the square root of the price
   ratio and ``f = \sqrt r``,

       V_O ← max(V_O · decay, R_O / (f - 1)),    V_U ← R_U (V_O + R_O) / ((r - 1) V_O - R_O);

2. arbitrageurs trade on the effective balances ``E = R + V``, as with a weighted pool of equal weights. The fee stays in the
   real balance of the token that comes in. A trade stops where the real balance of the token that goes out is zero.

Sources: balancer/reclamm, ``ReClammMath.sol``; for the constant arc length and the scaling by centeredness, quantammsim.
"""

from __future__ import annotations

from typing import NamedTuple

from quantsim.lazy_jax import Array, jax, jnp
from quantsim.pools.reclamm.column_lanes import MARGIN, SHIFT, SMALLEST_CENTEREDNESS, SPEED
from quantsim.pools.two_tokens import ARB_FEE, EDGE, GAIN, GAS, NOISE, SWAP_FEE

__all__ = [
    "Shifting",
    "arc_step",
    "centeredness",
    "decayed",
    "opposite",
    "recentred",
    "scanned_balances",
    "traded",
]


class Shifting(NamedTuple):
    """How the range moves; static.

    Attributes:
        constant_arc_length: whether it moves by a constant arc length, not by a constant decay.
        centeredness_scaling: whether it moves faster by the factor ``m/c``.
        longest: the longest time that a shift counts, in visits.
    """

    constant_arc_length: bool
    centeredness_scaling: bool
    longest: float


def scanned_balances(
    initial: Array, prices: Array, shifts: Array, costs: Array, shifting: Shifting
) -> tuple[Array, Array]:
    """Returns real and virtual balances after every visit, (T, 4), and the value of the effective input, (T,).

    Args:
        initial: (4,) balances before the first visit: real ones of A and B, then virtual ones.
        prices: (T, 2) prices at the visits.
        shifts: (T or 1, 3) what moves the range; see :mod:`quantsim.pools.reclamm.column_lanes`.
        costs: (T or 1, 6) costs; see :mod:`quantsim.pools.two_tokens`.
        shifting: how the range moves; static.
    """
    varying = [table if table.shape[0] > 1 else None for table in (shifts, costs)]

    def step(balances: Array, visit: tuple[Array, list[Array | None]]) -> tuple[Array, tuple[Array, Array]]:
        price, (shift, cost) = visit
        shift, cost = shifts[0] if shift is None else shift, costs[0] if cost is None else cost
        virtual = recentred(balances, price, shift, shifting)
        real, volume = traded(balances[:2], virtual, price, cost)
        after = jnp.concatenate([real, virtual])
        return after, (after, volume)

    found: tuple[Array, Array] = jax.lax.scan(step, initial, (prices, varying))[1]
    return found


def centeredness(balances: Array) -> tuple[Array, Array]:
    """Returns the centeredness of pools, and whether they are above the centre, where B is the rarer token; (...,) each."""
    r_a, r_b, v_a, v_b = jnp.moveaxis(balances, -1, 0)
    of_a, of_b = r_a * v_b, r_b * v_a
    above = of_a > of_b
    most = jnp.where(above, of_a, of_b)
    positive = most > 0.0
    return jnp.where(positive, jnp.where(above, of_b, of_a) / jnp.where(positive, most, 1.0), 0.0), above


def opposite(vector: Array, swapped: Array) -> Array:
    """Returns the pairs of a vector, (..., 2), in the opposite order where ``swapped``."""
    return jnp.where(swapped, vector[..., ::-1], vector)


def decayed(v_o: Array, exponent: Array) -> Array:
    """Returns the virtual balance of the overvalued token after its decay."""
    return v_o * jnp.exp(exponent)


def arc_step(real: Array, virtual: Array, price: Array, ratio: Array, length: Array) -> Array:
    """Returns the virtual balance of the overvalued token after a step of constant arc length.

    With ``P`` the market price of U in O, the coordinate ``Z = √P V_U - V_O/√P`` rises by ``length``, and ``V_U`` is what keeps
    the price ratio: a quadratic equation in ``V_O``, whose larger root is the valid one. A step that is too long for a pool
    without O takes the end of its range to the market.

    Args:
        real: (2,) real balances of O and U.
        virtual: (2,) their virtual balances.
        price: () ``P``.
        ratio: () square root of the price ratio.
        length: () step of ``Z``.
    """
    root = jnp.sqrt(price)
    z = root * virtual[1] - virtual[0] / root + length
    a = ratio - 1.0
    b = price * real[1] + real[0] - a * root * z
    c = real[0] * (price * real[1] + root * z)
    too_long = (real[0] == 0.0) & (b <= 0.0)
    square = jnp.where(too_long, 1.0, b * b + 4.0 * a * c)
    at_market = jnp.minimum(virtual[0], price * real[1] * ratio / a)
    return jnp.where(too_long, at_market, (b + jnp.sqrt(square)) / (2.0 * a))


def recentred(balances: Array, price: Array, shift: Array, shifting: Shifting, elapsed: Array | float = 1.0) -> Array:
    """Returns the virtual balances, (2,), after the range has moved, if it does; ``elapsed`` is the time in visits, ()."""

    def moved(balances: Array) -> Array:
        c, above = centeredness(balances)
        real, virtual, prices = (opposite(pair, above) for pair in (balances[:2], balances[2:], price))  # O, U
        ratio = (1.0 + real[0] / virtual[0]) * (1.0 + real[1] / virtual[1])
        multiple = shift[MARGIN] / jnp.maximum(c, SMALLEST_CENTEREDNESS) if shifting.centeredness_scaling else 1.0
        multiple = elapsed * multiple
        if shifting.constant_arc_length:
            length = 2.0 * shift[SPEED] * multiple * jnp.sqrt(balances[0] + balances[2])
            v_o = arc_step(real, virtual, prices[1] / prices[0], ratio, length)
        else:
            v_o = decayed(virtual[0], shift[SHIFT] * jnp.minimum(multiple, shifting.longest))
        width = jnp.sqrt(jnp.where(ratio > 1.0, ratio, 2.0)) - 1.0
        v_o = jnp.maximum(v_o, real[0] / width)
        below = (ratio - 1.0) * v_o - real[0]
        left = (ratio > 1.0) & (below > 0.0)  # something is left of the pool
        v_u = real[1] * (v_o + real[0]) / jnp.where(left, below, 1.0)
        return opposite(jnp.where(left, jnp.stack([v_o, v_u]), virtual), above)

    moves = centeredness(balances)[0] < shift[MARGIN]
    found: Array = jax.lax.cond(moves, moved, lambda balances: balances[2:], balances)
    return found


def traded(real: Array, virtual: Array, price: Array, cost: Array) -> tuple[Array, Array]:
    """Returns the real balances, (2,), after the trade of a visit, and the value of its effective input."""
    of_a, of_b = (real + virtual) * price

    def trade(real: Array) -> tuple[Array, Array]:
        first_leaves = of_a > of_b
        held, extra, prices = (opposite(pair, ~first_leaves) for pair in (real, virtual, price))  # what goes out first
        effective = held + extra
        growth = jnp.sqrt(effective[0] * prices[0] / (effective[1] * prices[1] * cost[EDGE]))
        most = effective[0] / extra[0]
        at_edge = growth >= most
        growth = jnp.where(at_edge, most, growth)
        more = effective[1] * (growth - 1.0)
        received, paid = effective[0] * (1.0 - 1.0 / growth) * prices[0], more * prices[1] / (1.0 - cost[SWAP_FEE])
        profit = received - paid - 0.5 * cost[ARB_FEE] * (received + paid)
        trades = (growth > 1.0) & ((cost[GAS] <= 0.0) | (profit >= cost[GAS]))
        left = jnp.where(at_edge, 0.0, jnp.maximum(effective[0] / growth - extra[0], 0.0))
        after = jnp.stack([left, held[1] + cost[GAIN] * more])
        volume, value = more * prices[1], jnp.sum(after * prices)
        after = after * (1.0 + cost[NOISE] * volume / jnp.where(value > 0.0, value, 1.0))
        return opposite(jnp.where(trades, after, held), ~first_leaves), jnp.where(trades, volume, 0.0)

    outside = (of_a > of_b * cost[EDGE]) | (of_b > of_a * cost[EDGE])
    found: tuple[Array, Array] = jax.lax.cond(outside, trade, lambda real: (real, jnp.zeros_like(of_a)), real)
    return found
