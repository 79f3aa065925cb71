"""What a pool is: settings, parameters, the paths it has, and one pure function from prices to what it holds."""

from __future__ import annotations

import abc
import enum
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from quantsim.fee_rules import FeeRule
from quantsim.objective import Period
from quantsim.parameters import Parameter, ParameterSpec
from quantsim.pools.market import FeeRates, Market
from quantsim.pools.settings import PoolSettings, PoolView
from quantsim.rules import Observed, RuleSettings
from quantsim.scan_mode import ScanMode

if TYPE_CHECKING:
    from quantsim.pools.weighted.exogenous_swaps import Fills

__all__ = ["CostShape", "Params", "Path", "Pool", "PoolSetup", "ReserveRun", "Run", "Subsidiary", "Window"]

Params = Mapping[str, Array]
Bars = NDArray[np.int64]
Own = TypeVar("Own", bound=Hashable)


class Path(enum.Enum):
    """How a pool is computed. All paths of a pool are exact; they differ in what they cost and in what they can serve."""

    CLOSED_FORM = "closed_form"  #: at chosen bars only: cost grows with these and the chunks, not with the bars
    PER_BAR = "per_bar"  #: every bar, vectorised
    FEES = "fees"  #: one sequential pass over the bars
    HOLD = "hold"  #: reserves never change


@dataclass(frozen=True)
class CostShape:
    """Which costs of trading there are.

    Attributes:
        charges: whether any fee, gas or arbitrage cost applies.
        has_gas: whether a trade has to earn a fixed cost.
        has_noise: whether noise traders follow the arbitrageurs.
        tunes_fee: whether the swap fee is a parameter.
        fee_rule: sets the swap fee chunk by chunk; None for a fee that is set otherwise.
    """

    charges: bool = False
    has_gas: bool = False
    has_noise: bool = False
    tunes_fee: bool = False
    fee_rule: FeeRule | None = None


@dataclass(frozen=True)
class PoolSetup(Generic[Own]):
    """The static shape of a pool: what a compiled program is specialised to. Hashable; lengths of time are in bars.

    Two experiments of equal setup share one program.

    Attributes:
        pool: the mechanism.
        own: what the mechanism alone needs, as its :attr:`Pool.static` makes it.
        n_tokens: number of tokens, ``n``.
        bar_minutes: length of a bar, in minutes.
        chunk_bars: bars between decisions, ``C``.
        initial_value: pool value at the first bar, in the quote currency.
        do_arb: whether arbitrageurs trade at all.
        arb_frequency: bars between their visits, ``k``.
        settings: what of the experiment rules and fee rules read.
        look_ahead: whether a chunk is steered by what is known at its end, as in the published implementation.
        costs: which there are.
        has_trades: whether exogenous swaps are executed.
        straight_through: limits that a gradient passes as if they were not there: ``"maximum_change"``, ``"weight_bounds"``.
        subsidiaries: the pools whose shares it or another subsidiary holds, each after those that it holds.
        columns: where the pool's tokens are among those of the data, followed by the subsidiaries.
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
        """How recursions are run."""
        return self.settings.scan_mode

    def with_straight_through(self, limits: tuple[str, ...]) -> PoolSetup[Own]:
        """The same pool, and its subsidiaries, with gradients that pass limits as if they were not there."""
        subsidiaries = tuple(
            replace(part, setup=part.setup.with_straight_through(limits)) for part in self.subsidiaries
        )
        return replace(self, straight_through=limits, subsidiaries=subsidiaries)


@dataclass(frozen=True)
class Subsidiary:
    """A pool whose shares another pool holds.

    Attributes:
        group: of its parameters.
        setup: its own.
        rates: what trading with it costs, in the order of :class:`~quantsim.pools.market.FeeRates`.
    """

    group: str
    setup: PoolSetup[Any]
    rates: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Window:
    """The bars that a pool runs over.

    Attributes:
        start: () index of its first bar in the market; traced.
        n_bars: its length, ``T``; static.
        path: how to compute; static.
        phase: bar of the first chunk boundary of the market, below ``C``; an integer, or traced, ().
        decisions: what :attr:`Pool.decisions` returned for that phase.
    """

    start: Array
    n_bars: int
    path: Path
    phase: Array | int = 0
    decisions: Any = None

    def cut(self, values: Array) -> Array:
        """The window's part of what the market has for every bar: (T_all, …) → (T, …)."""
        return jax.lax.dynamic_slice_in_dim(values, self.start, self.n_bars)


