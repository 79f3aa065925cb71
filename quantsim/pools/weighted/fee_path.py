"""Reserves of a pool that charges fees: one sequential pass forward, and its hand-written adjoint.

In every bar arbitrageurs trade twice: at the new prices against the old weights, then against the new weights. The pass
carries log reserves only. Most bars have no trade, so a condition of a few comparisons guards each trade.

Reverse-mode differentiation through the loop would take seconds. The adjoint only stores the log reserves after each trade,
and computes all trades from their differences, for all bars at once. Its only sequential part is a linear recurrence of
``O(n)`` per bar. With ``φ_i`` the sensitivity of a log reserve to its effective move, ``A_i`` the share of token
``i`` in the weight that moves and ``λ`` the cotangent of the log reserves after a trade,

    λ ← (1-φ) λ + (Σ φλ) A + (Σ λ) ν,

where ``ν`` is the contribution of noise traders, who multiply all reserves by one factor; it is zero without them. The
derivation is in docs/mathematics.md.

With exogenous swaps the loop runs over every bar; swaps follow the arbitrage of their bar, and JAX differentiates the loop.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from quantsim.pools.base import CostShape, PoolSetup
from quantsim.pools.market import FeeRates, Orders, at_bars, band, kept_fee, per_event, pool_gain
from quantsim.pools.steered.weights import Steering
from quantsim.pools.weighted import fee_scan
from quantsim.pools.weighted.arbitrage import PoolState, apply_moves, settle, spread
from quantsim.pools.weighted.swaps import fill_bar

__all__ = ["autodiff_log_reserves", "bar_pools", "event_pools", "fee_log_reserves", "traded_log_reserves"]


def autodiff_log_reserves(
    setup: PoolSetup[Steering], initial: Array, log_prices: Array, weights: Array, rates: FeeRates
) -> Array:
    """The recursion, differentiated by JAX: the reference for :func:`fee_log_reserves`, with the same arguments."""
    return _run(setup, initial, log_prices, weights, rates)[-1]


def traded_log_reserves(
    setup: PoolSetup[Steering], initial: Array, log_prices: Array, weights: Array, rates: FeeRates, orders: Orders
) -> tuple[Array, Array]:
    """Returns log reserves with exogenous swaps; differentiated by JAX.

    Arguments as for :func:`fee_log_reserves`, but for every bar, with or without an arbitrage visit; ``orders`` are those of
    the window.

    Returns:
        Log reserves after the arbitrage of every bar, and after its exogenous swaps, each (T, n).
    """
    *earlier, end = _run(setup, initial, log_prices, weights, rates, orders)
    return earlier[-1] if earlier else jnp.concatenate([initial[None], end[:-1]]), end


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def fee_log_reserves(
    setup: PoolSetup[Steering], initial: Array, log_prices: Array, weights: Array, rates: FeeRates
) -> Array:
    """Returns log reserves at the end of every bar, after both trades.

    Args:
        setup: setup of the pool; static.
        initial: (n,) log reserves at the first bar, in units of value at the prices that ``log_prices`` is relative to.
        log_prices: (T, n) relative log prices at the bars with an arbitrage visit.
        weights: (T, n) weights.
        rates: fees and costs, () or (T,).

    Returns:
        (T, n) log reserves, differentiable in every argument.
    """
    return _run(setup, initial, log_prices, weights, rates)[-1]


def bar_pools(
    log_reserves: Array, log_prices: Array, weights: Array, rates: FeeRates, setup: PoolSetup[Steering]
) -> list[PoolState]:
    """Returns the pool before each trade of every bar but the first, from the log reserves at the end of every bar.

    Returns:
        One pool of (T-1, n) arrays per trade of a bar: against the old weights and, if weights move, against the new ones.
    """
    return event_pools(log_reserves[:-1], log_prices, weights, rates, setup)


def event_pools(
    before: Array, log_prices: Array, weights: Array, rates: FeeRates, setup: PoolSetup[Steering]
) -> list[PoolState]:
    """Like :func:`bar_pools`, from the log reserves at the beginning of every bar but the first, (T-1, n)."""
    log_weights, rates = jnp.log(weights), at_bars(rates, slice(1, None))
    first = PoolState(before, log_prices[1:], weights[:-1], log_weights[:-1])
    if not setup.own.moves:
        return [first]
    return [first, PoolState(_event(first, rates, setup.costs), log_prices[1:], weights[1:], log_weights[1:])]


def _event(pool: PoolState, rates: FeeRates, costs: CostShape) -> Array:
    return apply_moves(pool, settle(pool, rates, costs), rates, costs)


# Of one bar, or of all: log prices, weights and their logarithms per trade, those costs that vary in time, and exogenous swaps.
_Bar = tuple[Array, list[tuple[Array, Array]], list[Array | None], tuple[Array, Array] | None]


def _run(
    setup: PoolSetup[Steering],
    initial: Array,
    log_prices: Array,
    weights: Array,
    rates: FeeRates,
    orders: Orders | None = None,
) -> list[Array]:
    """Returns log reserves after each trade of a bar, (T, n) per trade; exogenous swaps count as one trade."""
    log_weights, rates = jnp.log(weights), at_bars(rates, slice(1, None))
    if orders is None and _is_scanned(setup):
        return fee_scan.scanned_log_reserves(setup, initial, log_prices, [weights[at] for at in _seen(setup)], rates)
    width: Array = band(rates)
    old: Any = _OLD
    if orders is not None and setup.arb_frequency > 1:
        bars = np.arange(1, log_prices.shape[0])
        width = jnp.where(bars % setup.arb_frequency == 0, width, jnp.inf)  # nobody looks at the pool in between
        old = np.maximum(bars - setup.arb_frequency, 0)
    costs = [width, *rates]

    def trade(log_reserves: Array, event: tuple[Array, Array, Array], width: Array, rates: FeeRates) -> Array:
        pool = PoolState(log_reserves, *event)
        after: Array = jax.lax.cond(
            spread(pool.levels) <= width,
            lambda pool: pool.log_reserves,
            lambda pool: _event(pool, rates, setup.costs),
            pool,
        )
        return after

    def fill(log_reserves: Array, slot: Array, weight: Array, rates: FeeRates, orders: Orders) -> Array:
        after: Array = jax.lax.cond(
            slot > 0,
            lambda before: fill_bar(before, weight, rates, orders, orders.table[slot])[0],
            lambda before: before,
            log_reserves,
        )
        return after

    def step(log_reserves: Array, bar: _Bar) -> tuple[Array, list[Array]]:
        log_price, events, varying, given = bar
        width, *now = (cost if of_bar is None else of_bar for cost, of_bar in zip(costs, varying, strict=True))
        after = []
        for weight, log_weight in events:
            log_reserves = trade(log_reserves, (log_price, weight, log_weight), width, FeeRates(*now))
            after.append(log_reserves)
        if orders is not None and given is not None:
            log_reserves = fill(log_reserves, *given, FeeRates(*now), orders)
            after.append(log_reserves)
        return log_reserves, after

    events = [(weights[at], log_weights[at]) for at in _seen(setup, old)] if setup.do_arb else []
    given = None if orders is None else (orders.slots[1:], weights[1:])
    of_bars: _Bar = (log_prices[1:], events, [cost if cost.ndim else None for cost in costs], given)
    paths = jax.lax.scan(step, initial, of_bars)[1]
    return [jnp.concatenate([initial[None], path]) for path in paths]


_OLD = slice(None, -1)


def _seen(setup: PoolSetup[Steering], old: Any = _OLD) -> list[Any]:
    """Returns the weights that the trades of a bar are against: the old ones and, if weights move, the new ones."""
    return [old, slice(1, None)] if setup.own.moves else [old]


def _is_scanned(setup: PoolSetup[Steering]) -> bool:
    return setup.scan_mode == "associative" and fee_scan.serves(setup)


class _Tangent(NamedTuple):
    """The derivative of one trade, in the notation of the module's docstring; (T-1, n), but ``total`` is (T-1, 1).

    The cotangent of the moves themselves is ``η = φ λ + (Σ λ) ψ``, and ``Σ η`` splits into ``Σ φλ + (Σ λ) Σψ``.
    """

    phi: Array
    share: Array  # A
    move: Array  # effective: the rise of what comes in, the fall of what goes out
    total: Array  # Σ_active w
    noise: _Noise | None


class _Noise(NamedTuple):
    """The contribution of noise traders to the derivative of a trade, per Σ λ; (T-1, n)."""

    nu: Array
    psi: Array
    direct: Array  # of the log prices through the volume and the value


def _tangent(pool: PoolState, after: Array, rates: FeeRates, setup: PoolSetup[Steering]) -> _Tangent:
    """Computes a trade's derivative from the log reserves before and after it.

    Without noise the change of a log reserve is ``δ = log1p(c expm1(h))`` on the way in, so ``h = log1p(expm1(δ)/c)`` and
    ``φ = dδ/dh = 1 + (c-1) exp(-δ)``. With noise traders, whose growth hides the trade, and with an associative scan, which
    leaves rounding errors in bars without a trade, the trade is computed again.
    """
    gain = per_event(pool_gain(rates))
    if setup.costs.has_noise or _is_scanned(setup):
        moves = settle(pool, rates, setup.costs)
        entering, leaving = moves.rise > 0.0, moves.fall < 0.0
        move = moves.rise + moves.fall
        change = jnp.log1p(gain * jnp.expm1(moves.rise))
    else:
        change = after - pool.log_reserves
        entering, leaving = change > 0.0, change < 0.0
        move = jnp.where(entering, jnp.log1p(jnp.expm1(change) / gain), change)
    phi = jnp.where(entering, 1.0 + (gain - 1.0) * jnp.exp(-change), jnp.where(leaving, 1.0, 0.0))
    active = jnp.where(entering | leaving, pool.weights, 0.0)
    total = jnp.sum(active, axis=-1, keepdims=True)
    total = jnp.where(total > 0.0, total, 1.0)
    share = active / total
    noise = _noise(pool, entering, move, phi, share, rates) if setup.costs.has_noise else None
    return _Tangent(phi, share, move, total, noise)


def _noise(pool: PoolState, entering: Array, move: Array, phi: Array, share: Array, rates: FeeRates) -> _Noise:
    kept = per_event(rates.noise_trader_ratio * kept_fee(rates))
    values = jnp.exp(pool.log_reserves + pool.log_prices)
    grown = jnp.where(entering, jnp.expm1(move), 0.0)
    after = values * (1.0 + per_event(pool_gain(rates)) * grown) * jnp.where(entering, 1.0, jnp.exp(move))
    value = jnp.sum(after, axis=-1, keepdims=True)
    bought = kept * values * grown
    growth = value + jnp.sum(bought, axis=-1, keepdims=True)  # the value once noise traders have paid, too
    dilution = (growth - value) / (value * growth) * after
    psi = jnp.where(entering, kept * values * (grown + 1.0), 0.0) / growth - phi * dilution
    direct = bought / growth - dilution
    return _Noise(direct - psi + share * jnp.sum(psi, axis=-1, keepdims=True), psi, direct)


def _pull(after: Array, tangent: _Tangent) -> Array:
    """Returns the cotangent of the log reserves before a trade, from the one after it."""
    weighted = tangent.phi * after
    before = after - weighted + jnp.sum(weighted, axis=-1, keepdims=True) * tangent.share
    if tangent.noise is None:
        return before
    return before + jnp.sum(after, axis=-1, keepdims=True) * tangent.noise.nu


def _pull_matrix(tangent: _Tangent) -> Array:
    """Returns :func:`_pull` as matrices, (T-1, n, n)."""
    phi = tangent.phi[..., None, :]
    matrix = jnp.eye(phi.shape[-1]) * (1.0 - phi) + tangent.share[..., None] * phi
    return matrix if tangent.noise is None else matrix + tangent.noise.nu[..., None]


def _input_cotangents(after: Array, tangent: _Tangent, pool: PoolState) -> tuple[Array, Array]:
    """Returns the cotangents of the log prices and of the weights of one trade, (T-1, n) each."""
    eta = tangent.phi * after
    if tangent.noise is not None:
        eta = eta + jnp.sum(after, axis=-1, keepdims=True) * tangent.noise.psi
    level = jnp.sum(eta, axis=-1, keepdims=True)
    of_levels = level * tangent.share - eta
    of_weights = -level * tangent.move / tangent.total - of_levels / pool.weights
    if tangent.noise is None:
        return of_levels, of_weights
    return of_levels + jnp.sum(after, axis=-1, keepdims=True) * tangent.noise.direct, of_weights


_Residual = tuple[list[Array], Array, Array, FeeRates]


def _forward(
    setup: PoolSetup[Steering], initial: Array, log_prices: Array, weights: Array, rates: FeeRates
) -> tuple[Array, _Residual]:
    paths = _run(setup, initial, log_prices, weights, rates)
    return paths[-1], (paths, log_prices, weights, rates)


def _backward(
    setup: PoolSetup[Steering], residual: _Residual, cotangent: Array
) -> tuple[Array, Array, Array, FeeRates]:
    paths, log_prices, weights, rates = residual
    starts = [paths[-1][:-1], *(path[1:] for path in paths[:-1])]
    log_weights = jnp.log(weights)
    pools = [
        PoolState(start, log_prices[1:], weights[at], log_weights[at])
        for start, at in zip(starts, _seen(setup), strict=True)
    ]
    after_first = at_bars(rates, slice(1, None))
    tangents = [_tangent(pool, path[1:], after_first, setup) for pool, path in zip(pools, paths, strict=True)]

    def step(after: Array, bar: tuple[list[_Tangent], Array]) -> tuple[Array, Array]:
        bar_tangents, added = bar
        return functools.reduce(_pull, reversed(bar_tangents), after) + added, after

    if setup.scan_mode == "associative":
        matrices = functools.reduce(lambda pulls, more: more @ pulls, [_pull_matrix(one) for one in reversed(tangents)])
        initial_cotangent, adjoint = fee_scan.matrix_recurrence(matrices, cotangent[:-1], cotangent[-1])
    else:
        initial_cotangent, adjoint = jax.lax.scan(step, cotangent[-1], (tangents, cotangent[:-1]), reverse=True)

    price_bar, weight_bar = jnp.zeros_like(adjoint), []
    after = adjoint
    for pool, tangent in zip(reversed(pools), reversed(tangents), strict=True):
        of_prices, of_weights = _input_cotangents(after, tangent, pool)
        price_bar += of_prices
        weight_bar.append(of_weights)
        after = _pull(after, tangent)
    nothing = jnp.zeros_like(initial_cotangent)[None]
    of_new = weight_bar[0] if setup.own.moves else jnp.zeros_like(adjoint)
    weights_cotangent = jnp.concatenate([weight_bar[-1], nothing]) + jnp.concatenate([nothing, of_new])

    # Given the adjoint, the cotangents of the rates are one vectorised pass (dropped where nobody asks).
    def bars(rates: FeeRates) -> Array:
        last = bar_pools(paths[-1], log_prices, weights, rates, setup)[-1]
        return _event(last, at_bars(rates, slice(1, None)), setup.costs)

    rate_bar: FeeRates = jax.vjp(bars, rates)[1](adjoint)[0]
    return initial_cotangent, jnp.concatenate([nothing, price_bar]), weights_cotangent, rate_bar


fee_log_reserves.defvjp(_forward, _backward)
