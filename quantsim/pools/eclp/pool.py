"""The Gyroscope E-CLP: concentrated liquidity of two tokens along an ellipse, within a fixed range of prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from quantsim.array_types import Bars, FloatArray
from quantsim.lazy_jax import Array, jnp
from quantsim.parameters import Parameter
from quantsim.pools.base import ALL_COSTS, Params, Path, Pool, PoolSetup, Window
from quantsim.pools.eclp import parameters as own
from quantsim.pools.eclp.curve import Ellipse, curve_of, position, price_at, side_of
from quantsim.pools.eclp.trade_kernel import kernel_path, trade_kernels
from quantsim.pools.eclp.trade_scan import reserves_of, scanned_path
from quantsim.pools.market import FeeRates, Market, at_bars
from quantsim.pools.run import ReserveRun, Run
from quantsim.pools.settings import PoolSettings, PoolView
from quantsim.pools.two_tokens import cost_columns, earned_fees

__all__ = ["POOL", "EclpSettings", "ellipse_of"]


class EclpSettings(PoolSettings):
    """Settings of an E-CLP: those of every pool."""


def ellipse_of(params: Params) -> Ellipse:
    """Returns the ellipse of raw parameters."""
    return Ellipse(*own.price_range(params), *own.rotation(params), own.stretch(params))


class _OnCurve(Run):
    """A run along a curve, with the state of the curve."""

    curve: Array
    ellipse: Ellipse

    def _state(self, at: Array) -> dict[str, Array]:
        """Returns the ends of the range and the pool's price, (S,) each, of positions (S,)."""
        low, high = (jnp.broadcast_to(end, at.shape) for end in (self.ellipse.low, self.ellipse.high))
        quoted = price_at(side_of(self.curve, 0), at)
        return {"range_low": low, "range_high": high, "pool_price": jnp.clip(quoted, low, high)}


