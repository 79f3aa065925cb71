"""Composite pools: a share of a subsidiary pool is a token, whose price is the value of the subsidiary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from quantsim.parameters import scoped
from quantsim.pools.base import ParameterSchedule, PoolSetup, Subsidiary, Window
from quantsim.pools.market import FeeRates, Market
from quantsim.simulator.plan import choose_path
from quantsim.simulator.signals import chunk_signals, scheduled_signals, window_rates

__all__ = ["pool_market"]


def pool_market(
    setup: PoolSetup[Any], params: Mapping[str, Array], market: Market, schedule: ParameterSchedule | None = None
) -> Market:
    """Returns the market of a pool's assets: tokens of the data, and shares of its subsidiaries.

    A subsidiary runs without interruption from the first bar of the data, including history, for all windows. Its share price
    is 1 at this bar. Gradients flow through the share price into the subsidiary's parameters.

    Args:
        setup: setup of the pool.
        params: raw name → (m,), with the parameters of subsidiaries in their groups.
        market: market of the data's tokens, (T, n_data).
        schedule: parameter sets that follow one another; subsidiaries follow it, too.

    Returns:
        The market, with (T, n) arrays.
    """
    n_data = market.prices.shape[-1]
    if setup.columns == tuple(range(n_data)):
        return market
    if not setup.subsidiaries:
        return _columns(market, setup.columns)
    if market.summed is None:
        raise ValueError("the market has no prefix sums of log prices")
    for subsidiary in setup.subsidiaries:
        prices = _share_price(subsidiary, params, _columns(market, subsidiary.setup.columns), schedule)
        log_prices = jnp.log(prices)
        added = (prices, log_prices, jnp.cumsum(log_prices))
        parts = (market.prices, market.log_prices, market.summed)
        joined = [
            jnp.concatenate([part, of_share[:, None]], axis=1) for part, of_share in zip(parts, added, strict=True)
        ]
        market = market._replace(prices=joined[0], log_prices=joined[1], summed=joined[2])
    return _columns(market, setup.columns)


def _columns(market: Market, columns: tuple[int, ...]) -> Market:
    """Selects columns of a market; keeps oracle, given weights and exogenous swaps, which have the pool's own tokens."""
    at = jnp.asarray(columns)
    summed = None if market.summed is None else market.summed[:, at]
    return market._replace(prices=market.prices[:, at], log_prices=market.log_prices[:, at], summed=summed)


def _share_price(
    subsidiary: Subsidiary, params: Mapping[str, Array], market: Market, schedule: ParameterSchedule | None
) -> Array:
    """Returns the share price of a subsidiary at every bar, (T,); 1 at the first."""
    setup, own = subsidiary.setup, scoped(params, subsidiary.group)
    n_bars, start = market.prices.shape[0], jnp.asarray(0)
    market = market._replace(oracle=None, orders=None, weights=None)
    if schedule is None:
        signals = chunk_signals(setup, own, market, 0)
    else:
        schedule = ParameterSchedule(scoped(schedule.sets, subsidiary.group), schedule.starts)
        signals = scheduled_signals(setup, schedule, market, 0)
    rates = FeeRates(*(jnp.asarray(rate) for rate in subsidiary.rates))
    rates = window_rates(setup, own, signals, rates, start, 0, n_bars, schedule)
    window = Window(start, n_bars, choose_path(setup, every_bar=True), 0, signals.decisions, schedule)
    return setup.pool.run(setup, own, market, rates, window).value_at(np.arange(n_bars))
