"""The prices, series and costs of an evaluator, as arguments of compiled programs."""

from __future__ import annotations

from typing import Any

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.config import Experiment
from quantsim.device import device_array
from quantsim.pools import PoolSetup
from quantsim.pools.exogenous_swaps import orders_of
from quantsim.pools.market import FeeRates, Market, fee_rates, market
from quantsim.prices import Prices
from quantsim.simulator.layout import columns_of
from quantsim.simulator.varying import Varying
from quantsim.volume.growth import volume_inputs

__all__ = ["program_inputs", "supply_of_sizes"]


def program_inputs(
    experiment: Experiment, setup: PoolSetup[Any], prices: Prices, series: Varying, uncut: Prices, end: int
) -> tuple[FeeRates, Market]:
    """Returns trading costs, and prices and series without prefix sums.

    Args:
        experiment: the experiment.
        setup: static properties of its pool.
        prices: prices of the bars that the experiment uses.
        series: series of these bars.
        uncut: prices of all bars.
        end: bar of ``uncut`` after the last that the experiment uses; with ``published_look_ahead`` its prices are seen.
    """
    rates, trades, of_share = (
        fee_rates(experiment.fees, series.costs),
        series.trades,
        supply_of_sizes(setup, prices, series),
    )
    if of_share is not None:
        rates = rates._replace(gas_cost=device_array(np.asarray(rates.gas_cost) / of_share))
        trades = None if trades is None else trades.divided(of_share[trades.bars(prices.grid.times_us())])
    orders = None if trades is None else orders_of(trades, experiment.tokens, prices.grid)
    seen = prices.prices
    if setup.look_ahead and end < uncut.n_bars:
        seen = columns_of(uncut, experiment.data.tokens).slice(end - prices.n_bars, end + 1).prices
    volume, model = None, experiment.fees.volume_model
    if model is not None:
        first, n_draws = prices.times[0], experiment.fees.volume_draws
        volume = volume_inputs(model, n_draws, first, prices.bar_minutes, seen.shape[0])
    return rates, market(seen, series.oracle, orders, series.weights, volume, sums=False)


def supply_of_sizes(setup: PoolSetup[Any], prices: Prices, series: Varying) -> FloatArray | None:
    """Returns the supply that divides gas and exogenous swaps at each bar, (T,); None if neither depends on it."""
    if series.supply is None or not (setup.costs.has_gas or series.trades is not None):
        return None
    return series.supply.before(prices.grid.times_us())
