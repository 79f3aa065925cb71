"""Conformance checks of pools: on every path, without fees and with all costs that the pool charges."""

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
from quantsim.pools import ParameterSchedule, Path, Pool, PoolSetup, Window, get_pool
from quantsim.pools.market import FeeRates, Market, fee_rates
from quantsim.pools.steered.steering import ConstantSettings, SteeredSettings
from quantsim.precision import in_float64
from quantsim.scan_mode import ScanMode
from quantsim.simulator.setup import pool_setup
from quantsim.simulator.signals import chunk_signals, scheduled_signals, window_rates
from quantsim.testing.curves import check_curve
from quantsim.testing.description import check_description, check_parameters
from quantsim.testing.experiments import (
    BAR_MINUTES,
    CHARGES,
    CHUNK_MINUTES,
    conformance_experiment,
    fixed_curve_experiment,
)
from quantsim.testing.gradients import Differentiated, check_gradients
from quantsim.testing.laws import law, require

__all__ = ["check_pool"]

FloatArray = NDArray[np.float64]

FIRST, N_BARS, SHORTER, AFTER = 18, 36, 21, 6
"""First bar of the window, after its history; its length; a shorter length; number of bars after it."""
CHANGED_AFTER = (0, 5, 6, 7, 20, N_BARS - 2)
"""Bars after which prices are changed; some are next to a decision."""
SOME = np.array([0, 3, 6, 13, N_BARS - 1])
"""Bars that are read one by one."""
PERIODS = (Period(0, N_BARS), Period(0, 17), Period(16, N_BARS - 16))
"""The whole window and two parts. The parts share a bar, whose fees count for the first one."""
PRICES = "market.prices"
"""Name of the prices among the parameters: a composite pool needs gradients with respect to prices."""

_VOLATILITY = 0.02  # per bar
_SAME = 1e-8  # of the initial value
_SCALE = 8.0
_REMEDIES = {
    "finite": "guard logarithms, roots and divisions by what may be zero",
    "initial value": "scale the reserves to this value at the prices of the window's first bar",
    "value": "leave value out of ReserveRun, or compute it from the same reserves",
    "shares": "leave shares_at to ReserveRun",
    "simplex": "weights are positive, and each row of them sums to 1",
    "chosen bars": "let all methods of the run read the same path",
    "invariant": "compute what comes in and what goes out from one invariant, and add fees to it",
    "fees": "fees are what stays in the pool at each visit, in the quote currency, and 0 without costs",
    "no look-ahead": "read prices with window.cut, and for each bar only those up to it; count bars from its first",
    "scan modes": "use setup.scan_mode only to choose how a recursion is computed",
    "units": "let values scale with setup.initial_value",
    "schedule": "let run read parameters from window.schedule unless that is None, or leave follows_schedule False",
    "paths": "return a reason in Pool.paths for a path that does not support this setup, or correct one of them",
}


@in_float64
def check_pool(
    pool: Pool | str,
    settings: Mapping[str, Any] | None = None,
    *,
    fees: Mapping[str, float] | None = None,
    n_tokens: int | None = None,
) -> None:
    """Checks a pool on synthetic prices: without fees, and with all costs that it charges.

    The laws:

    * description, settings and parameters are valid; the setup of the pool is static;
    * the value at the first bar is ``setup.initial_value``, the value of every bar is that of the reserves, and shares and
      weights sum to 1;
    * single bars equal the same bars of the whole path; all paths agree, and so do both scan modes;
    * **nothing up to a bar depends on later prices** or on the length of the window;
    * fee revenue is not negative, it adds up over the parts of a window, and it is zero without fees;
    * without costs of fixed value, all values scale with the initial value;
    * the invariant of a run never falls, see :meth:`quantsim.pools.Run.log_invariant_at`; with ``Pool.fixed_curve``, **no round
      trip of prices earns** its traders anything, and a change of the numeraire changes no reserves;
    * values and gradients are finite; gradients equal finite differences, with respect to parameters and prices;
    * a pool that follows a schedule of parameters does not change if the schedule repeats the same parameters;
    * other values of parameters and prices compile no new program.

    Args:
        pool: pool, its name, or ``"path/to/file.py:name"``.
        settings: keys of the table ``[pool]``; default ``rule = "momentum"`` for a pool that a rule steers.
        fees: keys of the table ``[fees]``; by default, those of ``Pool.charges``.
        n_tokens: number of tokens; by default, the pool's own number, or 3.

    Raises:
        ConformanceError: the pool breaks a law; the message names the law, the finding and the remedy.
        ConfigError: there is no such pool, or its settings are invalid.

    Example:
        >>> check_pool("hold")
    """
    name, pool = pool, get_pool(pool) if isinstance(pool, str) else pool
    called = f"pool {pool.name!r}"
    check_description(called, name=pool.name, description=pool.description)
    check_parameters(called, bind(pool.parameters, ("pool",), CHUNK_MINUTES))
    if settings is None:
        steered = issubclass(pool.settings, SteeredSettings) and not issubclass(pool.settings, ConstantSettings)
        settings = {"rule": "momentum"} if steered else {}
    charged = {key: CHARGES[key] for key in pool.charges if key in CHARGES} if fees is None else dict(fees)
    for costs in {tuple(one.items()): one for one in ({}, charged)}.values():
        experiment = conformance_experiment(name, settings, costs, n_tokens or pool.n_tokens or 3)
        with_costs = f"{called} with {', '.join(costs) or 'no fees'}"
        cases = _cases(with_costs, experiment)
        _check_agreement(cases, [case.check() for case in cases])
        if pool.fixed_curve is not None:
            shares = {key: rate for key, rate in costs.items() if key != "gas_cost_usd"}
            fixed = fixed_curve_experiment(name, pool.fixed_curve, settings, shares, experiment)
            for case in _cases(f"{with_costs} on a fixed curve", fixed):
                case.check_curve()


