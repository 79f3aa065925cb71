"""Exogenous swaps with a weighted pool, executed or rejected as on chain.

With fee ``1-γ`` and effective input ``γ a``, a swap keeps ``R_in^w_in · R_out^w_out`` constant. In logs of reserves this is
linear: the reserve of the incoming token effectively rises by ``h``, and that of the outgoing one falls by ``h w_in / w_out``:

    amount in given:   h = log1p(γ a / R_in)
    amount out given:  h = -(w_out / w_in) log1p(-b / R_out),

and the other amount follows: ``a = R_in expm1(h) / γ`` or ``b = -R_out expm1(-h w_in / w_out)``. The fee stays in the pool,
less its protocol share ``f``, so the incoming reserve grows by ``log1p(c expm1(h))``, ``c = (1 - (1-γ) f)/γ``.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from quantsim.pools.exogenous_swaps import MAX_IN_RATIO, MAX_OUT_RATIO, Fill, Fills, Outcome, collected_fills
from quantsim.pools.market import FeeRates, Market, Orders, pool_gain

__all__ = ["base_prices", "fill_bar", "fills_of"]


def base_prices(market: Market) -> Array:
    """Returns the prices that log prices are relative to, (n,)."""
    return market.prices[0] * jnp.exp(-market.log_prices[0])


def _fill(log_reserves: Array, weights: Array, order: Orders, rates: FeeRates) -> tuple[Array, Fill]:
    """Executes or rejects one order; all of its fields are ()."""
    here, there, gamma = order.token_in, order.token_out, 1.0 - rates.swap_fee
    reserve_in, reserve_out = jnp.exp(log_reserves[here]), jnp.exp(log_reserves[there])
    share_in = jnp.where(order.exact_in, gamma * order.amount / reserve_in, 0.0)
    share_out = jnp.where(order.exact_in, 0.0, order.amount / reserve_out)
    outcome = jnp.where(share_in > MAX_IN_RATIO, Outcome.MAX_IN_RATIO, Outcome.EXECUTED)
    outcome = jnp.where(share_out > MAX_OUT_RATIO, Outcome.MAX_OUT_RATIO, outcome)
    outcome = jnp.where(share_out >= 1.0, Outcome.EMPTIES_POOL, outcome)
    executed = outcome == Outcome.EXECUTED
    share_in, share_out = jnp.where(executed, share_in, 0.0), jnp.where(executed, share_out, 0.0)
    ratio = weights[here] / weights[there]
    rise = jnp.where(order.exact_in, jnp.log1p(share_in), -jnp.log1p(-share_out) / ratio)
    fall = -ratio * rise
    grown = jnp.expm1(rise)
    amount_in = jnp.where(order.exact_in, share_in / gamma, grown / gamma) * reserve_in
    amount_out = jnp.where(order.exact_in, -jnp.expm1(fall), share_out) * reserve_out
    after = log_reserves.at[here].add(jnp.log1p(pool_gain(rates) * grown)).at[there].add(fall)
    return after, Fill(amount_in, amount_out, outcome)


def fill_bar(log_reserves: Array, weights: Array, rates: FeeRates, orders: Orders, rows: Array) -> tuple[Array, Fill]:
    """Executes the swaps of one bar, one after another.

    Args:
        log_reserves: (n,) log reserves after the arbitrage of the bar.
        weights: (n,) weights at the bar.
        rates: rates at the bar, each ().
        orders: orders of the window.
        rows: (M,) indices of orders, padded with the empty one.

    Returns:
        (n,) log reserves after the last swap, and the fills, (M,).
    """

    def one(log_reserves: Array, row: Array) -> tuple[Array, Fill]:
        fields = (orders.token_in[row], orders.token_out[row], orders.amount[row], orders.exact_in[row])
        return _fill(log_reserves, weights, Orders(*fields, orders.slots, orders.table, orders.bars), rates)

    after, fills = jax.lax.scan(one, log_reserves, rows)
    return after, fills


def fills_of(
    arbitraged: Array, log_prices: Array, weights: Array, rates: FeeRates, orders: Orders, base: Array
) -> Fills:
    """Returns the results of all swaps in a window, from the log reserves before them.

    Args:
        arbitraged: (T, n) log reserves of every bar before its swaps.
        log_prices: (T, n) log prices.
        weights: (T, n) weights.
        rates: rates in the window, () or (T,).
        orders: orders of the window.
        base: (n,) prices that log prices are relative to.
    """

    def bar(at: Array, now: FeeRates, rows: Array) -> Fill:
        return fill_bar(arbitraged[at], weights[at], now, orders, rows)[1]

    return collected_fills(bar, jnp.exp(log_prices), rates, orders, base)
