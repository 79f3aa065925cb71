"""The weighted pool: a geometric mean market maker (G3M) whose weights a rule moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantsim.array_types import Bars
from quantsim.lazy_jax import Array, jnp
from quantsim.pools.base import ALL_COSTS, Params, Path, Pool, PoolSetup, Window
from quantsim.pools.market import FeeRates, Market
from quantsim.pools.run import ReserveRun, Run
from quantsim.pools.settings import PoolView
from quantsim.pools.steered.hours import (
    HoursSettings,
    check_hours,
    growth_between,
    last_visits,
    open_rates,
    visit_bars,
    with_hours,
)
from quantsim.pools.steered.run import held_between, steered_run
from quantsim.pools.steered.steering import rule_outputs, steered_parameters, steering_of
from quantsim.pools.steered.weights import Ramps, Steering
from quantsim.pools.weighted.fee_kernels import fee_kernels
from quantsim.pools.weighted.zero_fee import bar_log_values
from quantsim.rules import RuleSettings

__all__ = ["POOL"]


@dataclass(frozen=True, eq=False)
class _ClosedForm(Run):
    """The closed form, for zero fees and linear ramps: a few look-ups per requested bar."""

    ramps: Ramps
    market: Market
    window: Window
    setup: PoolSetup[Steering]

    def value_at(self, bars: Bars) -> Array:
        if not self.setup.own.trading_bars:
            return self._open_value(bars)
        return jnp.sum(self.reserves_at(bars) * self._prices(bars), axis=-1)

    def shares_at(self, bars: Bars) -> Array:
        if not self.setup.own.trading_bars:
            return self._open_shares(bars)
        return self.reserves_at(bars) * self._prices(bars) / self.value_at(bars)[:, None]

    def reserves_at(self, bars: Bars) -> Array:
        visits = last_visits(self.setup.own, bars, 1) if self.setup.own.trading_bars else bars
        return self._open_value(visits)[:, None] * self._open_shares(visits) / self._prices(visits)

    def _open_value(self, bars: Bars) -> Array:
        """Returns the value at bars with arbitrage. Constant weights make it the same with or without visits in between."""
        from quantsim.pools.weighted.closed_form import log_values_at

        return self.setup.initial_value * jnp.exp(
            log_values_at(self.ramps, self.market, self.window.start, bars, self.setup.own)
        )

    def _open_shares(self, bars: Bars) -> Array:
        chunk, inside = np.divmod(bars, self.setup.own.chunk_bars)
        moved = np.minimum(inside, self.setup.own.ramp_bars)[:, None]
        return self.ramps.start[chunk] + moved * self.ramps.step[chunk]

    def _prices(self, bars: Bars) -> Array:
        return self.market.prices[self.window.start + bars]


def run(setup: PoolSetup[Steering], params: Params, market: Market, rates: FeeRates, window: Window) -> Run:
    """Runs the pool over a window; see :attr:`quantsim.pools.base.Pool.run`."""

    def held(weights: Array) -> Run:
        return _held(setup, weights, market, rates, window)

    def in_closed_form(ramps: Ramps) -> Run:
        return _ClosedForm(ramps, market, window, setup)

    return steered_run(setup, params, market, window, held, in_closed_form)


def _held(setup: PoolSetup[Steering], weights: Array, market: Market, rates: FeeRates, window: Window) -> Run:
    """Returns the reserves for weights at every bar, (T, n)."""
    prices = window.cut(market.prices)
    if window.path is Path.HOLD:
        reserves = (setup.initial_value * weights[0] / prices[0])[None]
        return ReserveRun(reserves, prices, stride=window.n_bars, weights=weights)
    if window.path is Path.FEES:
        from quantsim.pools.weighted.fee_run import fee_run

        return fee_run(setup, weights, market, open_rates(rates, setup.own, window.n_bars), window)
    stride = setup.arb_frequency
    if setup.own.trading_bars:
        visits = visit_bars(setup.own, window.n_bars, stride)
        value = setup.initial_value * jnp.exp(growth_between(weights, window.cut(market.log_prices), visits, stride))
        return held_between(value[:, None] * weights[visits] / prices[visits], prices, visits)
    visited = slice(None, None, stride)
    value = setup.initial_value * jnp.exp(bar_log_values(weights[visited], window.cut(market.log_prices)[visited]))
    reserves = value[:, None] * weights[visited] / prices[visited]
    return ReserveRun(reserves, prices, stride, value=value if stride == 1 else None)


def paths(setup: PoolSetup[Steering], *, every_bar: bool) -> dict[Path, str | None]:
    """Returns the paths, cheapest first, each with the reason why it does not support this setup, or None."""
    holds = not setup.do_arb and not setup.has_trades
    trades = "the pool never trades" if holds else None
    costs = {
        "trading costs need path = 'fees'": setup.costs.charges,
        "exogenous swaps need path = 'fees'": setup.has_trades,
    }
    vectorised = trades or next((reason for reason, applies in costs.items() if applies), None)
    linear = {
        "the closed form needs weights that the pool decides": setup.own.given,
        "the closed form needs an arbitrage visit every bar": setup.arb_frequency > 1,
        "the closed form needs linear interpolation": setup.own.interpolation != "linear",
        "the closed form needs weights that stand still while the pool is closed": (
            0 < setup.own.trading_bars < setup.own.ramp_bars and setup.own.moves
        ),
        "a metric needs the value or the reserves at every bar": every_bar,
    }
    return {
        Path.HOLD: None if holds else "the pool trades",
        Path.CLOSED_FORM: vectorised or next((reason for reason, applies in linear.items() if applies), None),
        Path.PER_BAR: vectorised,
        Path.FEES: trades,
    }


def _static(view: PoolView, bar_minutes: int, settings: RuleSettings) -> Steering:
    return with_hours(steering_of(view, bar_minutes, settings), view, bar_minutes)


POOL = Pool(
    name="weighted",
    description="trades along the weighted geometric mean of its reserves; a rule moves the weights",
    run=run,
    settings=HoursSettings,
    layout=steered_parameters,
    paths=paths,
    static=_static,
    decisions=rule_outputs,
    check=check_hours,
    fixed_curve={"pool": {"rule": "balancer"}},
    charges=ALL_COSTS,
    takes_swaps=True,
    takes_volume=True,
    kernels=fee_kernels,
    follows_schedule=True,
    export_remark=None,
)
