"""Whether a pool keeps the laws that all of them keep, on every path that it has, without fees and with all that it charges."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree
from numpy.typing import NDArray

from quantsim.config import Experiment
from quantsim.errors import ConformanceError
from quantsim.objective import Period
from quantsim.parameters import bind, to_human, to_raw
from quantsim.pools import ParameterSchedule, Path, PoolSetup, Window, get_pool
from quantsim.pools.market import FeeRates, Market, fee_rates
from quantsim.pools.weighted.steering import ConstantSettings, SteeredSettings
from quantsim.precision import in_float64
from quantsim.scan_mode import ScanMode
from quantsim.simulator.setup import pool_setup
from quantsim.simulator.signals import chunk_signals, scheduled_signals, window_rates
from quantsim.testing.description import check_description, check_parameters
from quantsim.testing.gradients import Differentiated, check_gradients
from quantsim.testing.laws import law, require

__all__ = ["check_pool"]

FloatArray = NDArray[np.float64]

BAR_MINUTES, CHUNK_MINUTES, MEMORY_DAYS = 240, 1440, 3.0
FIRST, N_BARS, SHORTER, AFTER = (
    18,
    36,
    21,
    6,
)  # the window's first bar, after all history; its length; a shorter one; bars behind it
CHANGED_AFTER = (0, 5, 6, 7, 20, N_BARS - 2)  # bars, some of them about a decision, after which prices are changed
SOME = np.array(
    [0, 3, 6, 13, N_BARS - 1]
)  # bars that are read by themselves, and those of a path that offers no others
PERIODS = (
    Period(0, N_BARS),
    Period(0, 17),
    Period(16, N_BARS - 16),
)  # the parts share a bar, at which only the first earns
PRICES = "market.prices"
"""What prices are called among the parameters: a composite pool follows gradients through them."""

CHARGES = {
    "swap_fee": 0.003,
    "arb_fee": 0.0005,
    "gas_cost_usd": 1.0,
    "noise_trader_ratio": 0.5,
    "protocol_fee_split": 0.25,
}
_VOLATILITY = 0.02  # per bar
_SAME = 1e-8  # of the initial value
_SCALE = 8.0
_REMEDIES = {
    "finite": "guard logarithms, roots and divisions by what may be zero",
    "initial value": "scale the reserves so that they are worth that at the prices of the window's first bar",
    "value": "leave value out of ReserveRun, or compute it from the same reserves",
    "shares": "leave shares_at to ReserveRun",
    "simplex": "weights are positive, and each row of them sums to 1",
    "chosen bars": "let every method of the run read the same path",
    "fees": "earned is what stays in the pool at each visit, in the quote currency, and 0 where nothing is charged",
    "no look-ahead": "take prices with window.cut, and for a bar those up to it only; count bars from the window's first",
    "scan modes": "use setup.scan_mode to choose how a recursion is run, and for nothing else",
    "units": "let values scale with setup.initial_value",
    "schedule": "let run read parameters from window.schedule unless that is None, or leave follows_schedule False",
    "paths": "say in Pool.paths which path cannot serve this setup, or correct one of them",
}


@in_float64
def check_pool(
    name: str,
    settings: Mapping[str, Any] | None = None,
    *,
    fees: Mapping[str, float] | None = None,
    n_tokens: int | None = None,
) -> None:
    """Checks a pool on synthetic prices: without fees, and with all costs that it charges.

    The laws:

    * description, settings and parameters are sound; the setup of the pool is static;
    * at its first bar it is worth ``setup.initial_value``; it is worth what its reserves are; shares and weights sum to 1;
    * chosen bars are what they are among all bars; all paths agree, and so do both scan modes;
    * **nothing up to a bar depends on later prices**, nor on the length of the window;
    * fees earned are not negative, those of two parts of a window are those of the whole, and without fees there are none;
    * without costs that are fixed in value, a larger pool is the same pool in larger units;
    * values and gradients are finite; gradients are those of finite differences, with respect to parameters and prices;
    * a pool that follows a schedule of parameters goes on unchanged when the same parameters apply once more;
    * other values compile nothing anew.

    Args:
        name: of the pool, or ``"path/to/file.py:name"``.
        settings: keys of the table ``[pool]``; ``rule = "momentum"`` unless given for a pool that a rule steers.
        fees: keys of the table ``[fees]`` in place of those of ``Pool.charges``.
        n_tokens: number of tokens; the pool's own, or 3.

    Raises:
        ConformanceError: it breaks a law; the message names the law, what was found, and the remedy.
        ConfigError: there is no such pool, or it does not take these settings.

    Example:
        >>> check_pool("hold")
    """
    pool = get_pool(name)
    called = f"pool {pool.name!r}"
    check_description(called, name=pool.name, description=pool.description)
    check_parameters(called, bind(pool.parameters, ("pool",), CHUNK_MINUTES))
    if settings is None:
        steered = issubclass(pool.settings, SteeredSettings) and not issubclass(pool.settings, ConstantSettings)
        settings = {"rule": "momentum"} if steered else {}
    charged = {key: CHARGES[key] for key in pool.charges if key in CHARGES} if fees is None else dict(fees)
    for costs in {tuple(one.items()): one for one in ({}, charged)}.values():
        experiment = _experiment(name, settings, costs, n_tokens or pool.n_tokens or 3)
        cases = _cases(f"{called} with {', '.join(costs) or 'no fees'}", experiment)
        _check_agreement(cases, [case.check() for case in cases])


def _keep(kept: bool, name: str, message: str) -> None:
    require(kept, name, f"{message}; {_REMEDIES[name]}" if name in _REMEDIES else message)


def _experiment(name: str, settings: Mapping[str, Any], fees: Mapping[str, float], n_tokens: int) -> Experiment:
    return Experiment.from_dict(
        {
            "data": {"tokens": [f"token {at}" for at in range(n_tokens)]},
            "periods": {"train_start": "2021-01-01", "train_end": "2021-02-01"},
            "pool": {"type": name, **settings},
            "update": {"chunk_minutes": CHUNK_MINUTES, "max_memory_days": MEMORY_DAYS},
            "fees": dict(fees),
        }
    )


class Read(NamedTuple):
    """What a run answers, in units of the initial value: at S bars, at those of :data:`SOME`, and over P periods.

    Attributes:
        value: (S,) of the pool.
        held: (S, n) of its reserves.
        shares: (S, n) of its value.
        weights: (S, n).
        value_at_some: of the pool.
        held_at_some: of its reserves.
        earned: (P,) fees.
    """

    value: Any
    held: Any
    shares: Any
    weights: Any
    value_at_some: Any
    held_at_some: Any
    earned: Any


@dataclass(frozen=True, eq=False)
class Case:
    """A pool with its costs on one of its paths, and what it is run with.

    Attributes:
        called: for messages.
        setup: of the pool.
        path: how it is computed.
        bars: that are read: every one, or those of :data:`SOME`.
        rates: what trading costs.
        sets: raw parameters, and prices among them, those of the experiment first.
        trainable: names of the parameters that gradients move.
    """

    called: str
    setup: PoolSetup[Any]
    path: Path
    bars: NDArray[np.int64]
    rates: FeeRates
    sets: tuple[dict[str, FloatArray], ...]
    trainable: tuple[str, ...]

    def answers(self, params: Mapping[str, Array], n_bars: int = N_BARS, *, scheduled: bool = False) -> Read:
        """Runs the pool over a window, and reads it; if scheduled, the same parameters apply once more from inside it."""
        setup, first = self.setup, jnp.asarray(FIRST)
        own = {name: values for name, values in params.items() if name != PRICES}
        log_prices = jnp.log(params[PRICES] / params[PRICES][0])
        market = Market(params[PRICES], log_prices, jnp.cumsum(log_prices, axis=0))
        schedule = None
        if scheduled:
            twice = {name: jnp.stack([values, values]) for name, values in own.items()}
            schedule = ParameterSchedule(twice, FIRST + jnp.array([0, SHORTER // 2]))
            signals = scheduled_signals(setup, schedule, market, 0)
        else:
            signals = chunk_signals(setup, own, market, 0)
        rates = window_rates(setup, own, signals, self.rates, first, 0, n_bars, schedule)
        window = Window(first, n_bars, self.path, 0, signals.decisions, schedule)
        run = setup.pool.run(setup, own, market, rates, window)
        bars, some = self.bars[self.bars < n_bars], SOME[n_bars > SOME]
        periods = [period for period in PERIODS if period.end <= n_bars]
        shape, shape_of_some = (bars.size, setup.n_tokens), (some.size, setup.n_tokens)
        prices, unit = market.prices[FIRST + bars], setup.initial_value
        return Read(
            self._checked("value_at", run.value_at(bars), shape[:1]) / unit,
            self._checked("reserves_at", run.reserves_at(bars), shape) * prices / unit,
            self._checked("shares_at", run.shares_at(bars), shape),
            self._checked("weights_at", run.weights_at(bars), shape),
            self._checked("value_at", run.value_at(some), shape_of_some[:1]) / unit,
            self._checked("reserves_at", run.reserves_at(some), shape_of_some) * market.prices[FIRST + some] / unit,
            self._checked("fee_revenue", run.fee_revenue(periods), (len(periods),)) / unit,
        )

    def _checked(self, name: str, array: Any, shape: tuple[int, ...]) -> Array:
        right = isinstance(array, jax.Array) and array.shape == shape and array.dtype == np.float64
        found = f"{array.dtype} of shape {array.shape}" if hasattr(array, "dtype") else f"a {type(array).__name__}"
        _keep(
            right, "shape and type", f"{self.called}: {name} returns {found}, and must return float64 of shape {shape}"
        )
        return array  # type: ignore[no-any-return]

    def check(self) -> Read:
        """All laws that one path shows by itself; returns what it answers with the experiment's parameters."""
        with law("run", self.called):
            like = jax.eval_shape(self.answers, dict(self.sets[0]))
            program = Differentiated(lambda params: ravel_pytree(self.answers(params))[0])
            unravel = ravel_pytree(jax.tree.map(lambda part: np.zeros(part.shape), like))[1]
            nothing = np.zeros(sum(part.size for part in like))
            reads = [self._unravelled(unravel, program(params, nothing)[0]) for params in self.sets]
        for read in reads:
            self._check_read(read)
        for params, read in zip(self.sets, reads, strict=True):
            for last in CHANGED_AFTER:
                prices = params[PRICES].copy()
                prices[FIRST + last + 1 :] *= np.linspace(0.5, 2.0, self.setup.n_tokens)
                after = self._unravelled(unravel, program({**params, PRICES: prices}, nothing)[0])
                self._check_same(
                    "no look-ahead", read, after, last, f"when prices after bar {last} do, and no pool knows them then"
                )
        self._check_others(reads[0])
        for params in self.sets:
            check_gradients(self.called, program, params, [*self.trainable, PRICES], nothing == 0.0)
        _keep(
            program.n_traces == 1,
            "one program",
            f"{self.called} was traced {program.n_traces} times for arrays of one shape, and must be traced once: change no "
            "setting of JAX inside it",
        )
        return reads[0]

    def _unravelled(self, unravel: Callable[[Any], Read], flat: FloatArray) -> Read:
        return Read(*map(np.asarray, unravel(flat)))

    def _check_others(self, read: Read) -> None:
        """A shorter window, the other scan mode, a larger pool, and the same parameters twice change nothing.

        Each is tried by itself only if all at once do.
        """
        setup = self.setup
        mode: ScanMode = "associative" if setup.scan_mode == "sequential" else "sequential"
        of_mode = {"settings": replace(setup.settings, scan_mode=mode)}
        larger = {} if setup.costs.has_gas else {"initial_value": _SCALE * setup.initial_value}
        scheduled = setup.pool.follows_schedule
        each: dict[str, tuple[str, dict[str, Any], int, bool]] = {
            "no look-ahead": (f"with the window's length, {N_BARS} and {SHORTER} bars", {}, SHORTER, False),
            "scan modes": ("with the scan mode", of_mode, N_BARS, False),
            "units": (f"in units of the initial value where that is {_SCALE:g} times as large", larger, N_BARS, False),
            "schedule": ("when the same parameters apply once more from inside the window", {}, N_BARS, scheduled),
        }
        with contextlib.suppress(ConformanceError):
            self._check_other("all", read, "", {**of_mode, **larger}, SHORTER, scheduled)
            return
        for name, (why, changed, n_bars, twice) in each.items():
            self._check_other(name, read, why, changed, n_bars, twice)

    def _check_other(
        self, name: str, read: Read, why: str, changed: dict[str, Any], n_bars: int, scheduled: bool
    ) -> None:
        case = replace(self, setup=replace(self.setup, **changed))
        program = jax.jit(functools.partial(case.answers, n_bars=n_bars, scheduled=scheduled))
        self._check_same(name, read, Read(*map(np.asarray, program(dict(self.sets[0])))), n_bars - 1, why)

    def _check_same(self, name: str, read: Read, other: Read, last: int, why: str) -> None:
        """What two runs answer up to a bar is the same."""
        known = self.bars <= last
        for part in ("value", "held", "shares", "weights"):
            before, after = getattr(read, part)[known], getattr(other, part)[: int(known.sum())]
            apart = np.abs(after - before).max(initial=0.0)
            _keep(
                bool(apart <= _SAME),
                name,
                f"{self.called}: {part} up to bar {last} changes by {apart:.3g} {why}",
            )

    def _check_read(self, read: Read) -> None:
        """One run is consistent with itself."""
        for part, values in read._asdict().items():
            _keep(bool(np.isfinite(values).all()), "finite", f"{self.called}: {part} is not finite throughout")
        first = float(read.value[0])
        _keep(
            abs(first - 1.0) <= _SAME,
            "initial value",
            f"{self.called} is worth {first:.12g} times setup.initial_value at its first bar, and must be worth once that",
        )
        rows = {
            "value": (read.value, read.held.sum(axis=1), "value_at is not what reserves_at is worth"),
            "shares": (
                read.shares,
                read.held / read.value[:, None],
                "shares_at is not what the reserves are of the value",
            ),
            "simplex": (read.weights.sum(axis=1), np.ones(self.bars.size), "weights_at does not sum to 1"),
            "chosen bars": (
                np.column_stack([read.value_at_some, read.held_at_some]),
                np.column_stack([read.value, read.held])[np.isin(self.bars, SOME)],
                "value_at or reserves_at of some bars is not what they are among the bars of the window",
            ),
            "fees": (
                read.earned[:1],
                read.earned[1:].sum(keepdims=True),
                "fee_revenue of two halves is not that of the whole",
            ),
        }
        for name, (found, wanted, what) in rows.items():
            apart = float(np.abs(found - wanted).max())
            _keep(apart <= _SAME, name, f"{self.called}: {what}; they differ by {apart:.3g} of the initial value")
        _keep(
            bool((read.weights >= 0.0).all()),
            "simplex",
            f"{self.called}: weights_at is {read.weights.min():.3g} somewhere",
        )
        least, most = float(read.earned.min()), float(read.earned.max())
        _keep(least >= 0.0, "fees", f"{self.called}: fee_revenue is {least:.3g}, and must not be negative")
        without = not self.setup.costs.charges
        _keep(most == 0.0 or not without, "fees", f"{self.called}: fee_revenue is {most:.3g} where nothing is charged")