class Run(abc.ABC):
    """What a pool did in a window, read off at bars that count from the window's first. Bars and periods are static."""

    @abc.abstractmethod
    def value_at(self, bars: Bars) -> Array:
        """Pool value at chosen bars, (S,), in the quote currency."""

    @abc.abstractmethod
    def reserves_at(self, bars: Bars) -> Array:
        """Tokens in the pool at chosen bars, (S, n)."""

    @abc.abstractmethod
    def shares_at(self, bars: Bars) -> Array:
        """Each token's share of the pool's value at chosen bars, (S, n)."""

    def weights_at(self, bars: Bars) -> Array:
        """Weights at chosen bars, (S, n): shares of value, unless the pool has weights of its own."""
        return self.shares_at(bars)

    def weight_change(self, periods: Sequence[Period]) -> Array:
        """``½ Σ_t Σ_i |w[t,i] - w[t-1,i]|`` of the pool's own weights over each period, (P,); zero for a pool without."""
        return jnp.zeros(len(periods))

    def fee_revenue(self, periods: Sequence[Period]) -> Array:
        """Fees that stay in the pool in each period, (P,), in the quote currency."""
        return jnp.zeros(len(periods))

    def fills(self) -> Fills | None:
        """What became of exogenous swaps; None where there are none."""
        return None


@dataclass(frozen=True, eq=False)
class ReserveRun(Run):
    """A run whose reserves are known after every visit of the arbitrageurs, and held until the next.

    Attributes:
        reserves: (V, n) tokens after the visits at bars 0, ``k``, 2``k``, …
        prices: (T, n) of the window.
        stride: bars between visits, ``k``.
        value: (T,), where it is known more exactly than as the value of the reserves.
        weights: (n,) or (T, n); None for a pool that has none.
        earned: (V,) fees that stay in the pool at each visit, in the quote currency; None for none.
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

    def fee_revenue(self, periods: Sequence[Period]) -> Array:
        if self.earned is None:
            return jnp.zeros(len(periods))
        return jnp.stack([jnp.sum(self.earned[period.visits(self.stride)]) for period in periods])

    def _prices_at(self, bars: Bars) -> Array:
        return self.prices if self._are_all(bars) else self.prices[bars]

    def _are_all(self, bars: Bars) -> bool:
        return np.array_equal(bars, np.arange(self.prices.shape[0]))


def _sequential(_: PoolSetup[Any], *, every_bar: bool) -> dict[Path, str | None]:
    return {Path.FEES: None}


def _no_objection(_: PoolView, __: Mapping[str, NDArray[np.float64]]) -> None:
    return None


@dataclass(frozen=True, eq=False)
class Pool:
    """One mechanism. Pools compare and hash as themselves: there is one object per name.

    Functions are pure JAX; they get raw parameters by their names inside the pool's group, each (m,) float64.

    Attributes:
        name: what studies call it, ``pool.type``; the name of its file.
        description: one line for tables and ``--help``.
        run: ``(setup, raw parameters, market, rates, window) → Run``. The market, (T_all, n), reaches beyond the window, which
            says where that begins; rates are those of the window's bars, () or (T,) each. At bar 0 of the window the pool is
            worth ``setup.initial_value``. Setup, and of the window the length and the path, are static; all else may be traced.
        settings: the keys of its table.
        parameters: its own, one value each, of the pool and not of a token; in dependency order.
        layout: ``view → parameters``, in place of ``parameters`` for a pool whose parameters depend on its settings.
        paths: ``(setup, *, every_bar) → {path: reason}``, the paths it has, the cheapest first, each with the reason why it
            cannot serve this setup, or None where it can. With ``every_bar`` a metric looks at every bar.
        static: ``(view, bar_minutes, rule settings) → what of its settings is compiled in``, hashable; the
            settings themselves unless given.
        decisions: ``(setup, raw parameters, observed, (K, n)) → whatever run finds in window.decisions``: what is decided at
            the chunk boundaries, once for all windows. Entry ``j`` may use what was observed up to ``j`` only.
        check: ``(view, human-readable initial parameters) → None``; raises ValueError where settings contradict each other.
        charges: the keys of ``[fees]`` whose costs it takes into account; a study that sets another one is refused.
        n_tokens: number of tokens that it is for; None for any.
        takes_swaps: whether it executes exogenous swaps.
        export_remark: why a deployment of a parameter set cannot be described; None where it can.
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
    charges: tuple[str, ...] = ()
    n_tokens: int | None = None
    takes_swaps: bool = False
    export_remark: str | None = (
        "what a contract of such a pool takes is not known here: parameters are listed as they are"
    )