@dataclass(frozen=True, eq=False)
class ClosedRun(_OnCurve):
    """The closed form, for zero fees: the balances of any bar follow from its prices alone.

    Attributes:
        ellipse: the ellipse.
        curve: (14,) its constants.
        size: () size of the pool.
        prices: (T, n) prices in the window.
        stride: bars between arbitrage visits.
    """

    ellipse: Ellipse
    curve: Array
    size: Array
    prices: Array
    stride: int

    def value_at(self, bars: Bars) -> Array:
        return jnp.sum(self.reserves_at(bars) * self.prices[bars], axis=-1)

    def reserves_at(self, bars: Bars) -> Array:
        return reserves_of(self.curve, self.size, self._position_at(bars))

    def shares_at(self, bars: Bars) -> Array:
        values = self.reserves_at(bars) * self.prices[bars]
        return values / jnp.sum(values, axis=-1, keepdims=True)

    def fees_by_bar(self, n_bars: int) -> Array:
        return jnp.zeros(n_bars)

    def state_at(self, bars: Bars) -> dict[str, Array]:
        return self._state(self._position_at(bars))

    def log_invariant_at(self, bars: Bars) -> Array:
        return jnp.broadcast_to(jnp.log(self.size / self.ellipse.stretch), (bars.size,))

    def _position_at(self, bars: Bars) -> Array:
        visited = self.prices[bars // self.stride * self.stride]
        return position(self.ellipse, side_of(self.curve, 0).span, visited[:, 0] / visited[:, 1])


@dataclass(frozen=True, eq=False)
class TradedRun(ReserveRun, _OnCurve):
    """A run whose invariant fees raise.

    Attributes:
        ellipse: the ellipse.
        curve: (14,) its constants.
        states: (V, 2) size and position after every visit.
    """

    ellipse: Ellipse = field(kw_only=True)
    curve: Array = field(kw_only=True)
    states: Array = field(kw_only=True)

    def state_at(self, bars: Bars) -> dict[str, Array]:
        return self._state(self.states[bars // self.stride, 1])

    def log_invariant_at(self, bars: Bars) -> Array:
        return jnp.log(self.states[bars // self.stride, 0] / self.ellipse.stretch)


def run(setup: PoolSetup[Any], params: Params, market: Market, rates: FeeRates, window: Window) -> Run:
    """Runs the pool over a window; see :attr:`quantsim.pools.base.Pool.run`."""
    ellipse = ellipse_of(params)
    curve = curve_of(ellipse)
    span, prices = side_of(curve, 0).span, window.cut(market.prices)
    start = position(ellipse, span, prices[0, 0] / prices[0, 1])
    size = setup.initial_value / jnp.sum(reserves_of(curve, jnp.ones(()), start) * prices[0])
    if window.path in (Path.CLOSED_FORM, Path.PER_BAR):
        return ClosedRun(ellipse, curve, size, prices, setup.arb_frequency)
    initial = jnp.stack([size, start])
    if window.path is Path.HOLD:
        held_back = reserves_of(curve, size, start)[None]
        return TradedRun(held_back, prices, window.n_bars, ellipse=ellipse, curve=curve, states=initial[None])
    visited = slice(None, None, setup.arb_frequency)
    rates = at_bars(rates, visited)
    passed = kernel_path if setup.scan_mode == "kernel" else scanned_path
    path, volume = passed(initial, prices[visited], ellipse, curve, cost_columns(rates))
    return TradedRun(
        path[:, 2:],
        prices,
        setup.arb_frequency,
        earned=earned_fees(rates, volume),
        ellipse=ellipse,
        curve=curve,
        states=path[:, :2],
    )


def paths(setup: PoolSetup[Any], *, every_bar: bool) -> dict[Path, str | None]:
    """Returns the paths, cheapest first, each with the reason why it does not support this setup, or None."""
    trades = None if setup.do_arb else "the pool never trades"
    free = "trading costs need path = 'fees'" if setup.costs.charges else None
    return {
        Path.HOLD: "the pool trades" if setup.do_arb else None,
        Path.CLOSED_FORM: trades or free or ("a metric needs the value at every bar" if every_bar else None),
        Path.PER_BAR: trades or free,
        Path.FEES: trades,
    }


def _layout(view: PoolView) -> tuple[Parameter, ...]:
    """Returns the parameters; the rotation has one of two forms."""
    as_tangent = bool(view.given & {own.tan_phi.raw_name, own.tan_phi.human_name})
    specs = {
        own.alpha: True,
        own.beta: True,
        own.phi: not as_tangent,
        **({own.tan_phi: True} if as_tangent else {}),
        own.lam: True,
    }
    label = (view.group or "pool",)
    return tuple(
        Parameter(spec, label, view.update.chunk_minutes, view.group, active) for spec, active in specs.items()
    )


def _check(view: PoolView, human: Mapping[str, FloatArray]) -> None:
    if own.tan_phi.human_name in human and view.given & {own.phi.raw_name, own.phi.human_name}:
        own.check_one_rotation(human)


_MOST_OUTSIDE = 0.5  # of the bars


def _remarks(
    setup: PoolSetup[Any], reserves: FloatArray, prices: FloatArray, state: Mapping[str, FloatArray]
) -> tuple[str, ...]:
    """Warns of a range that the market is outside of most of the time."""
    quotes = prices[:, 0] / prices[:, 1]
    low, high = float(state["range_low"][0]), float(state["range_high"][0])
    outside = float(np.mean((quotes <= low) | (quotes >= high)))
    if outside < _MOST_OUTSIDE:
        return ()
    return (
        f"the market is outside the range of prices, {low:.6g} to {high:.6g}, at {100.0 * outside:.3g} % of the bars, where "
        f"the pool holds one token: it goes from {quotes.min():.6g} to {quotes.max():.6g} of the second token for one of the "
        "first; set alpha and beta around it",
    )


POOL = Pool(
    name="eclp",
    description="two tokens along an ellipse, within a fixed range of prices (Gyroscope E-CLP)",
    run=run,
    settings=EclpSettings,
    layout=_layout,
    paths=paths,
    static=lambda view, bar_minutes, settings: None,
    check=_check,
    remarks=_remarks,
    fixed_curve={},
    charges=ALL_COSTS,
    n_tokens=2,
    kernels=trade_kernels,
    export_remark=None,
)