def _cases(called: str, experiment: Experiment) -> list[Case]:
    """One for each path that can serve."""
    setup = pool_setup(experiment, BAR_MINUTES)
    with law("static", called):
        hash(setup)
    generator = np.random.default_rng(7)
    steps = _VOLATILITY * generator.standard_normal((FIRST + N_BARS + AFTER, setup.n_tokens))
    prices = np.exp(np.cumsum(steps, axis=0)) * np.linspace(1.0, 3.0, setup.n_tokens)
    own, layout = experiment.initial_parameters(), experiment.layout
    drawn = {
        parameter.human_name: parameter.spec.between(
            parameter.spec.low, parameter.spec.high, generator.random(parameter.size)
        )
        for parameter in layout
        if parameter.searchable
    }
    with law("parameters", called):
        sets = tuple({**one, PRICES: prices} for one in (own, to_raw(layout, {**to_human(layout, own), **drawn})))
    trainable = tuple(parameter.raw_name for parameter in layout if parameter.trainable)
    bars: dict[Path, NDArray[np.int64]] = {}
    with law("paths", called):
        for every_bar, read in ((False, SOME), (True, np.arange(N_BARS))):
            paths = setup.pool.paths(setup, every_bar=every_bar)
            bars |= {path: read for path, reason in paths.items() if reason is None}
    _keep(
        any(read.size == N_BARS for read in bars.values()),
        "paths",
        f"{called} has no path that serves where a metric reads every bar",
    )
    return [
        Case(f"{called}, path {path.value!r}", setup, path, read, fee_rates(experiment), sets, trainable)
        for path, read in bars.items()
    ]


def _check_agreement(cases: list[Case], reads: list[Read]) -> None:
    """All paths compute the same, at the bars that all of them read."""
    first, *others = (np.column_stack([read.value_at_some, read.held_at_some]) for read in reads)
    for case, found in zip(cases[1:], others, strict=True):
        apart = float(np.abs(found - first).max())
        _keep(
            apart <= _SAME,
            "paths",
            f"{case.called}: value and reserves differ by {apart:.3g} of the initial value from those of {cases[0].called}",
        )
