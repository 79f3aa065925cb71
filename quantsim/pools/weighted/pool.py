"""The weighted pool: a geometric mean market maker (G3M) whose weights a rule moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quantsim.lazy_jax import Array, jnp
from quantsim.objective import Period
from quantsim.pools.base import ALL_COSTS, Params, Path, Pool, PoolSetup, ReserveRun, Run, Window
from quantsim.pools.market import FeeRates, Market
from quantsim.pools.weighted.fee_kernels import fee_kernels
from quantsim.pools.weighted.interpolation import bar_weights
from quantsim.pools.weighted.steering import (
    SteeredSettings,
    check_steering,
    ramp_change,
    rule_outputs,
    steered_parameters,
    steering_of,
    window_ramps,
)
from quantsim.pools.weighted.weights import Ramps, Steering
from quantsim.pools.weighted.zero_fee import bar_log_values

if TYPE_CHECKING:
    from quantsim.pools.weighted.exogenous_swaps import Fills

__all__ = ["POOL"]

Bars = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _ClosedForm(Run):
    """The closed form, for zero fees and linear ramps: a few look-ups per requested bar."""

    ramps: Ramps
    market: Market
    window: Window
    setup: PoolSetup[Steering]

    def value_at(self, bars: Bars) -> Array:
        from quantsim.pools.weighted.closed_form import log_values_at

        return self.setup.initial_value * jnp.exp(
            log_values_at(self.ramps, self.market, self.window.start, bars, self.setup.own)
        )

    def shares_at(self, bars: Bars) -> Array:
        chunk, inside = np.divmod(bars, self.setup.own.chunk_bars)
        moved = np.minimum(inside, self.setup.own.ramp_bars)[:, None]
        return self.ramps.start[chunk] + moved * self.ramps.step[chunk]

    def reserves_at(self, bars: Bars) -> Array:
        return self.value_at(bars)[:, None] * self.shares_at(bars) / self.market.prices[self.window.start + bars]


@dataclass(frozen=True, eq=False)
class _Weighted(Run):
    """A run of reserves, without the pool's weights."""

    held: Run

    def value_at(self, bars: Bars) -> Array:
        return self.held.value_at(bars)

    def reserves_at(self, bars: Bars) -> Array:
        return self.held.reserves_at(bars)

    def shares_at(self, bars: Bars) -> Array:
        return self.held.shares_at(bars)

    def fee_revenue(self, periods: Sequence[Period]) -> Array:
        return self.held.fee_revenue(periods)

    def fees_by_bar(self, n_bars: int) -> Array | None:
        return self.held.fees_by_bar(n_bars)

    def noise_by_bar(self, n_bars: int) -> Array | None:
        return self.held.noise_by_bar(n_bars)

    def fills(self) -> Fills | None:
        return self.held.fills()


@dataclass(frozen=True, eq=False)
class _Ramped(_Weighted):
    """A run of reserves together with weights that follow ramps."""

    ramps: Ramps
    n_bars: int
    steering: Steering

    def weights_at(self, bars: Bars) -> Array:
        weights = bar_weights(self.ramps, self.n_bars, self.steering)
        return weights if np.array_equal(bars, np.arange(self.n_bars)) else weights[bars]

    def weight_change(self, periods: Sequence[Period]) -> Array:
        return ramp_change(self.ramps, self.n_bars, self.steering, periods)

    def log_invariant_at(self, bars: Bars) -> Array | None:
        if self.steering.moves:
            return None
        return jnp.log(self.reserves_at(bars)) @ self.ramps.start[0]


@dataclass(frozen=True, eq=False)
class _Given(_Weighted):
    """A run of reserves together with weights that are given at every bar, (T, n)."""

    weights: Array

    def weights_at(self, bars: Bars) -> Array:
        return self.weights[bars]

    def weight_change(self, periods: Sequence[Period]) -> Array:
        inside = (self.weights[period.first : period.end] for period in periods)
        return jnp.stack([0.5 * jnp.sum(jnp.abs(jnp.diff(part, axis=0))) for part in inside])


def run(setup: PoolSetup[Steering], params: Params, market: Market, rates: FeeRates, window: Window) -> Run:
    """Runs the pool over a window; see :attr:`quantsim.pools.base.Pool.run`."""
    if setup.own.given and market.weights is not None:
        given = window.cut(market.weights)
        return _Given(_held(setup, given, market, rates, window), given)
    ramps, steering = window_ramps(setup, params, window), setup.own
    if window.path is Path.CLOSED_FORM:
        held: Run = _ClosedForm(ramps, market, window, setup)
    else:
        held = _held(setup, bar_weights(ramps, window.n_bars, steering), market, rates, window)
    return _Ramped(held, ramps, window.n_bars, steering)


def _held(setup: PoolSetup[Steering], weights: Array, market: Market, rates: FeeRates, window: Window) -> Run:
    """Returns the reserves for weights at every bar, (T, n)."""
    prices = window.cut(market.prices)
    if window.path is Path.HOLD:
        reserves = (setup.initial_value * weights[0] / prices[0])[None]
        return ReserveRun(reserves, prices, stride=window.n_bars, weights=weights)
    if window.path is Path.FEES:
        from quantsim.pools.weighted.fee_run import fee_run

        return fee_run(setup, weights, market, rates, window)
    stride = setup.arb_frequency
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
        "a metric needs the value or the reserves at every bar": every_bar,
    }
    return {
        Path.HOLD: None if holds else "the pool trades",
        Path.CLOSED_FORM: vectorised or next((reason for reason, applies in linear.items() if applies), None),
        Path.PER_BAR: vectorised,
        Path.FEES: trades,
    }


POOL = Pool(
    name="weighted",
    description="trades along the weighted geometric mean of its reserves; a rule moves the weights",
    run=run,
    settings=SteeredSettings,
    layout=steered_parameters,
    paths=paths,
    static=steering_of,
    decisions=rule_outputs,
    check=check_steering,
    fixed_curve={"pool": {"rule": "balancer"}},
    charges=ALL_COSTS,
    takes_swaps=True,
    takes_volume=True,
    kernels=fee_kernels,
    follows_schedule=True,
    export_remark=None,
)