def _keep(kept: bool, name: str, message: str) -> None:
    require(kept, name, f"{message}; {_REMEDIES[name]}" if name in _REMEDIES else message)


class Read(NamedTuple):
    """The results of a run at S bars, at the bars :data:`SOME`, and over P periods; values in units of the initial value.

    Attributes:
        value: (S,) value of the pool.
        held: (S, n) values of its reserves.
        shares: (S, n) shares of its value.
        weights: (S, n) weights.
        value_at_some: value at the bars :data:`SOME`.
        held_at_some: values of the reserves at these bars.
        earned: (P,) fee revenue.
        log_invariant: (S,) logarithm of what no trade lowers; 0 if the run has none.
    """

    value: Any
    held: Any
    shares: Any
    weights: Any
    value_at_some: Any
    held_at_some: Any
    earned: Any
    log_invariant: Any


@dataclass(frozen=True, eq=False)
class Case:
    """A pool with costs on one path, and the inputs of its runs.

    Attributes:
        called: name for messages.
        setup: setup of the pool.
        path: computation path.
        bars: bars to read: all, or those of :data:`SOME`.
        rates: fees and costs.
        sets: unconstrained parameters together with prices; the first set is that of the experiment.
        trainable: names of the trainable parameters.
    """

    called: str
    setup: PoolSetup[Any]
    path: Path
    bars: NDArray[np.int64]
    rates: FeeRates
    sets: tuple[dict[str, FloatArray], ...]
    trainable: tuple[str, ...]

    def answers(self, params: Mapping[str, Array], n_bars: int = N_BARS, *, scheduled: bool = False) -> Read:
        """Runs the pool over a window. If ``scheduled``, a schedule repeats the same parameters inside the window."""
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
        invariant = run.log_invariant_at(bars)
        return Read(
            self._checked("value_at", run.value_at(bars), shape[:1]) / unit,
            self._checked("reserves_at", run.reserves_at(bars), shape) * prices / unit,
            self._checked("shares_at", run.shares_at(bars), shape),
            self._checked("weights_at", run.weights_at(bars), shape),
            self._checked("value_at", run.value_at(some), shape_of_some[:1]) / unit,
            self._checked("reserves_at", run.reserves_at(some), shape_of_some) * market.prices[FIRST + some] / unit,
            self._checked("fee_revenue", run.fee_revenue(periods), (len(periods),)) / unit,
            jnp.zeros(bars.size) if invariant is None else self._checked("log_invariant_at", invariant, shape[:1]),
        )

    def _checked(self, name: str, array: Any, shape: tuple[int, ...]) -> Array:
        right = isinstance(array, jax.Array) and array.shape == shape and array.dtype == np.float64
        found = f"{array.dtype} of shape {array.shape}" if hasattr(array, "dtype") else f"a {type(array).__name__}"
        _keep(
            right, "shape and type", f"{self.called}: {name} returns {found}, and must return float64 of shape {shape}"
        )
        return array  # type: ignore[no-any-return]

    def check(self) -> Read:
        """Checks the laws of a single path; returns the results with the experiment's parameters."""
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
            f"{self.called} was traced {program.n_traces} times for arrays of one shape, and must be traced once: do not "
            "change settings of JAX inside it",
        )
        return reads[0]

    def check_curve(self) -> None:
        """Checks the laws of a pool that always trades along one curve."""
        own = dict(self.sets[0])
        program = jax.jit(self.answers)

        def run(prices: FloatArray) -> tuple[FloatArray, FloatArray]:
            read = program({**own, PRICES: prices})
            return np.asarray(read.value), np.asarray(read.held) / prices[FIRST + self.bars]

        if self.bars.size == N_BARS:
            with law("run", self.called):
                check_curve(self.called, run, own[PRICES], FIRST)

    def _unravelled(self, unravel: Callable[[Any], Read], flat: FloatArray) -> Read:
        return Read(*map(np.asarray, unravel(flat)))

    def _check_others(self, read: Read) -> None:
        """Checks a shorter window, the other scan mode, a larger pool, and a schedule that repeats the parameters.

        They are checked together, and one by one only if that fails.
        """
        setup = self.setup
        mode: ScanMode = "associative" if setup.scan_mode == "sequential" else "sequential"
        of_mode = {"settings": replace(setup.settings, scan_mode=mode)}
        larger = {} if setup.costs.has_gas else {"initial_value": _SCALE * setup.initial_value}
        scheduled = setup.pool.follows_schedule
        each: dict[str, tuple[str, dict[str, Any], int, bool]] = {
            "no look-ahead": (f"with the window's length, {N_BARS} and {SHORTER} bars", {}, SHORTER, False),
            "scan modes": ("with the scan mode", of_mode, N_BARS, False),
            "units": (f"in units of the initial value if that is {_SCALE:g} times as large", larger, N_BARS, False),
            "schedule": ("when a schedule repeats the same parameters inside the window", {}, N_BARS, scheduled),
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
        """Checks that two runs are equal up to a bar."""
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
        """Checks that the results of a run are consistent."""
        for part, values in read._asdict().items():
            _keep(bool(np.isfinite(values).all()), "finite", f"{self.called}: {part} is not finite at every bar")
        first = float(read.value[0])
        _keep(
            abs(first - 1.0) <= _SAME,
            "initial value",
            f"{self.called} is worth {first:.12g} times setup.initial_value at its first bar, and must be worth exactly this",
        )
        rows = {
            "value": (read.value, read.held.sum(axis=1), "value_at is not the value of reserves_at"),
            "shares": (
                read.shares,
                read.held / read.value[:, None],
                "shares_at is not the share of the reserves in the value",
            ),
            "simplex": (read.weights.sum(axis=1), np.ones(self.bars.size), "weights_at does not sum to 1"),
            "chosen bars": (
                np.column_stack([read.value_at_some, read.held_at_some]),
                np.column_stack([read.value, read.held])[np.isin(self.bars, SOME)],
                "value_at or reserves_at of some bars differ from the same bars of the whole window",
            ),
            "fees": (
                read.earned[:1],
                read.earned[1:].sum(keepdims=True),
                "fee_revenue of two parts does not add up to that of the window",
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
        fall = -float(np.diff(read.log_invariant).min(initial=0.0))
        _keep(fall <= _SAME, "invariant", f"{self.called}: log_invariant_at falls by {fall:.3g} between two bars")
        least, most = float(read.earned.min()), float(read.earned.max())
        _keep(least >= 0.0, "fees", f"{self.called}: fee_revenue is {least:.3g}, and must not be negative")
        without = not self.setup.costs.charges
        _keep(
            most == 0.0 or not without, "fees", f"{self.called}: fee_revenue is {most:.3g}, but the setup has no costs"
        )


def _cases(called: str, experiment: Experiment) -> list[Case]:
    """Returns one case for each path that supports the setup."""
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
        f"{called} has no path for metrics that read every bar",
    )
    return [
        Case(f"{called}, path {path.value!r}", setup, path, read, fee_rates(experiment), sets, trainable)
        for path, read in bars.items()
    ]


def _check_agreement(cases: list[Case], reads: list[Read]) -> None:
    """Checks that all paths agree at the bars that all of them read."""
    first, *others = (np.column_stack([read.value_at_some, read.held_at_some]) for read in reads)
    for case, found in zip(cases[1:], others, strict=True):
        apart = float(np.abs(found - first).max())
        _keep(
            apart <= _SAME,
            "paths",
            f"{case.called}: value and reserves differ by {apart:.3g} of the initial value from those of {cases[0].called}",
        )
