"""A window of a pool that charges fees: its reserves, and the quantities that follow from them at any bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from jax import Array

from quantsim.array_types import Bars
from quantsim.objective import Period
from quantsim.pools.base import PoolSetup, Window
from quantsim.pools.exogenous_swaps import Fills, window_orders
from quantsim.pools.market import FeeRates, Market, Orders, at_bars, kept_fee
from quantsim.pools.run import Run
from quantsim.pools.steered.hours import opening
from quantsim.pools.steered.weights import Steering
from quantsim.pools.weighted.arbitrage import PoolState, settle
from quantsim.pools.weighted.fee_kernels import kernel_pass
from quantsim.pools.weighted.fee_path import event_pools, fee_log_reserves, traded_log_reserves
from quantsim.pools.weighted.swaps import base_prices, fills_of
from quantsim.volume.growth import log_growth, log_volatility

__all__ = ["FeeRun", "fee_run", "volume_in"]


@dataclass(frozen=True, eq=False)
class FeeRun(Run):
    """The log reserves at the bars where they may change, and the inputs that they were computed from.

    Attributes:
        log_reserves: (ceil(T/k), n) log reserves, in units of value at the prices that ``log_prices`` is relative to; (T, n),
            for every bar, with exogenous swaps.
        log_prices: (T, n) log prices.
        prices: (T, n) prices.
        weights: (T, n) weights.
        rates: rates in the window, () or (T,).
        setup: setup of the pool; ``k`` is its ``arb_frequency``.
        orders: exogenous swaps of the window; None if there are none.
        arbitraged: (T, n) log reserves of every bar before its exogenous swaps; None if there are none.
        base: (n,) prices that ``log_prices`` is relative to; None without exogenous swaps.
        volume: (ceil(T/k),) value of the arbitrageurs' effective input at every visit, if the pass has computed it.
        growth: (ceil(T/k),) log factor by which elastic noise has multiplied the reserves at every visit, which
            ``log_reserves`` and ``volume`` contain; None without elastic volume.
    """

    log_reserves: Array
    log_prices: Array
    prices: Array
    weights: Array
    rates: FeeRates
    setup: PoolSetup[Steering]
    orders: Orders | None = None
    arbitraged: Array | None = None
    base: Array | None = None
    volume: Array | None = None
    growth: Array | None = None

    def _values_at(self, bars: Bars) -> Array:
        """Returns the value of each token's reserves at chosen bars, (S, n), in the quote currency; constant between visits."""
        every = self._are_all(bars)
        log_prices = self.log_prices if every else self.log_prices[bars]
        stride = self.setup.arb_frequency if self.orders is None else 1
        visits = bars // stride
        untouched = every and stride == 1
        return jnp.exp((self.log_reserves if untouched else self.log_reserves[visits]) + log_prices)

    def value_at(self, bars: Bars) -> Array:
        return jnp.sum(self._values_at(bars), axis=-1)

    def reserves_at(self, bars: Bars) -> Array:
        return self._values_at(bars) / (self.prices if self._are_all(bars) else self.prices[bars])

    def shares_at(self, bars: Bars) -> Array:
        values = self._values_at(bars)
        return values / jnp.sum(values, axis=-1, keepdims=True)

    def fee_revenue(self, periods: Sequence[Period]) -> Array:
        """Returns the fees from arbitrage, noise trades and exogenous swaps that stay in the pool in each period, (P,)."""
        fills = self.fills()
        total = jnp.zeros(len(periods))
        if fills is not None:
            inside = [(fills.bar > period.first) & (fills.bar < period.end) for period in periods]
            total += jnp.stack([jnp.sum(jnp.where(within, fills.fee, 0.0)) for within in inside])
        if not self.setup.do_arb:
            return total
        earned, stride = self._earned(), self.setup.arb_frequency
        return total + jnp.stack([jnp.sum(earned[period.visits(stride)]) for period in periods])

    def fees_by_bar(self, n_bars: int) -> Array | None:
        fees, fills = jnp.zeros(n_bars), self.fills()
        if fills is not None:
            inside = (fills.bar > 0) & (fills.bar < n_bars)
            fees = fees.at[jnp.where(inside, fills.bar, 0)].add(jnp.where(inside, fills.fee, 0.0))
        return fees.at[:: self.setup.arb_frequency].add(self._earned()) if self.setup.do_arb else fees

    def _earned(self) -> Array:
        """Returns the fees from arbitrage and noise trades that stay in the pool at each visit, (V,)."""
        earned, noise = self._earned_with_arbitrage(), self._earned_by_growth()
        return earned if noise is None else earned + noise

    def _earned_by_growth(self) -> Array | None:
        """Returns the fees of elastic noise since the visit before, (V,), at the prices of the visit; None without it."""
        if self.growth is None:
            return None
        prices = self.log_prices[:: self.setup.arb_frequency]
        held = jnp.sum(jnp.exp(self.log_reserves[:-1] + prices[1:]), axis=-1)
        return jnp.concatenate([jnp.zeros(1), held * jnp.expm1(jnp.diff(self.growth))])

    def noise_by_bar(self, n_bars: int) -> Array | None:
        noise = self._earned_by_growth()
        return None if noise is None else jnp.zeros(n_bars).at[:: self.setup.arb_frequency].set(noise)

    def _earned_with_arbitrage(self) -> Array:
        """Returns the fees from arbitrage and noise trades in proportion to it, (V,)."""
        stride = self.setup.arb_frequency
        visited = slice(None, None, stride)
        rates = at_bars(self.rates, visited)
        if self.volume is not None:
            return kept_fee(rates) * self.volume * (1.0 + rates.noise_trader_ratio)
        before = self.log_reserves[:-1] if self.orders is None else self.log_reserves[stride - 1 : -1 : stride]
        if self.growth is not None:
            before = before + jnp.diff(self.growth)[:, None]
        states = event_pools(before, self.log_prices[visited], self.weights[visited], rates, self.setup)
        rates = at_bars(rates, slice(1, None))
        volume = sum(volume_in(state, rates, self.setup) for state in states)
        earned = kept_fee(rates) * volume * (1.0 + rates.noise_trader_ratio)
        return jnp.concatenate([jnp.zeros(1), earned])  # nobody trades at the window's first bar

    def _are_all(self, bars: Bars) -> bool:
        return np.array_equal(bars, np.arange(self.log_prices.shape[0]))

    def fills(self) -> Fills | None:
        """Returns the results of exogenous swaps; None if there are none."""
        if self.orders is None or self.arbitraged is None or self.base is None:
            return None
        return fills_of(self.arbitraged, self.log_prices, self.weights, self.rates, self.orders, self.base)


