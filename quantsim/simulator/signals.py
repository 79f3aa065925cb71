"""Decisions at the chunk boundaries, and the costs of a window that follow from them."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from quantsim.config.pools import FEE_GROUP
from quantsim.parameters import common, scoped
from quantsim.parameters.transforms import sigmoid
from quantsim.pools.base import ParameterSchedule, Params, PoolSetup
from quantsim.pools.market import FeeRates, Market, window_of
from quantsim.rules import Observed

__all__ = ["Signals", "chunk_signals", "scheduled_signals", "window_rates"]


class Signals(NamedTuple):
    """Decisions at every chunk boundary of the data, including history.

    Attributes:
        decisions: decisions of the pool, such as its rule's outputs, (K, n); None for a pool without decisions.
        fees: (K,) swap fees of the fee rule; None without one.
    """

    decisions: Any
    fees: Array | None


def chunk_signals(setup: PoolSetup[Any], params: Params, market: Market, phase: Array | int) -> Signals:
    """Computes decisions at all chunk boundaries with a phase. Estimators are causal, so one pass serves all windows with it.

    Args:
        setup: setup of the pool.
        params: raw name → (m,).
        market: market of the pool's tokens.
        phase: bar of the first boundary, less than ``C``.
    """
    n_bars = market.prices.shape[0]
    n_boundaries = -(-n_bars // setup.chunk_bars)
    # With a phase the last boundary can lie behind the data; no window that fits reaches it.
    bars = jnp.minimum(phase + setup.chunk_bars * jnp.arange(n_boundaries), n_bars - 1)
    observed = Observed(market.prices[bars], None if market.oracle is None else market.oracle[bars])
    decide, fee_rule, fees = setup.pool.decisions, setup.costs.fee_rule, None
    if fee_rule is not None:
        fees = fee_rule.fees(scoped(params, FEE_GROUP), observed, setup.settings)
        fees = jnp.where(
            (fees >= 0.0) & (fees < 1.0), fees, jnp.nan
        )  # no fee at all: the evaluation fails, with its reason
    return Signals(None if decide is None else decide(setup, params, observed), fees)


def scheduled_signals(
    setup: PoolSetup[Any], schedule: ParameterSchedule, market: Market, phase: Array | int
) -> Signals:
    """Like :func:`chunk_signals`, each decision by the parameter set that applies at its boundary."""
    of_sets = jax.vmap(lambda params: chunk_signals(setup, params, market, phase))(schedule.sets)
    count = jnp.arange(-(-market.prices.shape[0] // setup.chunk_bars))
    index = schedule.index_at(phase + setup.chunk_bars * count)
    signals: Signals = jax.tree.map(lambda leaf: leaf[index, count], of_sets)
    return signals


def window_rates(
    setup: PoolSetup[Any],
    params: Params,
    signals: Signals,
    rates: FeeRates,
    start: Array,
    phase: Array | int,
    n_bars: int,
    schedule: ParameterSchedule | None = None,
) -> FeeRates:
    """Returns the costs in the window of ``n_bars`` bars from bar ``start``; the fee may be a parameter, or from a fee rule."""
    rates = window_of(rates, start, n_bars)
    if setup.costs.tunes_fee:

        def fee(params: Params) -> Array:
            swap_fee: Array = sigmoid(params[common.swap_fee.raw_name][0])
            return swap_fee

        return rates._replace(
            swap_fee=fee(params) if schedule is None else schedule.select(fee, start + jnp.arange(n_bars))
        )
    if signals.fees is not None:
        chunks = (start - phase + jnp.arange(n_bars)) // setup.chunk_bars
        return rates._replace(swap_fee=signals.fees[chunks])
    return rates
