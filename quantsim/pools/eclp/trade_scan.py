r"""The recursion of an E-CLP with fees over visits, as a loop of XLA that JAX differentiates.

It is the reference for the kernel of :mod:`quantsim.pools.eclp.trade_kernel`, and runs where there are no kernels. Arbitrageurs
trade where the position leaves the no-trade band, and take it to the band's end. The trade along the curve is the effective
one; then the fee raises the invariant. With ``m`` the effective input of a pool of size 1, and ``δ = (gain - 1) m`` the fee,
the invariant grows by the factor ``1 + ε``, where ``ε`` is the larger root of

    K ε² + 2 (g·t - δ H) ε = δ (2 g_{in} - δ G),    t the balances, g = (g_{in}, g_{out}) the prices of the tokens.

So the invariant loses no digits, as it does if it is solved for anew from the balances. The balance of the outgoing token stays
as it is, and gives the new position.
"""

from __future__ import annotations

from quantsim.lazy_jax import Array, jax, jnp
from quantsim.pools.eclp.column_lanes import SPAN
from quantsim.pools.eclp.curve import Ellipse, Side, chord, held, mirrored, position, side_of
from quantsim.pools.two_tokens import ARB_FEE, EDGE, GAIN, GAS, NOISE, SWAP_FEE

__all__ = ["no_trade_band", "reserves_of", "scanned_path"]


def no_trade_band(ellipse: Ellipse, curve: Array, prices: Array, costs: Array) -> Array:
    """Returns the lowest and the highest position of the no-trade band at every visit, (T, 2)."""
    quotes = prices[:, 0] / prices[:, 1]
    edges = quotes / costs[:, EDGE], quotes * costs[:, EDGE]
    return jnp.stack([position(ellipse, curve[SPAN], edge) for edge in edges], axis=-1)


def reserves_of(curve: Array, size: Array, at: Array) -> Array:
    """Returns the balances of pools of a size, (...,), at a position, (...,): (..., 2)."""
    return size[..., None] * jnp.stack(held(side_of(curve, 0), at), axis=-1)


def scanned_path(initial: Array, prices: Array, ellipse: Ellipse, curve: Array, costs: Array) -> tuple[Array, Array]:
    """Returns size, position and balances after every visit, (T, 4), and the value of the arbitrageurs' effective input, (T,).

    Args:
        initial: (2,) size and position before the first visit.
        prices: (T, 2) prices at the visits.
        ellipse: the ellipse.
        curve: (14,) its constants.
        costs: (T or 1, 6) costs; see :mod:`quantsim.pools.two_tokens`.
    """
    first, second = side_of(curve, 0), side_of(curve, 1)

    def step(state: Array, visit: tuple[Array, Array, Array | None]) -> tuple[Array, tuple[Array, Array]]:
        (low, high), price, cost = visit
        cost = costs[0] if cost is None else cost
        size, v = state

        def first_enters() -> tuple[Array, Array]:
            return _traded(first, size, v, jnp.minimum(high, v), price, cost)

        def second_enters() -> tuple[Array, Array]:
            to = jnp.maximum(low, v)
            after, volume = _traded(
                second, size, mirrored(v, second.span), mirrored(to, second.span), price[::-1], cost
            )
            return jnp.stack([after[0], mirrored(after[1], second.span)]), volume

        def nobody() -> tuple[Array, Array]:
            return state, jnp.zeros_like(size)

        which = jnp.where(v > high, 1, jnp.where(v < low, 2, 0))
        after, volume = jax.lax.switch(which, (nobody, first_enters, second_enters))
        return after, (after, volume)

    visits = no_trade_band(ellipse, curve, prices, costs), prices, costs if costs.shape[0] > 1 else None
    states, volume = jax.lax.scan(step, initial, visits)[1]
    return jnp.concatenate([states, reserves_of(curve, states[:, 0], states[:, 1])], axis=-1), volume


def _traded(side: Side, size: Array, v: Array, u: Array, prices: Array, cost: Array) -> tuple[Array, Array]:
    """Returns size and position, (2,), after a trade from position ``v`` to ``u``, and the value of its effective input.

    Positions are those of the side, and prices those of the incoming token and of the outgoing one.
    """
    more = chord(side.a_in, side.b_in, u, v)
    less = chord(side.a_out, -side.b_out, u, v)
    growth, left = fee_growth(side, u, (cost[GAIN] - 1.0) * more)
    here, there = held(side, u)
    value = (here + (cost[GAIN] - 1.0) * more) * prices[0] + there * prices[1]
    growth = growth * (1.0 + cost[NOISE] * more * prices[0] / value)
    volume = size * more * prices[0]
    received, paid = size * less * prices[1], volume / (1.0 - cost[SWAP_FEE])
    profit = received - paid - 0.5 * cost[ARB_FEE] * (received + paid)
    trades = (cost[GAS] <= 0.0) | (profit >= cost[GAS])
    after, before = jnp.stack([size * growth, left]), jnp.stack([size, v])
    return jnp.where(trades, after, before), jnp.where(trades, volume, 0.0)


def fee_growth(side: Side, u: Array, fee: Array) -> tuple[Array, Array]:
    """Returns the growth of the invariant by a fee in the incoming token of a pool of size 1, and the position after it."""
    here, there = held(side, u)
    square, scale = 1.0 - u * u, 1.0 / (1.0 + u * u)
    g_in = (side.a_out * square + 2.0 * side.b_out * u) * scale
    g_out = (side.a_in * square - 2.0 * side.b_in * u) * scale
    half = g_in * here + g_out * there - fee * side.h
    rest = fee * (2.0 * g_in - fee * side.g)
    root = jnp.sqrt(half * half + side.k * rest)
    positive = half > 0.0
    growth = 1.0 + jnp.where(positive, rest, root - half) / jnp.where(positive, half + root, side.k)
    lead = growth * side.a_out
    return growth, there / (lead + jnp.sqrt(lead * lead + there * (2.0 * growth * side.b_out - there)))
