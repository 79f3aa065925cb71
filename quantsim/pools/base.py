"""The interface of a pool: settings, parameters, computation paths, and one pure function from prices to reserves."""

from __future__ import annotations

import abc
import enum
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from quantsim.fee_rules import FeeRule
from quantsim.lazy_jax import Array, jax, jnp
from quantsim.objective import Period
from quantsim.parameters import Parameter, ParameterSpec
from quantsim.pools.market import FeeRates, Market
from quantsim.pools.settings import PoolSettings, PoolView
from quantsim.rules import Observed, RuleSettings
from quantsim.scan_mode import ScanMode
from quantsim.volume.model import VolumeShape

if TYPE_CHECKING:
    from quantsim.kernels import Kernel
    from quantsim.pools.exogenous_swaps import Fills

__all__ = [
    "ALL_COSTS",
    "CostShape",
    "ParameterSchedule",
    "Params",
    "Path",
    "Pool",
    "PoolSetup",
    "ReserveRun",
    "Run",
    "Subsidiary",
    "Window",
]

Params = Mapping[str, Array]
Bars = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Own = TypeVar("Own", bound=Hashable)


ALL_COSTS = ("swap_fee", "arb_fee", "gas_cost_usd", "noise_trader_ratio", "protocol_fee_split")
"""The keys of ``[fees]`` that a pool can charge; see :attr:`Pool.charges`."""


class Path(enum.Enum):
    """How a pool is computed. All paths of a pool are exact; they differ in cost and in the setups that they support."""

    CLOSED_FORM = (
        "closed_form"  #: at chosen bars only; the cost grows with these and with the chunks, not with all bars
    )
    PER_BAR = "per_bar"  #: every bar, vectorised
    FEES = "fees"  #: one sequential pass over the bars
    HOLD = "hold"  #: reserves never change


@dataclass(frozen=True)
class CostShape:
    """The kinds of trading costs that apply.

    Attributes:
        charges: whether any fee, gas or arbitrage cost applies.
        has_gas: whether a trade has a fixed cost.
        has_noise: whether noise traders follow the arbitrageurs.
        tunes_fee: whether the swap fee is a parameter.
        fee_rule: rule that sets the swap fee for each chunk; None without one.
        volume: elastic volume of noise traders; None without it.
    """

    charges: bool = False
    has_gas: bool = False
    has_noise: bool = False
    tunes_fee: bool = False
    fee_rule: FeeRule | None = None
    volume: VolumeShape | None = None


@dataclass(frozen=True)
class PoolSetup(Generic[Own]):
    """The static properties of a pool, for which a program is compiled. Hashable; durations are in bars.

    Two experiments with equal setups share one program.

    Attributes:
        pool: the mechanism.
        own: properties of this mechanism, from :attr:`Pool.static`.
        n_tokens: number of tokens, ``n``.
        bar_minutes: length of a bar, in minutes.
        chunk_bars: bars between decisions, ``C``.
        initial_value: pool value at the first bar, in the quote currency.
        do_arb: whether arbitrageurs trade.
        arb_frequency: bars between arbitrage visits, ``k``.
        settings: settings of the experiment that rules and fee rules read.
        look_ahead: whether a decision uses data from the end of its chunk, as in quantammsim.
        costs: kinds of costs that apply.
        has_trades: whether exogenous swaps are executed.
        straight_through: limits that gradients ignore: ``"maximum_change"``, ``"weight_bounds"``.
        subsidiaries: pools whose shares this pool or another subsidiary holds; each follows those that it holds.
        columns: positions of the pool's tokens in the data's tokens followed by the subsidiaries.
    """

    pool: Pool
    own: Own
    n_tokens: int
    bar_minutes: int
    chunk_bars: int
    initial_value: float
    do_arb: bool
    arb_frequency: int
    settings: RuleSettings
    look_ahead: bool = False
    costs: CostShape = CostShape()
    has_trades: bool = False
    straight_through: tuple[str, ...] = ()
    subsidiaries: tuple[Subsidiary, ...] = ()
    columns: tuple[int, ...] = ()

    @property
    def scan_mode(self) -> ScanMode:
        """The scan mode."""
        return self.settings.scan_mode

    def with_straight_through(self, limits: tuple[str, ...]) -> PoolSetup[Own]:
        """Returns the same pool, with its subsidiaries, with gradients that ignore these limits."""
        subsidiaries = tuple(
            replace(part, setup=part.setup.with_straight_through(limits)) for part in self.subsidiaries
        )
        return replace(self, straight_through=limits, subsidiaries=subsidiaries)


