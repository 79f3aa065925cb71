"""The full path of a pool over one window, at every bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from quantsim.objective import Period
from quantsim.pools.batch import BatchRun, batch_run
from quantsim.pools.market import FeeRates, Market
from quantsim.pools.weighted.exogenous_swaps import Fills, window_orders
from quantsim.pools.weighted.fee_run import FeeRun, fee_run
from quantsim.pools.weighted.interpolation import bar_weights
from quantsim.pools.weighted.weights import Ramps
from quantsim.pools.weighted.zero_fee import bar_log_values
from quantsim.simulator.setup import PoolSetup

__all__ = ["BarPath", "bar_path", "sequential_run"]


class BarPath(NamedTuple):
    """What a pool did, bar by bar. Parts that nobody uses are dropped when the caller is compiled.

    Attributes:
        value: (T,) pool value, in the quote currency.
        reserves: (T, n) tokens in the pool.
        weights: (T, n); for a pool that only holds, shares of value.
        prices: (T, n) of what the pool holds, in the quote currency.
        fee_revenue: (P,) fees kept by the pool in each period, in the quote currency.
        fills: what became of exogenous swaps, (N,); None where there are none.
    """

    value: Array
    reserves: Array
    weights: Array
    prices: Array
    fee_revenue: Array
    fills: Fills | None = None


def bar_path(
    ramps: Ramps,
    market: Market,
    start: Array,
    n_bars: int,
    rates: FeeRates,
    setup: PoolSetup,
    *,
    fees: bool,
    periods: Sequence[Period],
) -> BarPath:
    """Runs a pool over ``n_bars`` bars from bar ``start``.

    Args:
        ramps: weights of the window, (M, n).
        market: prices, (T_all, n).
        start: () index of the first bar.
        n_bars: length of the window, ``T``.
        rates: fees and costs of the window, () or (T,).
        setup: of the pool.
        fees: whether to run the recursion that charges fees; the closed form serves otherwise, but for batches.
        periods: parts of the window for which fee revenue is counted.
    """
    prices = jax.lax.dynamic_slice_in_dim(market.prices, start, n_bars)
    log_prices = jax.lax.dynamic_slice_in_dim(market.log_prices, start, n_bars)
    weights = bar_weights(ramps, n_bars, setup)
    nothing = jnp.zeros(len(periods), prices.dtype)
    if setup.holds:
        reserves = jnp.broadcast_to(setup.initial_value * weights[0] / prices[0], prices.shape)
        value = jnp.sum(reserves * prices, axis=-1)
        shown = reserves * prices / value[:, None] if setup.shows_shares else weights
        return BarPath(value, reserves, shown, prices, nothing)

    every = np.arange(n_bars)
    visited = slice(None, None, setup.arb_frequency)
    fills = None
    if fees or setup.batches:
        run = sequential_run(weights, market, start, rates, setup)
        value = run.value_at(every)
        reserves = run.at(every) / prices
        revenue = run.fee_revenue(rates, periods)
        if isinstance(run, FeeRun):
            fills = run.fills(rates, market.prices[0] * jnp.exp(-market.log_prices[0]))
    else:
        value = setup.initial_value * jnp.exp(bar_log_values(weights[visited], log_prices[visited]))
        reserves = value[:, None] * weights[visited] / prices[visited]
        revenue = nothing
        if setup.arb_frequency > 1:
            reserves = jnp.repeat(reserves, setup.arb_frequency, axis=0)[:n_bars]
            value = jnp.sum(reserves * prices, axis=-1)
    return BarPath(value, reserves, weights, prices, revenue, fills)


def sequential_run(
    weights: Array, market: Market, start: Array, rates: FeeRates, setup: PoolSetup
) -> FeeRun | BatchRun:
    """Runs a pool bar by bar over the window of the weights, (T, n): swap by swap, or batch by batch.

    Args:
        weights: (T, n).
        market: prices, (T_all, n).
        start: () index of the window's first bar.
        rates: fees and costs of the window, () or (T,).
        setup: of the pool.
    """
    n_bars = weights.shape[0]
    if setup.batches:
        return batch_run(weights[0], jax.lax.dynamic_slice_in_dim(market.prices, start, n_bars), rates, setup)
    log_prices = jax.lax.dynamic_slice_in_dim(market.log_prices, start, n_bars)
    return fee_run(weights, log_prices, rates, setup, window_orders(market, start, n_bars))
