"""A window of a pool that charges fees: its reserves, and what can be read off them at any bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from quantsim.objective import Period
from quantsim.pools.market import FeeRates, Orders, at_bars
from quantsim.pools.weighted.arbitrage import Pool, kept_fee, settle
from quantsim.pools.weighted.exogenous_swaps import Fills, fills_of
from quantsim.pools.weighted.fee_path import event_pools, fee_log_reserves, traded_log_reserves

if TYPE_CHECKING:
    from quantsim.simulator.setup import PoolSetup

__all__ = ["FeeRun", "fee_run"]


class FeeRun(NamedTuple):
    """Log reserves at the bars where they may change, and what they came from.

    Attributes:
        log_reserves: (ceil(T/k), n), in units of value at the prices that ``log_prices`` is relative to; of every bar, (T, n),
            where there are exogenous swaps.
        log_prices: (T, n).
        weights: (T, n).
        setup: of the pool; ``k`` is its ``arb_frequency``.
        orders: exogenous swaps of the window; None where there are none.
        arbitraged: (T, n) log reserves of every bar before its exogenous swaps; None where there are none.
    """

    log_reserves: Array
    log_prices: Array
    weights: Array
    setup: PoolSetup
    orders: Orders | None = None
    arbitraged: Array | None = None

    def at(self, bars: NDArray[np.int64]) -> Array:
        """Value of each token's reserves at chosen bars, (S, n), in the quote currency; held between visits."""
        every = np.array_equal(bars, np.arange(self.log_prices.shape[0]))
        log_prices = self.log_prices if every else self.log_prices[bars]
        stride = self.setup.arb_frequency if self.orders is None else 1
        visits = bars // stride
        untouched = every and stride == 1
        return jnp.exp((self.log_reserves if untouched else self.log_reserves[visits]) + log_prices)

    def value_at(self, bars: NDArray[np.int64]) -> Array:
        """Pool value at chosen bars, (S,), in the quote currency."""
        return jnp.sum(self.at(bars), axis=-1)

    def fee_revenue(self, rates: FeeRates, periods: Sequence[Period]) -> Array:
        """Fees that stay in the pool in each period, (P,): of arbitrage, of noise traders, and of exogenous swaps."""
        fills = self.fills(rates, jnp.ones(self.setup.n_tokens))
        total = jnp.zeros(len(periods))
        if fills is not None:
            inside = [(fills.bar > period.first) & (fills.bar < period.end) for period in periods]
            total += jnp.stack([jnp.sum(jnp.where(within, fills.fee, 0.0)) for within in inside])
        if not self.setup.do_arb:
            return total
        stride = self.setup.arb_frequency
        visited = slice(None, None, stride)
        rates = at_bars(rates, visited)
        before = self.log_reserves[:-1] if self.orders is None else self.log_reserves[stride - 1 : -1 : stride]
        pools = event_pools(before, self.log_prices[visited], self.weights[visited], rates, self.setup)
        rates = at_bars(rates, slice(1, None))
        volume = sum(_volume_in(pool, rates, self.setup) for pool in pools)
        earned = kept_fee(rates) * volume * (1.0 + rates.noise_trader_ratio)
        earned = jnp.concatenate([jnp.zeros(1), earned])  # nobody trades at the window's first bar
        return total + jnp.stack([jnp.sum(earned[period.visits(stride)]) for period in periods])

    def fills(self, rates: FeeRates, base: Array) -> Fills | None:
        """What became of exogenous swaps; None where there are none.

        Args:
            rates: of the window.
            base: (n,) prices that ``log_prices`` are relative to.
        """
        if self.orders is None or self.arbitraged is None:
            return None
        return fills_of(self.arbitraged, self.log_prices, self.weights, rates, self.orders, base)


def fee_run(
    weights: Array, log_prices: Array, rates: FeeRates, setup: PoolSetup, orders: Orders | None = None
) -> FeeRun:
    """Runs a pool over a window.

    Args:
        weights: (T, n).
        log_prices: (T, n).
        rates: fees and costs, () or (T,).
        setup: of the pool.
        orders: exogenous swaps of the window.
    """
    visited = slice(None, None, setup.arb_frequency)
    initial = jnp.log(setup.initial_value * weights[0]) - log_prices[0]
    if orders is not None:
        arbitraged, log_reserves = traded_log_reserves(setup, initial, log_prices, weights, rates, orders)
        return FeeRun(log_reserves, log_prices, weights, setup, orders, arbitraged)
    log_reserves = fee_log_reserves(setup, initial, log_prices[visited], weights[visited], at_bars(rates, visited))
    return FeeRun(log_reserves, log_prices, weights, setup)


def _volume_in(pool: Pool, rates: FeeRates, setup: PoolSetup) -> Array:
    """Value of what arbitrageurs bring in per event, before the fee is added; (T-1,)."""
    values = jnp.exp(pool.log_reserves + pool.log_prices)
    return jnp.sum(values * jnp.expm1(settle(pool, rates, setup).rise), axis=-1)