@dataclass(frozen=True)
class Subsidiary:
    """A pool whose shares another pool holds.

    Attributes:
        group: group of its parameters.
        setup: setup of the subsidiary.
        rates: fees and costs of trading with it, in the order of :class:`~quantsim.pools.market.FeeRates`.
    """

    group: str
    setup: PoolSetup[Any]
    rates: tuple[float, ...]


class ParameterSchedule(NamedTuple):
    """Parameter sets that follow one another while a pool runs: its reserves and weights go on, and only parameters change.

    Attributes:
        sets: raw name, without the pool's group → (F, m).
        starts: (F,) bars of the market from which the sets apply, ascending; the first set applies before its bar, too.
    """

    sets: Params
    starts: Array

    def index_at(self, bars: Array) -> Array:
        """Returns the index of the set that applies at each bar of the market, with the shape of ``bars``."""
        return jnp.maximum(jnp.searchsorted(self.starts, bars, side="right") - 1, 0)

    def select(self, function: Callable[[Params], Any], bars: Array) -> Any:
        """Returns ``function(parameters)`` with the set that applies at each of ``bars``: a pytree of (B, …) arrays."""
        of_sets, index = jax.vmap(function)(self.sets), self.index_at(bars)
        return jax.tree.map(lambda leaf: leaf[index], of_sets)


@dataclass(frozen=True, eq=False)
class Window:
    """The bars that a pool runs over.

    Attributes:
        start: () index of the first bar in the market; traced.
        n_bars: number of bars, ``T``; static.
        path: computation path; static.
        phase: bar of the market's first chunk boundary, less than ``C``; an integer, or a traced () array.
        decisions: result of :attr:`Pool.decisions` for this phase.
        schedule: parameter sets that follow one another in the window; None for one set.
    """

    start: Array
    n_bars: int
    path: Path
    phase: Array | int = 0
    decisions: Any = None
    schedule: ParameterSchedule | None = None

    def cut(self, values: Array) -> Array:
        """Returns the part of a per-bar array that lies in the window: (T_all, …) → (T, …)."""
        return jax.lax.dynamic_slice_in_dim(values, self.start, self.n_bars)


class Run(abc.ABC):
    """The result of a pool over a window. Bars count from the window's first bar; bars and periods are static."""

    @abc.abstractmethod
    def value_at(self, bars: Bars) -> Array:
        """Returns the pool value at chosen bars, (S,), in the quote currency."""

    @abc.abstractmethod
    def reserves_at(self, bars: Bars) -> Array:
        """Returns the token amounts in the pool at chosen bars, (S, n)."""

    @abc.abstractmethod
    def shares_at(self, bars: Bars) -> Array:
        """Returns each token's share of the pool value at chosen bars, (S, n)."""

    def weights_at(self, bars: Bars) -> Array:
        """Returns the weights at chosen bars, (S, n): shares of value unless the pool has its own weights."""
        return self.shares_at(bars)

    def weight_change(self, periods: Sequence[Period]) -> Array:
        """Returns ``½ Σ_t Σ_i |w[t,i] - w[t-1,i]|`` for each period, (P,); zero for a pool without its own weights."""
        return jnp.zeros(len(periods))

    def fee_revenue(self, periods: Sequence[Period]) -> Array:
        """Returns the fees that stay in the pool in each period, (P,), in the quote currency."""
        return jnp.zeros(len(periods))

    def fees_by_bar(self, n_bars: int) -> Array | None:
        """Returns the fees that stay in the pool at each bar of the window, (T,), in the quote currency; None if unknown."""
        return None

    def noise_by_bar(self, n_bars: int) -> Array | None:
        """Returns the part of these fees that noise traders of elastic volume pay, (T,); None without elastic volume."""
        return None

    def state_at(self, bars: Bars) -> dict[str, Array]:
        """Returns what else describes the pool at chosen bars: name → (S,), or (S, n) for a series of each token."""
        return {}

    def log_invariant_at(self, bars: Bars) -> Array | None:
        """Returns the logarithm of what no trade lowers, at bars, (S,); None if unknown, or if it also falls otherwise."""
        return None

    def fills(self) -> Fills | None:
        """Returns the results of exogenous swaps; None if there are none."""
        return None


