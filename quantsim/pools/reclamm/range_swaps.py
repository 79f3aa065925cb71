"""The recursion of a reCLAMM pool with exogenous swaps, as a loop of XLA over every bar that JAX differentiates.

A swap with the amount in ``a`` brings the effective amount ``x = γ a``, and one with the amount out ``b`` asks for it:

    a given:  b = E_out x/(E_in + x),    b given:  x = E_in b/(E_out - b),    E = R + V.

The fee stays in the real balance of the token that comes in, less its protocol share. The pool has no other limit than its real
balance. The range moves at bars with arbitrageurs or swaps, by the time since the last such bar, as on chain.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from quantsim.pools.exogenous_swaps import Fill, Fills, Outcome, collected_fills
from quantsim.pools.market import FeeRates, Orders, pool_gain
from quantsim.pools.reclamm.range_scan import Shifting, recentred, traded

__all__ = ["fills_of", "swapped_balances"]


def swapped_balances(
    initial: Array,
    prices: Array,
    shifts: Array,
    costs: Array,
    rates: FeeRates,
    orders: Orders,
    shifting: Shifting,
    stride: int | None,
) -> tuple[Array, Array, Array]:
    """Returns balances before the swaps of every bar and after them, (T, 4) each, and the arbitrageurs' effective input, (T,).

    Args:
        initial: (4,) balances before the first bar.
        prices: (T, 2) prices.
        shifts: (T or 1, 3) what moves the range in ``stride`` bars; see :mod:`quantsim.pools.reclamm.column_lanes`.
        costs: (T or 1, 6) costs.
        rates: rates, () or (T,).
        orders: orders of the window, in tokens.
        shifting: how the range moves; static.
        stride: bars between arbitrage visits, static; None if arbitrageurs never trade.
    """
    bars = np.arange(prices.shape[0])
    visits = np.zeros(bars.size, bool) if stride is None else bars % stride == 0
    visit_bars = float(stride or 1)
    varying = [table if table.shape[0] > 1 else None for table in (shifts, costs)]
    of_bars = [rate if rate.ndim else None for rate in rates]
    has_swaps = (orders.slots > 0) & (bars > 0)

    def step(
        state: tuple[Array, Array], bar: tuple[Array, list[Array | None], list[Array | None], Array, Array, Array]
    ) -> tuple[tuple[Array, Array], tuple[Array, Array, Array]]:
        balances, age = state
        price, (shift, cost), given, visit, swaps, slot = bar
        shift, cost = shifts[0] if shift is None else shift, costs[0] if cost is None else cost
        now = FeeRates(*(rate if one is None else one for rate, one in zip(rates, given, strict=True)))
        active = visit | swaps
        virtual = jnp.where(active, recentred(balances, price, shift, shifting, age / visit_bars), balances[2:])
        real, volume = traded(balances[:2], virtual, price, cost)
        real, volume = jnp.where(visit, real, balances[:2]), jnp.where(visit, volume, 0.0)
        before = jnp.concatenate([real, virtual])
        after = jax.lax.cond(
            swaps, lambda held: _swap_bar(held, now, orders, orders.table[slot])[0], lambda held: held, before
        )
        return (after, jnp.where(active, 0.0, age) + 1.0), (before, after, volume)

    inputs = prices, varying, of_bars, jnp.asarray(visits), has_swaps, orders.slots
    found: tuple[Array, Array, Array] = jax.lax.scan(step, (initial, jnp.asarray(visit_bars)), inputs)[1]
    return found


def _swap_bar(balances: Array, rates: FeeRates, orders: Orders, rows: Array) -> tuple[Array, Fill]:
    """Executes the swaps of one bar, one after another; returns the balances, (4,), and the results, (M,)."""

    def one(balances: Array, row: Array) -> tuple[Array, Fill]:
        here, there, amount, exact_in = (
            orders.token_in[row],
            orders.token_out[row],
            orders.amount[row],
            orders.exact_in[row],
        )
        real, effective, gamma = balances[:2], balances[:2] + balances[2:], 1.0 - rates.swap_fee
        given = gamma * amount
        empties = jnp.where(exact_in, effective[there] * given / (effective[here] + given), amount) > real[there]
        amount = jnp.where(empties, 0.0, amount)
        out = jnp.where(exact_in, effective[there] * gamma * amount / (effective[here] + gamma * amount), amount)
        came = jnp.where(exact_in, gamma * amount, effective[here] * amount / (effective[there] - amount * ~exact_in))
        after = balances.at[here].add(pool_gain(rates) * came).at[there].add(-out)
        return after, Fill(came / gamma, out, jnp.where(empties, Outcome.EMPTIES_POOL, Outcome.EXECUTED))

    after, fills = jax.lax.scan(one, balances, rows)
    return after, fills


def fills_of(before: Array, prices: Array, rates: FeeRates, orders: Orders) -> Fills:
    """Returns the results of all swaps in a window.

    Args:
        before: (T, 4) balances of every bar before its swaps.
        prices: (T, 2) prices.
        rates: rates in the window, () or (T,).
        orders: orders of the window, in tokens.
    """

    def bar(at: Array, now: FeeRates, rows: Array) -> Fill:
        return _swap_bar(before[at], now, orders, rows)[1]

    return collected_fills(bar, prices, rates, orders, jnp.ones(2))
