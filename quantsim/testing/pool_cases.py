"""The runs that pools are checked by: on every path, with parameters and prices as inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from quantsim.array_types import FloatArray
from quantsim.config import Experiment
from quantsim.objective import Period
from quantsim.parameters import to_human, to_raw
from quantsim.pools import ParameterSchedule, Path, PoolSetup, Window
from quantsim.pools.market import FeeRates, Market, fee_rates
from quantsim.simulator.setup import pool_setup
from quantsim.simulator.signals import chunk_signals, scheduled_signals, window_rates
from quantsim.testing.experiments import BAR_MINUTES
from quantsim.testing.laws import law, require

__all__ = ["CHANGED_AFTER", "FIRST", "N_BARS", "PRICES", "SHORTER", "SOME", "PoolCase", "Read", "pool_cases"]


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
class PoolCase:
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
        require(
            right, "shape and type", f"{self.called}: {name} returns {found}, and must return float64 of shape {shape}"
        )
        return array  # type: ignore[no-any-return]


def pool_cases(called: str, experiment: Experiment) -> list[PoolCase]:
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
    return [
        PoolCase(f"{called}, path {path.value!r}", setup, path, read, fee_rates(experiment.fees), sets, trainable)
        for path, read in bars.items()
    ]
