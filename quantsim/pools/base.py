"""The interface of a pool: settings, parameters, computation paths, and one pure function from prices to reserves."""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from quantsim.array_types import FloatArray
from quantsim.fee_rules import FeeRule
from quantsim.lazy_jax import Array, jax, jnp
from quantsim.parameters import Parameter, ParameterSpec
from quantsim.pools.market import FeeRates, Market
from quantsim.pools.run import Run
from quantsim.pools.settings import PoolSettings, PoolView
from quantsim.rules import Observed, RuleSettings
from quantsim.scan_mode import ScanMode
from quantsim.volume.model import VolumeShape

if TYPE_CHECKING:
    from quantsim.kernels import Kernel

__all__ = [
    "ALL_COSTS",
    "CostShape",
    "ParameterSchedule",
    "Params",
    "Path",
    "Pool",
    "PoolSetup",
    "Subsidiary",
    "Window",
]

Params = Mapping[str, Array]
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


def _sequential(_: PoolSetup[Any], *, every_bar: bool) -> dict[Path, str | None]:
    return {Path.FEES: None}


def _no_remarks(_: PoolSetup[Any], __: FloatArray, ___: FloatArray, ____: Mapping[str, FloatArray]) -> tuple[str, ...]:
    return ()


def _no_objection(_: PoolView, __: Mapping[str, FloatArray]) -> None:
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
    check: Callable[[PoolView, Mapping[str, FloatArray]], None] = _no_objection
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
