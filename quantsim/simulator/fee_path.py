"""Reserves of a pool that charges fees: one sequential pass forward, and its hand-written adjoint.

In every bar arbitrageurs trade twice: at the new prices against the old weights, then against the new weights. Only the log
reserves are carried. Most bars trade nothing, so the trade sits behind a condition that costs a few comparisons.

Reverse-mode differentiation through the loop would take seconds. The adjoint keeps nothing but the log reserves, recomputes
every trade for all bars at once, and leaves one linear recurrence of ``O(n)`` per bar as the only sequential part. With
``φ_i`` the sensitivity of a log reserve to its effective move, ``A_i`` the share of token ``i`` in the weight that moves and
``λ`` the cotangent of the log reserves after a trade,

    λ ← (1-φ) λ + (Σ φλ) A + (Σ λ) ν,

where ``ν`` is the part of the noise traders, who scale all reserves alike, and zero without them. The derivation is in
docs/mathematics.md.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from quantsim.simulator.arbitrage import Moves, Pool, apply_moves, band, pool_gain, settle
from quantsim.simulator.setup import FeeRates, PoolSetup

__all__ = ["autodiff_log_reserves", "bar_pools", "fee_log_reserves"]


def autodiff_log_reserves(
    setup: PoolSetup, initial: Array, log_prices: Array, weights: Array, rates: FeeRates
) -> Array:
    """The recursion itself, differentiated by JAX: the reference for :func:`fee_log_reserves`, same arguments."""
    width = band(rates)
    levels = log_prices[1:] - jnp.log(weights[:-1])
    shifts = jnp.log(weights[:-1]) - jnp.log(weights[1:])

    def step(log_reserves: Array, bar: tuple[Array, Array, Array, Array, Array]) -> tuple[Array, Array]:
        level, shift, price, old, new = bar

        def trade(log_reserves: Array) -> Array:
            log_reserves = _event(Pool(log_reserves, price, old), rates, setup)
            if not setup.moves:
                return log_reserves
            return _event(Pool(log_reserves, price, new), rates, setup)

        before = log_reserves + level
        quiet = _spread(before) <= width
        if setup.moves:
            quiet &= _spread(before + shift) <= width
        log_reserves = jax.lax.cond(quiet, lambda same: same, trade, log_reserves)
        return log_reserves, log_reserves

    bars = (levels, shifts, log_prices[1:], weights[:-1], weights[1:])
    return jnp.concatenate([initial[None], jax.lax.scan(step, initial, bars)[1]])


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def fee_log_reserves(setup: PoolSetup, initial: Array, log_prices: Array, weights: Array, rates: FeeRates) -> Array:
    """Log reserves at the end of every bar, both trades done.

    Args:
        setup: of the pool; static.
        initial: (n,) log reserves at the first bar, in units of value at the prices that ``log_prices`` is relative to.
        log_prices: (T, n) relative log prices of the bars visited.
        weights: (T, n).
        rates: fees and costs.

    Returns:
        (T, n). Differentiable in every argument.
    """
    return autodiff_log_reserves(setup, initial, log_prices, weights, rates)


def _spread(levels: Array) -> Array:
    if levels.shape[-1] == 2:
        return jnp.abs(levels[..., 0] - levels[..., 1])
    return jnp.max(levels, axis=-1) - jnp.min(levels, axis=-1)


# Which weights the two trades of a bar see, among those of all bars.
_OLD_AND_NEW = (slice(None, -1), slice(1, None))


def bar_pools(log_reserves: Array, log_prices: Array, weights: Array, rates: FeeRates, setup: PoolSetup) -> list[Pool]:
    """The pool before each trade of every bar but the first, from the log reserves at the end of every bar.

    Returns:
        One pool of (T-1, n) arrays per trade of a bar: against the old weights, and, where weights ever move, the new.
    """
    first = Pool(log_reserves[:-1], log_prices[1:], weights[:-1])
    if not setup.moves:
        return [first]
    return [first, Pool(_event(first, rates, setup), log_prices[1:], weights[1:])]


def _event(pool: Pool, rates: FeeRates, setup: PoolSetup) -> Array:
    return apply_moves(pool, settle(pool, rates, setup), rates, setup)


class _Tangent(NamedTuple):
    """The derivative of one trade, in the terms of the module's docstring; (T-1, n) but for the sums, (T-1, 1).

    The cotangent of the moves themselves is ``η = φ λ + (Σ λ) ψ``, and ``Σ η`` splits into ``Σ φλ + (Σ λ) Σψ``.
    """

    phi: Array
    share: Array  # A
    nu: Array | None
    psi: Array | None
    direct: Array | None  # of the log prices through the noise volume, per Σ λ
    moves: Moves
    total: Array  # Σ_active w


def _tangent(pool: Pool, rates: FeeRates, setup: PoolSetup) -> _Tangent:
    moves = settle(pool, rates, setup)
    entering, leaving = moves.rise > 0.0, moves.fall < 0.0
    gain = pool_gain(rates)
    grown = jnp.expm1(moves.rise)
    phi = jnp.where(entering, gain * (grown + 1.0) / (1.0 + gain * grown), jnp.where(leaving, 1.0, 0.0))
    active = jnp.where(entering | leaving, pool.weights, 0.0)
    total = jnp.sum(active, axis=-1, keepdims=True)
    share = active / jnp.where(total > 0.0, total, 1.0)
    if not setup.has_noise:
        return _Tangent(phi, share, None, None, None, moves, total)
    kept = rates.noise_trader_ratio * rates.swap_fee * (1.0 - rates.protocol_fee_split) / (1.0 - rates.swap_fee)
    values = jnp.exp(pool.log_reserves + pool.log_prices)
    after = values * (1.0 + gain * grown) * jnp.exp(moves.fall)
    value = jnp.sum(after, axis=-1, keepdims=True)
    bought = kept * values * grown
    growth = value + jnp.sum(bought, axis=-1, keepdims=True)  # value · (1 + kept volume / value)
    dilution = jnp.sum(bought, axis=-1, keepdims=True) / (value * growth) * after
    psi = jnp.where(entering, kept * values * (grown + 1.0), 0.0) / growth - phi * dilution
    direct = bought / growth - dilution
    nu = direct - psi + share * jnp.sum(psi, axis=-1, keepdims=True)
    return _Tangent(phi, share, nu, psi, direct, moves, total)


def _pull(after: Array, tangent: _Tangent) -> Array:
    """Cotangent of the log reserves before a trade, from that after it."""
    before = after - tangent.phi * after + jnp.sum(tangent.phi * after, axis=-1, keepdims=True) * tangent.share
    if tangent.nu is None:
        return before
    return before + jnp.sum(after, axis=-1, keepdims=True) * tangent.nu


def _input_cotangents(after: Array, tangent: _Tangent, pool: Pool) -> tuple[Array, Array]:
    """Cotangents of the log prices and of the weights of one trade, (T-1, n) each."""
    eta = tangent.phi * after
    if tangent.psi is not None:
        eta = eta + jnp.sum(after, axis=-1, keepdims=True) * tangent.psi
    level = jnp.sum(eta, axis=-1, keepdims=True)
    of_levels = level * tangent.share - eta
    move = tangent.moves.rise + tangent.moves.fall
    of_weights = -level * move / jnp.where(tangent.total > 0.0, tangent.total, 1.0) - of_levels / pool.weights
    if tangent.direct is None:
        return of_levels, of_weights
    return of_levels + jnp.sum(after, axis=-1, keepdims=True) * tangent.direct, of_weights


_Residual = tuple[Array, Array, Array, FeeRates]


def _forward(
    setup: PoolSetup, initial: Array, log_prices: Array, weights: Array, rates: FeeRates
) -> tuple[Array, _Residual]:
    log_reserves = fee_log_reserves(setup, initial, log_prices, weights, rates)
    return log_reserves, (log_reserves, log_prices, weights, rates)


def _backward(setup: PoolSetup, residual: _Residual, cotangent: Array) -> tuple[Array, Array, Array, FeeRates]:
    log_reserves, log_prices, weights, rates = residual
    pools = bar_pools(log_reserves, log_prices, weights, rates, setup)
    tangents = [_tangent(pool, rates, setup) for pool in pools]

    def step(after: Array, bar: tuple[list[_Tangent], Array]) -> tuple[Array, Array]:
        bar_tangents, added = bar
        before = functools.reduce(_pull, reversed(bar_tangents), after)
        return before + added, after

    initial_cotangent, adjoint = jax.lax.scan(step, cotangent[-1], (tangents, cotangent[:-1]), reverse=True)

    price_bar, weight_bar = jnp.zeros_like(log_prices), jnp.zeros_like(weights)
    after = adjoint
    for pool, tangent, at in reversed(list(zip(pools, tangents, _OLD_AND_NEW, strict=False))):
        of_prices, of_weights = _input_cotangents(after, tangent, pool)
        price_bar, weight_bar = price_bar.at[1:].add(of_prices), weight_bar.at[at].add(of_weights)
        after = _pull(after, tangent)

    # The rates are scalars: given the adjoint, their cotangents are one vectorised pass (dropped where nobody asks).
    def bars(rates: FeeRates) -> Array:
        last = bar_pools(log_reserves, log_prices, weights, rates, setup)[-1]
        return _event(last, rates, setup)

    rate_bar: FeeRates = jax.vjp(bars, rates)[1](adjoint)[0]
    return initial_cotangent, price_bar, weight_bar, rate_bar


fee_log_reserves.defvjp(_forward, _backward)