def fee_run(setup: PoolSetup[Steering], weights: Array, market: Market, rates: FeeRates, window: Window) -> FeeRun:
    """Runs a pool over a window.

    Args:
        setup: setup of the pool.
        weights: (T, n) weights in the window.
        market: prices and exogenous swaps, (T_all, n).
        rates: fees and costs in the window, () or (T,).
        window: the window.
    """
    prices, log_prices = window.cut(market.prices), window.cut(market.log_prices)
    initial = jnp.log(setup.initial_value * weights[0]) - log_prices[0]
    if market.orders is not None:
        base = base_prices(market)
        orders = window_orders(market.orders, window.start, window.n_bars, base)
        arbitraged, log_reserves = traded_log_reserves(setup, initial, log_prices, weights, rates, orders)
        swaps = orders, arbitraged, base
        return FeeRun(log_reserves, log_prices, prices, weights, rates, setup, *swaps)
    visited = slice(None, None, setup.arb_frequency)
    if setup.scan_mode == "kernel":
        seen = weights[visited] if setup.own.moves else weights[:1]
        log_reserves, volume = kernel_pass(initial, log_prices[visited], seen, at_bars(rates, visited))
    else:
        log_reserves = fee_log_reserves(setup, initial, log_prices[visited], weights[visited], at_bars(rates, visited))
        volume = None
    run = FeeRun(log_reserves, log_prices, prices, weights, rates, setup, volume=volume)
    return run if setup.costs.volume is None else _with_elastic_noise(run, market, window)


def _with_elastic_noise(run: FeeRun, market: Market, window: Window) -> FeeRun:
    """Returns the run of the same pool with noise traders of elastic volume; see :mod:`quantsim.volume.growth`."""
    setup, inputs, shape = run.setup, market.volume, run.setup.costs.volume
    if inputs is None or shape is None:
        raise ValueError("the market has no inputs of elastic volume")
    visited = slice(None, None, setup.arb_frequency)
    bars_per_day = 1440.0 / setup.bar_minutes
    measured = log_volatility(market.log_prices, shape.volatility_bars, bars_per_day, inputs.reference_volatility)
    passed = jnp.cumsum(window.cut(inputs.exposure) * opening(setup.own, window.n_bars))[visited]
    rates = at_bars(run.rates, visited)
    growth = log_growth(
        jnp.sum(jnp.exp(run.log_reserves + run.log_prices[visited]), axis=-1),
        rates.swap_fee,
        1.0 - rates.protocol_fee_split,
        window.cut(measured)[visited],
        jnp.diff(passed),
        inputs,
        shape,
    )
    volume = None if run.volume is None else run.volume * jnp.exp(growth)
    return replace(run, log_reserves=run.log_reserves + growth[:, None], volume=volume, growth=growth)


def volume_in(state: PoolState, rates: FeeRates, setup: PoolSetup[Steering]) -> Array:
    """Returns the value of the arbitrageurs' input per event, before the fee, (T-1,)."""
    values = jnp.exp(state.log_reserves + state.log_prices)
    return jnp.sum(values * jnp.expm1(settle(state, rates, setup.costs).rise), axis=-1)
