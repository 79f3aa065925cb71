"""What the compiled programs take as arguments, never as constants: prices, series, and what trading costs."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from quantsim.config import Experiment

__all__ = ["FeeRates", "Market", "at_bars", "fee_rates", "market", "window_of"]


class FeeRates(NamedTuple):
    """What trading costs; each () for a constant, or (T,) for a value per bar.

    Attributes:
        swap_fee: share of what goes in, ``1 - γ``.
        arb_fee: the arbitrageur's own proportional cost, ``a``, half on each leg.
        gas_cost: fixed cost of a trade, in the quote currency.
        noise_trader_ratio: noise volume over arbitrage volume, ``ρ``.
        protocol_fee_split: share of the swap fee that leaves the pool, ``f``.
        rebalancing_cost: what the yardstick of ``rvr`` pays per value traded; no part of the pool.
    """

    swap_fee: Array
    arb_fee: Array
    gas_cost: Array
    noise_trader_ratio: Array
    protocol_fee_split: Array
    rebalancing_cost: Array


class Market(NamedTuple):
    """Prices, and what else varies in time.

    Attributes:
        prices: (T, n), quote currency per token.
        log_prices: (T, n), relative to the first bar (only differences are ever used).
        summed: (T, n), inclusive prefix sum of ``log_prices``; makes the closed form ``O(chunks)``.
        oracle: (T, n), the supplied series that rules may read; None where there is none.
    """

    prices: Array
    log_prices: Array
    summed: Array
    oracle: Array | None = None


def market(prices: NDArray[np.float64], oracle: NDArray[np.float64] | None = None) -> Market:
    """Prices ``(T, n)`` as arguments of the compiled program. The prefix sums are made here, once per data set."""
    log_prices = np.log(prices / prices[0])
    summed = np.cumsum(log_prices, axis=0, dtype=np.longdouble).astype(np.float64)
    seen = None if oracle is None else jnp.asarray(oracle)
    return Market(jnp.asarray(prices), jnp.asarray(log_prices), jnp.asarray(summed), seen)


def fee_rates(experiment: Experiment) -> FeeRates:
    """The fees of an experiment, constant in time, as arguments of the compiled program."""
    return FeeRates(*(jnp.asarray(rate, jnp.float64) for rate in experiment.fees.rates))


def at_bars(rates: FeeRates, bars: slice) -> FeeRates:
    """The rates of chosen bars; constants stay what they are."""
    return FeeRates(*(rate[bars] if rate.ndim else rate for rate in rates))


def window_of(rates: FeeRates, start: Array, n_bars: int) -> FeeRates:
    """The rates of the window of ``n_bars`` bars from bar ``start``."""
    return FeeRates(*(jax.lax.dynamic_slice_in_dim(rate, start, n_bars) if rate.ndim else rate for rate in rates))
