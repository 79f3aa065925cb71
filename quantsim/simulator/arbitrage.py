"""The exact arbitrage trade of a geometric-mean pool with fees, over any number of tokens at once.

The arbitrageur solves a concave problem whose optimum is one number, a level ``m``: tokens whose value per weight
``u_i = log(R_i p_i / w_i)`` lies above ``m`` go out, those below ``m - g`` come in, and the others do not move. Derivation and
notation: docs/mathematics.md.

All functions act on the last axis and broadcast over leading ones, so that the same code serves the sequential pass (one
bar) and the adjoint (all bars at once).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from quantsim.simulator.setup import FeeRates, PoolSetup

__all__ = ["Moves", "Pool", "apply_moves", "band", "optimal_moves", "pool_gain", "profit", "settle", "spread"]


class Moves(NamedTuple):
    """A trade, in logs of reserves.

    Attributes:
        rise: (..., n) effective rise of the tokens that come in, ``≥ 0``: the pool prices as if only ``γ`` of the input came.
        fall: (..., n) change of the tokens that go out, ``≤ 0``.
    """

    rise: Array
    fall: Array


class Pool(NamedTuple):
    """State of a pool at one event.

    Attributes:
        log_reserves: (..., n), in units of the value of the reserves at the first bar's prices, so that adding
            ``log_prices`` gives log values in the quote currency.
        log_prices: (..., n) relative to the first bar.
        weights: (..., n).
    """

    log_reserves: Array
    log_prices: Array
    weights: Array


def band(rates: FeeRates) -> Array:
    """Width ``g`` of the no-trade band of ``max u - min u``: ``-log γ + log((1 + a/2)/(1 - a/2))``."""
    return -jnp.log1p(-rates.swap_fee) + jnp.log1p(0.5 * rates.arb_fee) - jnp.log1p(-0.5 * rates.arb_fee)


def pool_gain(rates: FeeRates) -> Array:
    """What the pool receives per effective unit of input: ``(1 - (1-γ) f) / γ``."""
    return (1.0 - rates.swap_fee * rates.protocol_fee_split) / (1.0 - rates.swap_fee)


def optimal_moves(levels: Array, weights: Array, width: Array) -> Moves:
    """The trade of largest profit before fixed costs.

    Args:
        levels: (..., n) values per weight, ``u``.
        weights: (..., n).
        width: () of the no-trade band, ``g``.

    Returns:
        The moves; all zero where ``max u - min u ≤ g``.
    """
    if levels.shape[-1] == 2:
        return _two_token_moves(levels, weights, width)
    # F(m) = Σ w (max(m-g-u, 0) + min(m-u, 0)) is piecewise linear, with breakpoints at u and u + g. Its root lies between
    # the largest breakpoint where it is not positive and the smallest where it is not negative.
    gaps = levels[..., :, None] - levels[..., None, :]
    above, below = jnp.maximum(gaps, 0.0), jnp.minimum(gaps, 0.0)
    at_levels = jnp.sum(weights[..., None, :] * (jnp.maximum(gaps - width, 0.0) + below), axis=-1)
    at_shifted = jnp.sum(weights[..., None, :] * (above + jnp.minimum(gaps + width, 0.0)), axis=-1)
    low = jnp.maximum(
        _extreme(jnp.max, levels, at_levels <= 0.0, -jnp.inf),
        _extreme(jnp.max, levels, at_shifted <= 0.0, -jnp.inf) + width,
    )
    high = jnp.minimum(
        _extreme(jnp.min, levels, at_levels >= 0.0, jnp.inf),
        _extreme(jnp.min, levels, at_shifted >= 0.0, jnp.inf) + width,
    )
    # The sets that move follow from the bracket; given them, m is a weighted mean.
    entering, leaving = levels + width <= low, levels >= high
    active = jnp.where(entering | leaving, weights, 0.0)
    total = jnp.sum(active, axis=-1, keepdims=True)
    shifted = jnp.where(entering, levels + width, levels)
    level = jnp.sum(active * shifted, axis=-1, keepdims=True) / jnp.where(total > 0.0, total, 1.0)
    trades = spread(levels)[..., None] > width
    return Moves(
        rise=jnp.where(trades & entering, jnp.maximum(level - width - levels, 0.0), 0.0),
        fall=jnp.where(trades & leaving, jnp.minimum(level - levels, 0.0), 0.0),
    )


def _extreme(reduce: Callable[..., Array], levels: Array, where: Array, otherwise: float) -> Array:
    return reduce(jnp.where(where, levels, otherwise), axis=-1, keepdims=True)


def spread(levels: Array) -> Array:
    """``max u - min u``; (...,)."""
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


def profit(pool: Pool, moves: Moves, rates: FeeRates) -> Array:
    """What the arbitrageur earns before gas, in the quote currency; (...,)."""
    values = jnp.exp(pool.log_reserves + pool.log_prices)
    paid = jnp.sum(values * jnp.expm1(moves.rise), axis=-1) / (1.0 - rates.swap_fee)
    received = -jnp.sum(values * jnp.expm1(moves.fall), axis=-1)
    return received - paid - 0.5 * rates.arb_fee * (received + paid)


def settle(pool: Pool, rates: FeeRates, setup: PoolSetup) -> Moves:
    """The trade that takes place: the optimal one, or none where it does not earn its gas."""
    levels = pool.log_reserves + pool.log_prices - jnp.log(pool.weights)
    moves = optimal_moves(levels, pool.weights, band(rates))
    if not setup.has_gas:
        return moves
    worth = (profit(pool, moves, rates) >= rates.gas_cost)[..., None]
    return Moves(jnp.where(worth, moves.rise, 0.0), jnp.where(worth, moves.fall, 0.0))


def apply_moves(pool: Pool, moves: Moves, rates: FeeRates, setup: PoolSetup) -> Array:
    """Log reserves after a trade (and after the noise traders that follow it), (..., n).

    Noise volume in proportion ``ρ`` to the arbitrage volume lets all reserves grow by ``1 + ρ (1-γ') Σ_in δ p / Σ R p``
    (arXiv:2012.08040 App. B, arXiv:2307.02074 §5.3), where ``1-γ' = (1-γ)(1-f)`` is the pool's share of the fee.
    """
    after = pool.log_reserves + jnp.log1p(pool_gain(rates) * jnp.expm1(moves.rise)) + moves.fall
    if not setup.has_noise:
        return after
    volume = jnp.sum(jnp.exp(pool.log_reserves + pool.log_prices) * jnp.expm1(moves.rise), axis=-1, keepdims=True)
    value = jnp.sum(jnp.exp(after + pool.log_prices), axis=-1, keepdims=True)
    kept = rates.noise_trader_ratio * rates.swap_fee * (1.0 - rates.protocol_fee_split)
    return after + jnp.log1p(kept * volume / ((1.0 - rates.swap_fee) * value))