@dataclass(frozen=True, eq=False)
class ReserveRun(Run):
    """A run with reserves that change only when arbitrageurs visit.

    Attributes:
        reserves: (V, n) token amounts after the visits at bars 0, ``k``, 2``k``, …
        prices: (T, n) prices in the window.
        stride: bars between visits, ``k``.
        value: (T,) pool value, if known more precisely than the value of the reserves; None otherwise.
        weights: (n,) or (T, n) weights; None for a pool without its own weights.
        earned: (V,) fees that stay in the pool at each visit, in the quote currency; None without fees.
    """

    reserves: Array
    prices: Array
    stride: int = 1
    value: Array | None = None
    weights: Array | None = None
    earned: Array | None = None

    def reserves_at(self, bars: Bars) -> Array:
        if not self._are_all(bars):
            return self.reserves[bars // self.stride]
        return jnp.repeat(self.reserves, self.stride, axis=0)[: bars.size] if self.stride > 1 else self.reserves

    def value_at(self, bars: Bars) -> Array:
        if self.value is None:
            return jnp.sum(self.reserves_at(bars) * self._prices_at(bars), axis=-1)
        return self.value if self._are_all(bars) else self.value[bars]

    def shares_at(self, bars: Bars) -> Array:
        return self.reserves_at(bars) * self._prices_at(bars) / self.value_at(bars)[:, None]

    def weights_at(self, bars: Bars) -> Array:
        if self.weights is None:
            return self.shares_at(bars)
        weights = jnp.broadcast_to(self.weights, self.prices.shape)
        return weights if self._are_all(bars) else weights[bars]

    def log_invariant_at(self, bars: Bars) -> Array | None:
        if self.weights is None or self.weights.ndim > 1:
            return None
        return jnp.log(self.reserves_at(bars)) @ self.weights

    def fee_revenue(self, periods: Sequence[Period]) -> Array:
        if self.earned is None:
            return jnp.zeros(len(periods))
        return jnp.stack([jnp.sum(self.earned[period.visits(self.stride)]) for period in periods])

    def fees_by_bar(self, n_bars: int) -> Array | None:
        fees = jnp.zeros(n_bars)
        return fees if self.earned is None else fees.at[:: self.stride].set(self.earned)

    def _prices_at(self, bars: Bars) -> Array:
        return self.prices if self._are_all(bars) else self.prices[bars]

    def _are_all(self, bars: Bars) -> bool:
        return np.array_equal(bars, np.arange(self.prices.shape[0]))


def _sequential(_: PoolSetup[Any], *, every_bar: bool) -> dict[Path, str | None]:
    return {Path.FEES: None}


def _no_remarks(_: PoolSetup[Any], __: FloatArray, ___: FloatArray, ____: Mapping[str, FloatArray]) -> tuple[str, ...]:
    return ()


def _no_objection(_: PoolView, __: Mapping[str, NDArray[np.float64]]) -> None:
    return None


@dataclass(frozen=True, eq=False)
class Pool:
    """A pool mechanism. Compares and hashes by identity: there is one object per name.

    Functions are pure JAX. They receive raw parameters by name, without the pool's group, each (m,) float64.

    Attributes:
        name: name in studies, ``pool.type``; the name of its module.
        description: one line for tables and ``--help``.
        run: ``(setup, raw parameters, market, rates, window) → Run``. The market, (T_all, n), extends beyond the window;
            ``window.start`` is where the window begins. Rates are those of the window's bars, () or (T,) each. The pool value
            at bar 0 of the window is ``setup.initial_value``. The setup, ``window.n_bars`` and ``window.path`` are static;
            everything else may be traced. With ``window.schedule``, the raw parameters are those of its first set; decisions
            and rates already follow it.
        settings: class of its table of settings.
        parameters: parameters of the pool, one value each (not one per token), in dependency order.
        layout: ``view → parameters``, instead of ``parameters``, if they depend on the settings.
        paths: ``(setup, *, every_bar) → {path: reason}``: its paths, cheapest first, each with the reason why it does not
            support this setup, or None if it does. ``every_bar``: whether a metric reads every bar.
        static: ``(view, bar_minutes, rule settings) → static properties``, hashable; by default, the settings.
        decisions: ``(setup, raw parameters, observed, (K, n)) → window.decisions``: the decisions at the chunk boundaries,
            computed once for all windows. Entry ``j`` may only use observations up to ``j``.
        check: ``(view, human-readable initial parameters) → None``; raises ValueError if settings contradict each other.
        remarks: ``(setup, reserves (T, n), prices (T, n), state of every bar) → remarks``: what readers of a simulation must
            know, sentences without full stops; see :meth:`Run.state_at`.
        fixed_curve: settings and parameters with which it always trades along one curve, tables of a study: checks then require
            that no round trip of prices costs it value, and that a change of the numeraire changes nothing. None if unknown.
        charges: keys of ``[fees]`` that it supports; a study that sets another one is invalid.
        n_tokens: number of tokens that it needs; None for any.
        takes_swaps: whether it executes exogenous swaps.
        takes_volume: whether noise traders can have elastic volume: its runs add the growth of :mod:`quantsim.volume`.
        kernels: ``number of tokens → kernels``: what runs path ``FEES`` without exogenous swaps with ``scan_mode = "kernel"``,
            the kernel of the pass and that of its adjoint; None for a pool without kernels.
        is_sequential: whether it takes path ``FEES`` without costs, too, so that it needs its kernel in any case.
        follows_schedule: whether parameters may change while it runs: ``run`` takes from ``window.schedule`` all that it
            reads of the parameters, except what only matters at the first bar.
        start_parameters: raw names of parameters that only matter at the first bar, so they cannot change while it runs.
        trade_costs: what its trades lose at market prices, before fees, for readers.
        export_remark: why a parameter set cannot be exported for deployment; None if it can.
    """

    name: str
    description: str
    run: Callable[[PoolSetup[Any], Params, Market, FeeRates, Window], Run]
    settings: type[PoolSettings] = PoolSettings
    parameters: tuple[ParameterSpec, ...] = ()
    layout: Callable[[PoolView], tuple[Parameter, ...]] | None = None
    paths: Callable[..., Mapping[Path, str | None]] = _sequential
    static: Callable[[PoolView, int, RuleSettings], Hashable] | None = None
    decisions: Callable[[PoolSetup[Any], Params, Observed], Any] | None = None
    check: Callable[[PoolView, Mapping[str, NDArray[np.float64]]], None] = _no_objection
    remarks: Callable[[PoolSetup[Any], FloatArray, FloatArray, Mapping[str, FloatArray]], tuple[str, ...]] = _no_remarks
    fixed_curve: Mapping[str, Mapping[str, Any]] | None = None
    charges: tuple[str, ...] = ()
    n_tokens: int | None = None
    takes_swaps: bool = False
    takes_volume: bool = False
    kernels: Callable[[int], tuple[Kernel, ...]] | None = None
    is_sequential: bool = False
    follows_schedule: bool = False
    start_parameters: tuple[str, ...] = ()
    trade_costs: str = "loss to arbitrageurs, before fees"
    export_remark: str | None = (
        "quantsim does not know the format of this pool's contract: parameters are listed as they are"
    )

    @property
    def has_kernel(self) -> bool:
        """Whether path ``FEES`` without exogenous swaps can run as a compiled kernel."""
        return self.kernels is not None
