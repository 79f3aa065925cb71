"""A run of a pool that a rule steers: its reserves, together with its weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from quantsim.array_types import Bars
from quantsim.lazy_jax import Array, jnp
from quantsim.objective import Period
from quantsim.pools.base import Params, Path, PoolSetup, Window
from quantsim.pools.market import Market
from quantsim.pools.run import ReserveRun, Run
from quantsim.pools.steered.interpolation import bar_weights
from quantsim.pools.steered.steering import ramp_change, window_ramps
from quantsim.pools.steered.weights import Ramps, Steering

if TYPE_CHECKING:
    from quantsim.pools.exogenous_swaps import Fills

__all__ = ["held_between", "steered_run"]


@dataclass(frozen=True, eq=False)
class _Steered(Run):
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
class _Ramped(_Steered):
    """A run of reserves together with weights that follow ramps."""

    ramps: Ramps
    n_bars: int
    steering: Steering
    has_curve: bool

    def weights_at(self, bars: Bars) -> Array:
        weights = bar_weights(self.ramps, self.n_bars, self.steering)
        return weights if np.array_equal(bars, np.arange(self.n_bars)) else weights[bars]

    def weight_change(self, periods: Sequence[Period]) -> Array:
        return ramp_change(self.ramps, self.n_bars, self.steering, periods)

    def log_invariant_at(self, bars: Bars) -> Array | None:
        if self.steering.moves or not self.has_curve:
            return None
        return jnp.log(self.reserves_at(bars)) @ self.ramps.start[0]


@dataclass(frozen=True, eq=False)
class _Given(_Steered):
    """A run of reserves together with weights that are given at every bar, (T, n)."""

    weights: Array

    def weights_at(self, bars: Bars) -> Array:
        return self.weights[bars]

    def weight_change(self, periods: Sequence[Period]) -> Array:
        inside = (self.weights[period.first : period.end] for period in periods)
        return jnp.stack([0.5 * jnp.sum(jnp.abs(jnp.diff(part, axis=0))) for part in inside])


def steered_run(
    setup: PoolSetup[Any],
    params: Params,
    market: Market,
    window: Window,
    held: Callable[[Array], Run],
    in_closed_form: Callable[[Ramps], Run] | None = None,
) -> Run:
    """Runs a pool over a window along the weights that its rule decides, or that are given.

    Args:
        setup: setup of the pool.
        params: raw parameters.
        market: market of the pool's tokens.
        window: the window.
        held: weights at every bar, (T, n) → the run of the reserves.
        in_closed_form: ramps → the run of the reserves, for the path ``CLOSED_FORM``; None for a mechanism without a curve.
    """
    if setup.own.given and market.weights is not None:
        given = window.cut(market.weights)
        return _Given(held(given), given)
    ramps, n_bars = window_ramps(setup, params, window), window.n_bars
    if window.path is Path.CLOSED_FORM and in_closed_form is not None:
        reserves = in_closed_form(ramps)
    else:
        reserves = held(bar_weights(ramps, n_bars, setup.own))
    return _Ramped(reserves, ramps, n_bars, setup.own, in_closed_form is not None)


def held_between(reserves: Array, prices: Array, visits: Bars) -> ReserveRun:
    """Returns a run whose reserves, (V, n), only change at the bars ``visits``, (V,); prices are those of all bars, (T, n)."""
    last = np.searchsorted(visits, np.arange(prices.shape[0]), side="right") - 1
    return ReserveRun(reserves[last], prices)
