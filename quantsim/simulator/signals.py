"""What rules say at the chunk boundaries, and the weights and fees of a window that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from quantsim.config.pools import FEE_GROUP
from quantsim.parameters import common, scoped
from quantsim.parameters.transforms import sigmoid
from quantsim.pools.market import FeeRates, Market, window_of
from quantsim.pools.weighted.weights import Ramps, chunk_ramps, token_bounds
from quantsim.rules import Observed
from quantsim.simulator.setup import PoolSetup

__all__ = ["Signals", "chunk_signals", "window_ramps", "window_rates"]

Params = Mapping[str, Array]


class Signals(NamedTuple):
    """What is decided at every chunk boundary of the data, from history to the last bar.

    Attributes:
        outputs: (K, n) of the rule; None for a rule without.
        fees: (K,) of the fee rule; None without one.
    """

    outputs: Array | None
    fees: Array | None


def chunk_signals(setup: PoolSetup, params: Params, market: Market, phase: Array | int) -> Signals:
    """Runs the rules over all chunk boundaries at a phase. Estimators are causal, so one pass serves every window there.

    Args:
        setup: of the pool.
        params: raw name → (m,).
        market: of the pool's tokens.
        phase: bar of the first boundary, below ``C``.
    """
    if setup.rule.outputs is None and setup.fee_rule is None:
        return Signals(None, None)
    n_bars = market.prices.shape[0]
    n_boundaries = -(-n_bars // setup.chunk_bars)
    # With a phase the last boundary can lie behind the data; no window that fits reaches it.
    bars = jnp.minimum(phase + setup.chunk_bars * jnp.arange(n_boundaries), n_bars - 1)
    observed = Observed(market.prices[bars], None if market.oracle is None else market.oracle[bars])
    outputs = fees = None
    if setup.rule.outputs is not None:
        outputs = setup.rule.outputs(params, observed, setup.settings)
        if setup.look_ahead:
            outputs = jnp.concatenate([outputs[1:], outputs[-1:]])
    if setup.fee_rule is not None:
        fees = setup.fee_rule.fees(scoped(params, FEE_GROUP), observed, setup.settings)
        fees = jnp.where(
            (fees >= 0.0) & (fees < 1.0), fees, jnp.nan
        )  # no fee at all: the evaluation fails, with its reason
    return Signals(outputs, fees)


def window_ramps(
    setup: PoolSetup, params: Params, signals: Signals, start: Array, phase: Array | int, n_bars: int
) -> Ramps:
    """Weights of the window of ``n_bars`` bars from bar ``start``."""
    n_chunks = -(-n_bars // setup.chunk_bars)
    outputs = signals.outputs
    if outputs is not None:
        outputs = jax.lax.dynamic_slice_in_dim(outputs, (start - phase) // setup.chunk_bars, n_chunks)
    initial = jax.nn.softmax(params[common.initial_weights.raw_name])
    rule = setup.rule
    persistence = None if rule.persistence is None else rule.persistence(params, setup.settings)
    return chunk_ramps(outputs, initial, n_chunks, setup, token_bounds(params, setup), persistence)


def window_rates(
    setup: PoolSetup,
    params: Params,
    signals: Signals,
    rates: FeeRates,
    start: Array,
    phase: Array | int,
    n_bars: int,
) -> FeeRates:
    """Costs in the window of ``n_bars`` bars from bar ``start``: as set, or the fee that is a parameter, or the fee rule's."""
    rates = window_of(rates, start, n_bars)
    if setup.tunes_fee:
        return rates._replace(swap_fee=sigmoid(params[common.swap_fee.raw_name][0]))
    if signals.fees is not None:
        chunks = (start - phase + jnp.arange(n_bars)) // setup.chunk_bars
        return rates._replace(swap_fee=signals.fees[chunks])
    return rates
