"""Exogenous swaps with a pool: orders for the compiled program, and their outcomes. How a swap is filled is up to the pool."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from quantsim.pools.market import FeeRates, Orders
from quantsim.prices.instants import MINUTE_US
from quantsim.prices.time_grid import TimeGrid
from quantsim.prices.trades import Trades

__all__ = ["MAX_IN_RATIO", "MAX_OUT_RATIO", "Fill", "Fills", "Outcome", "collected_fills", "orders_of", "window_orders"]

MAX_IN_RATIO = 0.3
"""Largest incoming amount, less its fee, divided by the token's reserve: the limit of Balancer's weighted pools."""

MAX_OUT_RATIO = 0.3
"""Largest outgoing amount divided by the token's reserve: the limit of Balancer's weighted pools."""


class Outcome(enum.IntEnum):
    """The outcome of an exogenous swap."""

    EXECUTED = 0
    OUTSIDE_WINDOW = 1
    MAX_IN_RATIO = 2
    MAX_OUT_RATIO = 3
    EMPTIES_POOL = 4

    @property
    def reason(self) -> str:
        """The outcome in words."""
        return _REASONS[self]


_REASONS = {
    Outcome.EXECUTED: "executed",
    Outcome.OUTSIDE_WINDOW: "before the second bar of the period, or after its last bar",
    Outcome.MAX_IN_RATIO: f"the amount in, less its fee, is above {MAX_IN_RATIO:.0%} of the reserve",
    Outcome.MAX_OUT_RATIO: f"the amount out is above {MAX_OUT_RATIO:.0%} of the reserve",
    Outcome.EMPTIES_POOL: "the pool does not hold the amount out",
}


class Fills(NamedTuple):
    """Results of swaps; zeros for those that were not executed.

    Attributes:
        amount_in: (N,) incoming tokens, including the fee.
        amount_out: (N,) outgoing tokens.
        fee: (N,) fee that stays in the pool, in the quote currency.
        protocol_fee: (N,) fee that goes to the protocol, in the quote currency.
        outcome: (N,) codes of :class:`Outcome`.
        bar: (N,) bar in the window; 0 for swaps outside it (no swap is executed at bar 0).
    """

    amount_in: Array
    amount_out: Array
    fee: Array
    protocol_fee: Array
    outcome: Array
    bar: Array


def orders_of(trades: Trades, tokens: tuple[str, ...], grid: TimeGrid) -> Orders:
    """Returns swaps as arguments of the compiled program. A swap belongs to the last bar at or before its time.

    Args:
        trades: valid swaps.
        tokens: tokens of the pool, in order.
        grid: bars of the data; swaps outside are never executed.

    Raises:
        PriceError: the pool does not hold a token of a swap.
    """
    trades.check_tokens(tokens)
    bar_us = grid.bar_minutes * MINUTE_US
    bars = (trades.times.astype(np.int64) - grid.first_minute * MINUTE_US) // bar_us
    inside = (bars >= 0) & (bars < grid.n_bars)
    busy, row, counts = np.unique(bars[inside], return_inverse=True, return_counts=True)
    table = np.full((busy.size + 1, int(counts.max(initial=1))), trades.size, np.int64)
    firsts = np.cumsum(counts) - counts
    table[row + 1, np.arange(row.size) - firsts[row]] = np.flatnonzero(inside)  # times are in order, so rows are
    slots = np.zeros(grid.n_bars, np.int64)
    slots[busy] = 1 + np.arange(busy.size)
    exact_in = ~np.isnan(trades.amount_in)
    blank = np.zeros(1)
    return Orders(
        token_in=jnp.asarray([*map(tokens.index, trades.token_in), 0]),
        token_out=jnp.asarray([*map(tokens.index, trades.token_out), 1]),
        amount=jnp.asarray(np.concatenate([np.where(exact_in, trades.amount_in, trades.amount_out), blank])),
        exact_in=jnp.asarray(np.concatenate([exact_in, blank > 0])),
        slots=jnp.asarray(slots),
        table=jnp.asarray(table),
        bars=jnp.asarray(busy),
    )


def window_orders(orders: Orders, start: Array, n_bars: int, unit: Array) -> Orders:
    """Returns the orders of the window of ``n_bars`` bars from bar ``start``.

    ``unit``, (n,), is the number of units of the computation in a token: weighted pools count a reserve as its value at the
    prices that log prices are relative to.
    """
    return orders._replace(
        amount=orders.amount * unit[jnp.where(orders.exact_in, orders.token_in, orders.token_out)],
        slots=jax.lax.dynamic_slice_in_dim(orders.slots, start, n_bars),
        bars=orders.bars - start,
    )


class Fill(NamedTuple):
    """One swap, with amounts in units of the computation, or several, (M,) each."""

    amount_in: Array
    amount_out: Array
    outcome: Array


def collected_fills(
    bar: Callable[[Array, FeeRates, Array], Fill], values: Array, rates: FeeRates, orders: Orders, unit: Array
) -> Fills:
    """Returns the results of all swaps in a window, computed for each bar that has swaps.

    Args:
        bar: (bar in the window, its rates, (M,) indices of its orders) → (M,) results, in units of the computation.
        values: (T, n) values of these units at every bar, in the quote currency.
        rates: rates in the window, () or (T,).
        orders: orders of the window.
        unit: (n,) units of the computation in a token.
    """
    n_bars, n_trades = values.shape[0], orders.amount.shape[0] - 1
    nothing = jnp.zeros(n_trades)
    outside = jnp.full(n_trades, Outcome.OUTSIDE_WINDOW, jnp.int64)
    if not orders.bars.shape[0]:
        return Fills(nothing, nothing, nothing, nothing, outside, jnp.zeros_like(outside))
    inside = (orders.bars > 0) & (orders.bars < n_bars)
    at, rows = jnp.clip(orders.bars, 0, n_bars - 1), orders.table[1:]
    then = FeeRates(*(jnp.broadcast_to(rate, (n_bars,))[at] for rate in rates))
    fills = jax.vmap(bar)(at, then, rows)
    here, there = orders.token_in[rows], orders.token_out[rows]
    value = fills.amount_in * jnp.take_along_axis(values[at], here, axis=-1)
    kept = (then.swap_fee * (1.0 - then.protocol_fee_split))[:, None] * value
    taken = (then.swap_fee * then.protocol_fee_split)[:, None] * value
    # What pads the table, or lies outside the window, is dropped.
    target = jnp.where(inside[:, None], rows, n_trades).reshape(-1)

    def placed(values: Array, empty: Array) -> Array:
        return empty.at[target].set(values.reshape(-1), mode="drop")

    return Fills(
        placed(fills.amount_in / unit[here], nothing),
        placed(fills.amount_out / unit[there], nothing),
        placed(kept, nothing),
        placed(taken, nothing),
        placed(fills.outcome, outside),
        placed(jnp.broadcast_to(at[:, None], rows.shape), jnp.zeros_like(outside)),
    )
