"""Composite pools: shares of subsidiary pools are tokens whose price is what the subsidiary is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from quantsim.parameters import scoped
from quantsim.pools.base import PoolSetup, Subsidiary, Window
from quantsim.pools.market import FeeRates, Market
from quantsim.simulator.plan import choose_path
from quantsim.simulator.signals import chunk_signals, window_rates

__all__ = ["pool_market"]


def pool_market(setup: PoolSetup[Any], params: Mapping[str, Array], market: Market) -> Market:
    """The market of what a pool holds: tokens of the data, and shares of its subsidiaries.

    A subsidiary runs without interruption from the first bar of the data, history included, whatever the window: a share
    of it costs 1 there, and is worth what it holds later. Gradients flow through it into its parameters.

    Args:
        setup: of the pool.
        params: raw name → (m,), those of subsidiaries in their groups.
        market: of the tokens of the data, (T, n_data).

    Returns:
        (T, n) arrays.
    """
    n_data = market.prices.shape[-1]
    if setup.columns == tuple(range(n_data)):
        return market
    if not setup.subsidiaries:
        return _columns(market, setup.columns)
    for subsidiary in setup.subsidiaries:
        prices = _share_price(subsidiary, params, _columns(market, subsidiary.setup.columns))
        log_prices = jnp.log(prices)
        added = (prices, log_prices, jnp.cumsum(log_prices))
        parts = (market.prices, market.log_prices, market.summed)
        joined = [
            jnp.concatenate([part, of_share[:, None]], axis=1) for part, of_share in zip(parts, added, strict=True)
        ]
        market = market._replace(prices=joined[0], log_prices=joined[1], summed=joined[2])
    return _columns(market, setup.columns)


def _columns(market: Market, columns: tuple[int, ...]) -> Market:
    """Some columns of a market; the oracle and exogenous swaps, which are of the pool's own tokens, stay."""
    at = jnp.asarray(columns)
    return market._replace(
        prices=market.prices[:, at], log_prices=market.log_prices[:, at], summed=market.summed[:, at]
    )


def _share_price(subsidiary: Subsidiary, params: Mapping[str, Array], market: Market) -> Array:
    """What a share of a subsidiary is worth at every bar, (T,); 1 at the first."""
    setup, own = subsidiary.setup, scoped(params, subsidiary.group)
    n_bars, start = market.prices.shape[0], jnp.asarray(0)
    market = market._replace(oracle=None, orders=None)
    signals = chunk_signals(setup, own, market, 0)
    rates = FeeRates(*(jnp.asarray(rate) for rate in subsidiary.rates))
    rates = window_rates(setup, own, signals, rates, start, 0, n_bars)
    window = Window(start, n_bars, choose_path(setup, every_bar=True), 0, signals.decisions)
    return setup.pool.run(setup, own, market, rates, window).value_at(np.arange(n_bars))
