"""The exact arbitrage trade of a geometric-mean pool with fees, over any number of tokens at once.

The arbitrageur solves a concave problem whose optimum is one number, a level ``m``: tokens whose value per weight
``u_i = log(R_i p_i / w_i)`` is above ``m`` go out, those below ``m - g`` come in, and the others do not move. For derivation
and notation see docs/mathematics.md.

All functions act on the last axis and broadcast over leading ones, so that the sequential pass (one bar) and the adjoint (all
bars at once) share the code. Rates are constants () or have the leading axes, without the last one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quantsim.lazy_jax import Array, jax, jnp
from quantsim.pools.base import CostShape
from quantsim.pools.market import FeeRates, band, kept_fee, per_event, pool_gain

__all__ = [
    "Moves",
    "PoolState",
    "apply_moves",
    "optimal_moves",
    "profit",
    "settle",
    "spread",
]


class Moves(NamedTuple):
    """A trade, in logs of reserves.

    Attributes:
        rise: (..., n) effective rise of the incoming tokens, ``≥ 0``; effective: only ``γ`` of the input counts.
        fall: (..., n) change of the outgoing tokens, ``≤ 0``.
    """

    rise: Array
    fall: Array


class PoolState(NamedTuple):
    """The state of a pool at one event.

    Attributes:
        log_reserves: (..., n), in units of the value of the reserves at the first bar's prices, so that adding
            ``log_prices`` gives log values in the quote currency.
        log_prices: (..., n) relative to the first bar.
        weights: (..., n).
        log_weights: (..., n), precomputed so that a sequential pass computes no logarithms.
    """

    log_reserves: Array
    log_prices: Array
    weights: Array
    log_weights: Array

    @property
    def levels(self) -> Array:
        """Log value per weight, ``u``, (..., n)."""
        return self.log_reserves + (self.log_prices - self.log_weights)


def optimal_moves(levels: Array, weights: Array, width: Array) -> Moves:
    """Returns the trade with the largest profit before fixed costs.

    Args:
        levels: (..., n) values per weight, ``u``.
        weights: (..., n).
        width: () or (...,) of the no-trade band, ``g``.

    Returns:
        The moves; all zero if ``max u - min u ≤ g``.
    """
    width = per_event(width)
    if levels.shape[-1] == 2:
        return _two_token_moves(levels, weights, width)
    level = jax.lax.stop_gradient(_root(levels, weights, width))
    # The sets that move follow from the root; given them, it is a weighted mean, and that form has the exact gradient.
    entering, leaving = levels + width < level, levels > level
    active = jnp.where(entering | leaving, weights, 0.0)
    total = jnp.sum(active, axis=-1, keepdims=True)
    shifted = jnp.where(entering, levels + width, levels)
    level = jnp.sum(active * shifted, axis=-1, keepdims=True) / jnp.where(total > 0.0, total, 1.0)
    trades = per_event(spread(levels)) > width
    return Moves(
        rise=jnp.where(trades & entering, jnp.maximum(level - width - levels, 0.0), 0.0),
        fall=jnp.where(trades & leaving, jnp.minimum(level - levels, 0.0), 0.0),
    )


# Newton's method needs 2 to 4 iterations; the bracket it is kept in halves at worst, so 64 exhaust float64.
_MOST_ITERATIONS = 64
_ROUNDING = 4 * np.finfo(np.float64).eps


def _root(levels: Array, weights: Array, width: Array) -> Array:
    """Returns the root in ``m`` of ``F(m) = Σ w (max(m-g-u, 0) + min(m-u, 0))``, (..., 1); arbitrary without a trade.

    ``F`` is increasing and piecewise linear, so Newton's method is exact once it has found the piece: the weighted mean of the
    breakpoints of the tokens that move. The bracket is ``min u + g``, where ``F ≤ 0``, to ``max u``, where ``F ≥ 0``.
    """

    def improve(state: tuple[Array, Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array, Array]:
        low, high, level, _, iteration = state
        entering, leaving = levels + width < level, levels > level
        active = jnp.where(entering | leaving, weights, 0.0)
        total = jnp.sum(active, axis=-1, keepdims=True)
        moment = jnp.sum(active * jnp.where(entering, levels + width, levels), axis=-1, keepdims=True)
        newton = jnp.where(total > 0.0, moment / jnp.where(total > 0.0, total, 1.0), level)
        low, high = jnp.where(newton >= level, level, low), jnp.where(newton <= level, level, high)
        inside = (newton >= low) & (newton <= high)
        done = jnp.abs(newton - level) <= _ROUNDING * (1.0 + jnp.abs(level))
        return low, high, jnp.where(inside, newton, 0.5 * (low + high)), jnp.all(done), iteration + 1

    levels, weights, width = jax.lax.stop_gradient((levels, weights, width))
    low = jnp.min(levels, axis=-1, keepdims=True) + width
    high = jnp.max(levels, axis=-1, keepdims=True)
    start = (low, high, 0.5 * (low + high), jnp.asarray(False), jnp.asarray(0))
    return jax.lax.while_loop(lambda state: ~state[3] & (state[4] < _MOST_ITERATIONS), improve, start)[2]


def spread(levels: Array) -> Array:
    """Returns ``max u - min u``, (...,)."""
    if levels.shape[-1] == 2:
        return jnp.abs(levels[..., 0] - levels[..., 1])
    return jnp.max(levels, axis=-1) - jnp.min(levels, axis=-1)


def _two_token_moves(levels: Array, weights: Array, width: Array) -> Moves:
    difference = levels[..., :1] - levels[..., 1:]
    excess = jnp.maximum(jnp.abs(difference) - width, 0.0)
    # The weights sum to 1; dividing by their sum gives the same gradient off the simplex as the general formula.
    distance = weights[..., ::-1] * (excess / jnp.sum(weights, axis=-1, keepdims=True))
    leaving = jnp.concatenate([difference > 0.0, difference < 0.0], axis=-1)
    return Moves(rise=jnp.where(leaving, 0.0, distance), fall=jnp.where(leaving, -distance, 0.0))


def profit(pool: PoolState, moves: Moves, rates: FeeRates) -> Array:
    """Returns the arbitrageur's profit before gas, in the quote currency, (...,)."""
    values = jnp.exp(pool.log_reserves + pool.log_prices)
    paid = jnp.sum(values * jnp.expm1(moves.rise), axis=-1) / (1.0 - rates.swap_fee)
    received = -jnp.sum(values * jnp.expm1(moves.fall), axis=-1)
    return received - paid - 0.5 * rates.arb_fee * (received + paid)


