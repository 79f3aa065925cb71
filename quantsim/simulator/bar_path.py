"""The full path of a pool over one window, at every bar."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from quantsim.simulator.arbitrage import Pool, settle
from quantsim.simulator.fee_path import bar_pools, fee_log_reserves
from quantsim.simulator.setup import FeeRates, Market, PoolSetup
from quantsim.simulator.weights import Ramps, bar_weights
from quantsim.simulator.zero_fee import bar_log_values

__all__ = ["BarPath", "bar_path"]


class BarPath(NamedTuple):
    """What a pool did, bar by bar. Parts that nobody uses are dropped when the caller is compiled.

    Attributes:
        value: (T,) pool value, in the quote currency.
        reserves: (T, n) tokens in the pool.
        weights: (T, n); for a pool that only holds, shares of value.
        fee_revenue: () fees kept by the pool over the window, in the quote currency.
    """

    value: Array
    reserves: Array
    weights: Array
    fee_revenue: Array


def bar_path(
    ramps: Ramps, market: Market, start: Array, n_bars: int, rates: FeeRates, setup: PoolSetup, *, fees: bool
) -> BarPath:
    """Runs a pool over ``n_bars`` bars from bar ``start``.

    Args:
        ramps: weights of the window, (M, n).
        market: prices, (T_all, n).
        start: () index of the first bar.
        n_bars: length of the window, ``T``.
        rates: fees and costs.
        setup: of the pool.
        fees: whether to run the recursion that charges fees; the closed form serves otherwise.
    """
    prices = jax.lax.dynamic_slice_in_dim(market.prices, start, n_bars)
    log_prices = jax.lax.dynamic_slice_in_dim(market.log_prices, start, n_bars)
    weights = bar_weights(ramps, n_bars, setup)
    nothing = jnp.zeros((), prices.dtype)
    if setup.holds:
        reserves = jnp.broadcast_to(setup.initial_value * weights[0] / prices[0], prices.shape)
        value = jnp.sum(reserves * prices, axis=-1)
        shown = reserves * prices / value[:, None] if setup.shows_shares else weights
        return BarPath(value, reserves, shown, nothing)

    visited = slice(None, None, setup.arb_frequency)
    if fees:
        initial = jnp.log(setup.initial_value * weights[0]) - log_prices[0]
        log_reserves = fee_log_reserves(setup, initial, log_prices[visited], weights[visited], rates)
        reserves = jnp.exp(log_reserves + log_prices[visited]) / prices[visited]
        revenue = _fee_revenue(log_reserves, log_prices[visited], weights[visited], rates, setup)
    else:
        value = setup.initial_value * jnp.exp(bar_log_values(weights[visited], log_prices[visited]))
        reserves = value[:, None] * weights[visited] / prices[visited]
        revenue = nothing
    if setup.arb_frequency > 1:
        reserves = jnp.repeat(reserves, setup.arb_frequency, axis=0)[:n_bars]
    elif not fees:
        return BarPath(value, reserves, weights, revenue)
    return BarPath(jnp.sum(reserves * prices, axis=-1), reserves, weights, revenue)


def _fee_revenue(log_reserves: Array, log_prices: Array, weights: Array, rates: FeeRates, setup: PoolSetup) -> Array:
    """Fees that stay in the pool: those of the arbitrage trades and those of the noise traders that follow them."""
    kept = rates.swap_fee * (1.0 - rates.protocol_fee_split) / (1.0 - rates.swap_fee)
    total = jnp.zeros((), log_reserves.dtype)
    for pool in bar_pools(log_reserves, log_prices, weights, rates, setup):
        total += jnp.sum(kept * _volume_in(pool, rates, setup))
    return total * (1.0 + rates.noise_trader_ratio)


def _volume_in(pool: Pool, rates: FeeRates, setup: PoolSetup) -> Array:
    """Value of what arbitrageurs bring in per event, before the fee is added; (T-1,)."""
    values = jnp.exp(pool.log_reserves + pool.log_prices)
    return jnp.sum(values * jnp.expm1(settle(pool, rates, setup).rise), axis=-1)
