"""Arguments of the compiled programs, which are never constants in them: prices, series, and trading costs."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantsim.device import device_array
from quantsim.lazy_jax import Array, jax, jnp
from quantsim.threads import thread_count
from quantsim.volume.growth import VolumeInputs

if TYPE_CHECKING:
    from quantsim.pools.settings import Fees

__all__ = [
    "FeeRates",
    "Market",
    "Orders",
    "at_bars",
    "band",
    "fee_rates",
    "kept_fee",
    "market",
    "per_event",
    "pool_gain",
    "window_of",
    "with_noise",
    "with_sums",
]


class FeeRates(NamedTuple):
    """Trading costs; each () for a constant, or (T,) for a value per bar.

    Attributes:
        swap_fee: share of the incoming amount, ``1 - γ``.
        arb_fee: the arbitrageur's own proportional cost, ``a``, half on each leg.
        gas_cost: fixed cost of a trade, in the quote currency.
        noise_trader_ratio: noise volume over arbitrage volume, ``ρ``.
        protocol_fee_split: share of the swap fee that leaves the pool, ``f``.
        rebalancing_cost: cost per value traded of the benchmark of ``rvr``; the pool does not pay it.
    """

    swap_fee: Array
    arb_fee: Array
    gas_cost: Array
    noise_trader_ratio: Array
    protocol_fee_split: Array
    rebalancing_cost: Array


def band(rates: FeeRates) -> Array:
    """Returns the width ``g`` of the no-trade band of ``max u - min u``: ``-log γ + log((1 + a/2)/(1 - a/2))``."""
    return -jnp.log1p(-rates.swap_fee) + jnp.log1p(0.5 * rates.arb_fee) - jnp.log1p(-0.5 * rates.arb_fee)


def pool_gain(rates: FeeRates) -> Array:
    """Returns the amount that the pool receives per effective unit of input: ``(1 - (1-γ) f) / γ``."""
    return (1.0 - rates.swap_fee * rates.protocol_fee_split) / (1.0 - rates.swap_fee)


def kept_fee(rates: FeeRates) -> Array:
    """Returns the pool's share of the fee per effective unit of input: ``(1-γ)(1-f) / γ``."""
    return rates.swap_fee * (1.0 - rates.protocol_fee_split) / (1.0 - rates.swap_fee)


def per_event(values: Array) -> Array:
    """Adds the tokens' axis to values per event: (...,) → (..., 1)."""
    return values[..., None]


class Orders(NamedTuple):
    """Exogenous swaps, as arrays; see :mod:`quantsim.pools.exogenous_swaps`. The last of ``N+1`` entries is empty.

    Attributes:
        token_in: (N+1,) index of the incoming token among the pool's tokens.
        token_out: (N+1,) index of the outgoing token.
        amount: (N+1,) incoming or outgoing amount, in tokens.
        exact_in: (N+1,) whether ``amount`` is the incoming amount.
        slots: (T,) row of ``table`` with the swaps of each bar; 0 for none.
        table: (B+1, M) indices of swaps in chronological order, padded with the empty one; row 0 has none.
        bars: (B,) bar of every row but the first.
    """

    token_in: Array
    token_out: Array
    amount: Array
    exact_in: Array
    slots: Array
    table: Array
    bars: Array


class Market(NamedTuple):
    """Prices and other time series.

    Attributes:
        prices: (T, n) prices, in quote currency per token.
        log_prices: (T, n) log prices relative to the first bar (only differences are used).
        summed: (T, n) inclusive prefix sum of ``log_prices``, for the closed form in ``O(chunks)``;
            None where nothing reads it.
        oracle: (T, n) oracle series that rules may read; None if there is none.
        orders: exogenous swaps with the pool; None if there are none.
        weights: (T, n) weights of a pool whose weights are given; None if the pool decides.
        volume: elastic volume of noise traders, with the exposure of every bar; None without it.
    """

    prices: Array
    log_prices: Array
    summed: Array | None
    oracle: Array | None = None
    orders: Orders | None = None
    weights: Array | None = None
    volume: VolumeInputs | None = None