def settle(pool: PoolState, rates: FeeRates, costs: CostShape) -> Moves:
    """Returns the executed trade: the optimal one, or none if its profit is below the gas cost."""
    moves = optimal_moves(pool.levels, pool.weights, band(rates))
    if not costs.has_gas:
        return moves
    worth = per_event(profit(pool, moves, rates) >= rates.gas_cost)
    return Moves(jnp.where(worth, moves.rise, 0.0), jnp.where(worth, moves.fall, 0.0))


def apply_moves(pool: PoolState, moves: Moves, rates: FeeRates, costs: CostShape) -> Array:
    """Returns log reserves after a trade and the noise trades that follow it, (..., n).

    Noise volume in proportion ``ρ`` to the arbitrage volume multiplies all reserves by ``1 + ρ (1-γ') Σ_in δ p / Σ R p``
    (arXiv:2012.08040 App. B, arXiv:2307.02074 §5.3), where ``1-γ' = (1-γ)(1-f)`` is the pool's share of the fee.
    """
    # log1p and expm1 would save digits of a small move that its addition to a log reserve loses anyway, at twice the cost.
    after = pool.log_reserves + jnp.log(1.0 + per_event(pool_gain(rates)) * (jnp.exp(moves.rise) - 1.0)) + moves.fall
    if not costs.has_noise:
        return after
    volume = jnp.sum(jnp.exp(pool.log_reserves + pool.log_prices) * jnp.expm1(moves.rise), axis=-1, keepdims=True)
    value = jnp.sum(jnp.exp(after + pool.log_prices), axis=-1, keepdims=True)
    return after + jnp.log1p(per_event(rates.noise_trader_ratio * kept_fee(rates)) * volume / value)
