"""The reCLAMM pool: concentrated liquidity of two tokens, whose range of prices follows the market by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self, cast

import numpy as np
from pydantic import model_validator

from quantsim.array_types import Bars, FloatArray
from quantsim.lazy_jax import Array, jnp
from quantsim.parameters import Parameter
from quantsim.pools.base import ALL_COSTS, Params, Path, Pool, PoolSetup, Window
from quantsim.pools.market import FeeRates, Market, Orders, at_bars
from quantsim.pools.reclamm import parameters as own
from quantsim.pools.reclamm.range_kernel import kernel_balances, range_kernels
from quantsim.pools.reclamm.range_scan import Shifting, centeredness, scanned_balances
from quantsim.pools.reclamm.start import arc_speed, centred_balances, scaled_balances
from quantsim.pools.run import ReserveRun, Run
from quantsim.pools.settings import PoolSettings, PoolView
from quantsim.pools.two_tokens import cost_columns, earned_fees
from quantsim.rules import RuleSettings
from quantsim.settings.kinds import NotNegative, Positive

if TYPE_CHECKING:
    from quantsim.pools.exogenous_swaps import Fills

__all__ = ["POOL", "Range", "ReclammSettings"]


_LONGEST_SECONDS = 30 * 86400.0  # a shift counts no longer time, as in the contract


class ReclammSettings(PoolSettings):
    """Settings of a reCLAMM pool: how its range moves, and the state that it starts with."""

    range_shift: Literal["decay", "constant_arc_length"] = "decay"
    """How the range moves: by a constant decay of a virtual balance, as the contract does, or by a constant arc length, which
    begins as fast."""
    centeredness_scaling: bool = False
    """Whether the range moves faster by the factor margin/centeredness."""
    real_balances: tuple[NotNegative, NotNegative] | None = None
    """Real balances before the first bar, such as those of a pool on chain, in tokens. They are scaled to the initial value,
    together with ``virtual_balances``. Without them the range is centred at the market."""
    virtual_balances: tuple[Positive, Positive] | None = None
    """Virtual balances before the first bar, in tokens. With a given state ``price_ratio`` has no effect."""

    @model_validator(mode="after")
    def _whole_state(self) -> Self:
        if (self.real_balances is None) != (self.virtual_balances is None):
            missing = "real_balances" if self.real_balances is None else "virtual_balances"
            raise ValueError(f"{missing} is missing: a state has real_balances and virtual_balances")
        if self.real_balances is not None and not any(self.real_balances):
            raise ValueError("real_balances = [0.0, 0.0]: at least one must be positive")
        return self


@dataclass(frozen=True)
class Range:
    """The static properties of a reCLAMM pool.

    Attributes:
        shifting: how the range moves.
        seconds: time between two visits that a shift counts, in seconds.
        balances: real and virtual balances before the first visit, four, in any unit; None to start from the market's prices.
    """

    shifting: Shifting
    seconds: float
    balances: tuple[float, ...] | None


@dataclass(frozen=True, eq=False)
class RangeRun(ReserveRun):
    """A run with its virtual balances.

    Attributes:
        balances: (V, 4) real and virtual balances after every visit.
        swaps: results of exogenous swaps; None if there are none.
    """

    balances: Array = field(kw_only=True)
    swaps: Fills | None = None

    def fills(self) -> Fills | None:
        return self.swaps

    def state_at(self, bars: Bars) -> dict[str, Array]:
        """Returns centeredness, ends of the range and pool price, (S,), prices of A in B, and virtual balances, (S, 2)."""
        found = self.balances[bars // self.stride]
        real, virtual = found[:, :2], found[:, 2:]
        effective = real + virtual
        product = jnp.prod(effective, axis=-1)
        return {
            "centeredness": centeredness(found)[0],
            "range_low": virtual[:, 1] ** 2 / product,
            "range_high": product / virtual[:, 0] ** 2,
            "pool_price": effective[:, 1] / effective[:, 0],
            "virtual": virtual,
        }

    def log_invariant_at(self, bars: Bars) -> Array:
        """Returns the logarithm of the range's price ratio, (S,): moves of the range keep it, and fees raise it."""
        found = self.balances[bars // self.stride]
        return 2.0 * jnp.sum(jnp.log1p(found[:, :2] / found[:, 2:]), axis=-1)


def run(setup: PoolSetup[Range], params: Params, market: Market, rates: FeeRates, window: Window) -> Run:
    """Runs the pool over a window; see :attr:`quantsim.pools.base.Pool.run`."""
    prices, initial = window.cut(market.prices), setup.own.balances
    if initial is None:
        balances = centred_balances(setup.initial_value, prices[0], own.range_width(params))
    else:
        balances = scaled_balances(setup.initial_value, prices[0], initial)
    if market.orders is not None:
        return _swapped(setup, params, prices, market.orders, rates, window, balances)
    if window.path is Path.HOLD:
        return RangeRun(balances[None, :2], prices, window.n_bars, balances=balances[None])
    visited = slice(None, None, setup.arb_frequency)
    rates, shifting = at_bars(rates, visited), setup.own.shifting
    arguments = balances, prices[visited], _shifts(setup, params, window, balances), cost_columns(rates), shifting
    if setup.scan_mode == "kernel":
        path, volume = kernel_balances(*arguments)
    else:
        path, volume = scanned_balances(*arguments)
    return RangeRun(path[:, :2], prices, setup.arb_frequency, earned=earned_fees(rates, volume), balances=path)


def _swapped(
    setup: PoolSetup[Range],
    params: Params,
    prices: Array,
    orders: Orders,
    rates: FeeRates,
    window: Window,
    balances: Array,
) -> RangeRun:
    """Runs the pool with exogenous swaps, over every bar."""
    from quantsim.pools.exogenous_swaps import window_orders
    from quantsim.pools.reclamm.range_swaps import fills_of, swapped_balances

    stride = setup.arb_frequency if setup.do_arb else None
    orders = window_orders(orders, window.start, window.n_bars, jnp.ones(2))
    shifts = _shifts(setup, params, window, balances, every_bar=True)
    before, after, volume = swapped_balances(
        balances, prices, shifts, cost_columns(rates), rates, orders, setup.own.shifting, stride
    )
    fills = fills_of(before, prices, rates, orders)
    inside = (fills.bar > 0) & (fills.bar < window.n_bars)
    earned = earned_fees(rates, volume).at[jnp.where(inside, fills.bar, 0)].add(jnp.where(inside, fills.fee, 0.0))
    return RangeRun(after[:, :2], prices, earned=earned, balances=after, swaps=fills)


def _shifts(
    setup: PoolSetup[Range], params: Params, window: Window, balances: Array, *, every_bar: bool = False
) -> Array:
    """Returns what moves the range at every visit or bar, (V or 1, 3); see :mod:`quantsim.pools.reclamm.column_lanes`."""

    def of(params: Params) -> Array:
        margin, exponent = own.margin(params), own.log_shift(params) * setup.own.seconds
        arcs = setup.own.shifting.constant_arc_length
        return jnp.stack([margin, exponent, arc_speed(balances, margin, exponent) if arcs else jnp.zeros(())])

    if window.schedule is None:
        return of(params)[None]
    stride = 1 if every_bar else setup.arb_frequency
    found: Array = window.schedule.select(of, window.start + jnp.arange(0, window.n_bars, stride))
    return found


def paths(setup: PoolSetup[Range], *, every_bar: bool) -> dict[Path, str | None]:
    """Returns the paths, cheapest first, each with the reason why it does not support this setup, or None."""
    trades = setup.do_arb or setup.has_trades
    vectorised = "the range of a reCLAMM pool depends on all earlier bars: use path = 'fees'"
    return {
        Path.HOLD: "the pool trades" if trades else None,
        Path.CLOSED_FORM: vectorised,
        Path.PER_BAR: vectorised,
        Path.FEES: None if trades else "the pool never trades",
    }


def _layout(view: PoolView) -> tuple[Parameter, ...]:
    """Returns the parameters: the price ratio is one unless balances are given, and the shift has one of two forms."""
    settings, label = cast(ReclammSettings, view.pool), (view.group or "pool",)
    as_base = bool(view.given & {own.daily_price_shift_base.raw_name, own.daily_price_shift_base.human_name})
    specs = {
        own.price_ratio: settings.real_balances is None,
        own.centeredness_margin: True,
        own.shift_exponent: not as_base,
        **({own.daily_price_shift_base: True} if as_base else {}),
    }
    return tuple(
        Parameter(spec, label, view.update.chunk_minutes, view.group, active) for spec, active in specs.items()
    )


def _static(view: PoolView, bar_minutes: int, _: RuleSettings) -> Range:
    settings = cast(ReclammSettings, view.pool)
    seconds = 60.0 * bar_minutes * settings.arb_frequency
    shifting = Shifting(
        settings.range_shift == "constant_arc_length", settings.centeredness_scaling, _LONGEST_SECONDS / seconds
    )
    given = settings.real_balances, settings.virtual_balances
    balances = None if given[0] is None or given[1] is None else (*given[0], *given[1])
    return Range(shifting, seconds, balances)


def _check(view: PoolView, human: Mapping[str, FloatArray]) -> None:
    if own.daily_price_shift_base.human_name in human and view.given & {
        own.shift_exponent.raw_name,
        own.shift_exponent.human_name,
    }:
        own.check_one_shift(human)


_FAR = 0.05  # in the logarithm of the price: more than a fee and some minutes
_MOST_LOST = 0.1  # of the pool's value in 30 days; what measured ranges of usual speeds lose is below a quarter of it


def _remarks(
    setup: PoolSetup[Range], reserves: FloatArray, prices: FloatArray, state: Mapping[str, FloatArray]
) -> tuple[str, ...]:
    """Warns of a given state that is far from the market, and of a range that eats the pool."""
    return (*_far_from_market(setup.own.balances, prices[0]), *_eaten(setup, reserves, prices, state["virtual"]))


def _far_from_market(balances: tuple[float, ...] | None, prices: FloatArray) -> Iterator[str]:
    if balances is None:
        return
    r_a, r_b, v_a, v_b = balances
    quote, market = (r_b + v_b) / (r_a + v_a), float(prices[0] / prices[1])
    if abs(np.log(quote / market)) > _FAR:
        yield (
            f"real_balances and virtual_balances quote {quote:.6g} at the first bar, where the market is at {market:.6g}: the "
            "pool pays arbitrageurs for the difference; give the state of that time, or leave it out"
        )


def _eaten(setup: PoolSetup[Range], reserves: FloatArray, prices: FloatArray, virtual: FloatArray) -> Iterator[str]:
    """Yields a remark if the range is so fast for its width that arbitrageurs earn much of the pool where it moves."""
    held, after = (np.sum(rows * prices[1:], axis=1) for rows in (reserves[:-1], reserves[1:]))
    moved = (np.diff(virtual, axis=0) != 0.0).any(axis=1) & (held > 0.0)
    with np.errstate(divide="ignore"):
        growth = float(np.sum(np.log(after[moved] / held[moved])))
    days = max(held.size * setup.bar_minutes / 1440.0, 30.0)
    lost = -np.expm1(growth * 30.0 / days)
    if lost > _MOST_LOST:
        yield (
            f"the range eats the pool: where it moved, arbitrageurs took {100.0 * lost:.3g} % of the pool's value in 30 days; "
            "a wider price_ratio, a smaller shift_exponent or a smaller centeredness_margin loses less"
        )


POOL = Pool(
    name="reclamm",
    description="two tokens within a range of prices that follows the market by itself (Balancer reCLAMM)",
    run=run,
    settings=ReclammSettings,
    layout=_layout,
    paths=paths,
    static=_static,
    check=_check,
    remarks=_remarks,
    fixed_curve={"parameters": {own.centeredness_margin.human_name: 0.0}},
    charges=ALL_COSTS,
    n_tokens=2,
    takes_swaps=True,
    kernels=range_kernels,
    is_sequential=True,
    follows_schedule=True,
    start_parameters=(own.price_ratio.raw_name,),
    export_remark="the contract is Balancer's reCLAMM: its daily price shift exponent is shift_exponent, 1 for 100 % (at most "
    "1), its margin centeredness_margin (at most 0.9), and its least and largest initial price are the market's price of the "
    "first token in the second, divided and multiplied by the square root of price_ratio",
)
