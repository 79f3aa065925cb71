"""A pool that holds its initial reserves and never trades (HODL), the usual benchmark of other pools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantsim.pools.base import Params, Path, Pool, PoolSetup, Window
from quantsim.pools.market import FeeRates, Market
from quantsim.pools.run import ReserveRun, Run
from quantsim.pools.settings import PoolView
from quantsim.pools.steered.steering import ConstantSettings, check_constant, initial_weights, steered_parameters

__all__ = ["POOL"]


def run(setup: PoolSetup[Any], params: Params, market: Market, rates: FeeRates, window: Window) -> Run:
    """Returns a run with constant reserves, bought with the initial weights; weights are shares of value."""
    prices = window.cut(market.prices)
    reserves = setup.initial_value * initial_weights(params) / prices[0]
    return ReserveRun(reserves[None], prices, stride=window.n_bars)


def paths(setup: PoolSetup[Any], *, every_bar: bool) -> dict[Path, str | None]:
    """Returns its only path, and the reason why it has no others."""
    never = dict.fromkeys((Path.CLOSED_FORM, Path.PER_BAR, Path.FEES), "the pool never trades")
    return {Path.HOLD: None, **never}


def _check(view: PoolView, human: Mapping[str, NDArray[np.float64]]) -> None:
    check_constant(view, human)
    if view.pool.arb_frequency != 1:
        raise ValueError(f"{view.told('arb_frequency')} has no effect: a pool that holds never trades; leave it out")


POOL = Pool(
    name="hold",
    description="the initial reserves, held without trading",
    run=run,
    settings=ConstantSettings,
    layout=steered_parameters,
    paths=paths,
    static=lambda view, bar_minutes, settings: None,
    check=_check,
    fixed_curve={},
    follows_schedule=True,
    export_remark=None,
)