def market(
    prices: NDArray[np.float64],
    oracle: NDArray[np.float64] | None = None,
    orders: Orders | None = None,
    weights: NDArray[np.float64] | None = None,
    volume: VolumeInputs | None = None,
    *,
    sums: bool = True,
) -> Market:
    """Makes the market from prices, (T, n); prefix sums, which take longest, only if they are asked for."""
    seen = None if oracle is None else device_array(oracle)
    given = None if weights is None else device_array(weights)
    log_prices = device_array(_log_prices(prices), copy=False)
    made = Market(device_array(prices, copy=prices.flags.writeable), log_prices, None, seen, orders, given, volume)
    return with_sums(made) if sums else made


_ROWS = 2**16


def _log_prices(prices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns log prices relative to the first bar, (T, n); pieces of many bars on several threads."""
    found = np.empty(prices.shape)

    def compute(begin: int) -> None:
        rows = found[begin : begin + _ROWS]
        np.log(np.divide(prices[begin : begin + _ROWS], prices[0], out=rows), out=rows)

    begins = range(0, len(prices), _ROWS)
    with ThreadPoolExecutor(min(thread_count(), len(begins))) as pool:
        list(pool.map(compute, begins))
    return found


def with_sums(seen: Market) -> Market:
    """Returns the market with the prefix sums of its log prices."""
    log_prices = np.asarray(seen.log_prices)
    summed = np.empty_like(log_prices)
    with ThreadPoolExecutor(min(thread_count(), summed.shape[1])) as pool:  # a thread for each token
        list(pool.map(_sum_up, log_prices.T, summed.T))
    return seen._replace(summed=device_array(summed, copy=False))


_BLOCK = 2**13  # rows: a small piece of memory that is used again and again


def _sum_up(values: NDArray[np.float64], sums: NDArray[np.float64]) -> None:
    """Writes the prefix sums of values, (T,) each, with more digits than they have."""
    total = np.longdouble(0.0)
    for begin in range(0, len(values), _BLOCK):
        part = values[begin : begin + _BLOCK].astype(np.longdouble)
        part[0] += total
        np.cumsum(part, out=part)
        sums[begin : begin + _BLOCK], total = part, part[-1]


def with_noise(seen: Market, noise: float, key: Array) -> Market:
    """Returns the market with prices times ``exp(noise·ε)``, with ``ε`` independent standard normal for every bar and token."""
    log_prices = seen.log_prices + noise * jax.random.normal(key, seen.log_prices.shape)
    prices = seen.prices * jnp.exp(log_prices - seen.log_prices)
    return seen._replace(prices=prices, log_prices=log_prices, summed=jnp.cumsum(log_prices, axis=0))


def fee_rates(fees: Fees, varying: Mapping[str, NDArray[np.float64]] | None = None) -> FeeRates:
    """Returns trading costs as arguments of the compiled program.

    Args:
        fees: the table of constant costs.
        varying: those of ``swap_fee``, ``arb_fee`` and ``gas_cost_usd`` that vary in time, (T,) each.
    """
    rates = FeeRates(*jax.device_put([np.asarray(rate, np.float64) for rate in fees.rates]))
    fields = {"gas_cost" if name == "gas_cost_usd" else name: rate for name, rate in (varying or {}).items()}
    return rates._replace(**{name: device_array(np.asarray(rate, np.float64)) for name, rate in fields.items()})


def at_bars(rates: FeeRates, bars: slice) -> FeeRates:
    """Returns the rates at chosen bars; constants stay constant."""
    return FeeRates(*(rate[bars] if rate.ndim else rate for rate in rates))


def window_of(rates: FeeRates, start: Array, n_bars: int) -> FeeRates:
    """Returns the rates in the window of ``n_bars`` bars from bar ``start``."""
    return FeeRates(*(jax.lax.dynamic_slice_in_dim(rate, start, n_bars) if rate.ndim else rate for rate in rates))
