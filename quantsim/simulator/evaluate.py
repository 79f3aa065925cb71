"""The evaluator's traced core, from parameters and window starts to samples. Pure and differentiable; called under jit."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from quantsim.metrics import Sample, needs_of
from quantsim.objective import Period
from quantsim.pools.base import ParameterSchedule, Window
from quantsim.pools.market import FeeRates, Market
from quantsim.simulator.bar_path import BarPath, bar_path
from quantsim.simulator.composite import pool_market
from quantsim.simulator.measures import objective_periods, reported_periods, values_of
from quantsim.simulator.plan import Plan
from quantsim.simulator.samples import Simulated, bar_samples, daily_bars, samples
from quantsim.simulator.signals import Signals, chunk_signals, scheduled_signals, window_rates

__all__ = [
    "BenchmarkValues",
    "PoolPlans",
    "SplitPlans",
    "SplitSamples",
    "benchmark_values",
    "evaluate_windows",
    "lanes",
    "sample_pools",
    "sample_splits",
    "sample_windows",
    "window_path",
    "window_values",
]

Params = Mapping[str, Array]

SplitPlans = tuple[tuple[str, Plan, int], ...]
"""Name, plan and first bar of each split."""

PoolPlans = tuple[tuple[str, tuple[Plan, ...], int], ...]
"""Name, plans of several pools and first bar of each split."""

SplitSamples = dict[str, list[Sample]]
"""Split → sample of each of :func:`~quantsim.simulator.measures.reported_periods`, with leading axis (S,)."""


BenchmarkValues = tuple[Array, ...] | None
"""Values of the benchmark at the first bar of each day of every reported period, (W, D) each; None if no metric reads them."""


def lanes(function: Callable[[Any], Any], arguments: Any, *, at_once: int) -> Any:
    """Maps over the leading axis of a pytree, in equal batches of at most ``at_once``; see :attr:`Plan.lanes_at_once`."""
    n_lanes = jax.tree.leaves(arguments)[0].shape[0]
    if n_lanes == 1:  # the same without a batch axis, which takes longer to trace and to compile
        only = function(jax.tree.map(lambda rows: rows[0], arguments))
        return jax.tree.map(lambda value: value[None], only)
    if n_lanes <= at_once:
        return jax.vmap(function)(arguments)
    batch = next(size for size in range(at_once, 0, -1) if n_lanes % size == 0)
    return jax.lax.map(function, arguments, batch_size=batch if batch > 1 else None)


@functools.partial(jax.jit, static_argnums=0)
def sample_splits(splits: SplitPlans, sets: dict[str, Array], market: Market, rates: FeeRates) -> SplitSamples:
    """Returns samples of many parameter sets on every split; ``sets`` maps raw name → (S, m)."""
    starts = {name: jnp.asarray([first]) for name, _, first in splits}
    benchmarks = {name: benchmark_values(plan, market, rates, starts[name]) for name, plan, _ in splits}

    def one(params: dict[str, Array]) -> SplitSamples:
        tables = {}
        for name, plan, _ in splits:
            found = _each_window(plan, params, market, rates, starts[name], benchmarks[name], _reported_samples)
            tables[name] = jax.tree.map(lambda rows: rows[0], found)
        return tables

    return cast(SplitSamples, lanes(one, sets, at_once=min(plan.lanes_at_once for _, plan, _ in splits)))


@functools.partial(jax.jit, static_argnums=0)
def sample_pools(
    splits: PoolPlans, params: tuple[dict[str, Array], ...], market: Market, rates: FeeRates
) -> SplitSamples:
    """Returns samples of one parameter set of each of several pools, with (P,) in place of (S,).

    Args:
        splits: name, plans of all pools, which differ in the pool alone, and first bar of each split.
        params: raw name → (m,) for each pool.
        market: market of the data's tokens, (T_all, n_data).
        rates: fees and costs.
    """
    tables = {}
    for name, plans, first in splits:
        starts = jnp.asarray([first])
        benchmark = benchmark_values(plans[0], market, rates, starts)
        found = [
            _each_window(plan, own, market, rates, starts, benchmark, _reported_samples)
            for plan, own in zip(plans, params, strict=True)
        ]
        tables[name] = jax.tree.map(lambda *rows: jnp.concatenate(rows), *found)
    return tables


@functools.partial(jax.jit, static_argnums=0)
def sample_windows(plan: Plan, params: Params, market: Market, rates: FeeRates, starts: Array) -> list[Sample]:
    """Returns samples of one parameter set over several windows of equal length, with leading axis (W,).

    Arguments as in :func:`evaluate_windows`.
    """
    benchmark = benchmark_values(plan, market, rates, starts)
    return cast(list[Sample], _each_window(plan, params, market, rates, starts, benchmark, _reported_samples))


def benchmark_values(plan: Plan, market: Market, rates: FeeRates, starts: Array) -> BenchmarkValues:
    """Returns the daily values of the benchmark in windows; None if no metric reads them.

    They are the same for all parameter sets: compute them outside of a map over sets. Arguments as in
    :func:`evaluate_windows`.
    """
    own, benchmark = plan.of_benchmark, plan.benchmark
    if own is None or benchmark is None:
        return None
    params = {name: jnp.asarray(values) for name, values in benchmark.params}
    bars = [daily_bars(period, plan.shape.bars_per_day) for period in reported_periods(plan)]

    def values(_: Plan, simulated: Simulated) -> tuple[Array, ...]:
        found = simulated.run.value_at(np.concatenate(bars))
        return tuple(jnp.split(found, np.cumsum([part.size for part in bars])[:-1]))

    return cast(tuple[Array, ...], _each_window(own, params, market, rates, starts, None, values))


def evaluate_windows(
    plan: Plan,
    params: Params,
    market: Market,
    rates: FeeRates,
    starts: Array,
    benchmark: BenchmarkValues = None,
) -> dict[str, Array]:
    """Returns metrics and the objective of one parameter set over several windows of equal length, to differentiate.

    Args:
        plan: plan of the evaluation; static.
        params: raw name → (m,).
        market: market of the data's tokens, (T_all, n_data).
        rates: fees and costs.
        starts: (W,) index of each window's first bar; each window must fit into the data.
        benchmark: result of :func:`benchmark_values`; computed unless given.

    Returns:
        name → (W,), for the names in ``plan.names``.
    """
    benchmark = benchmark_values(plan, market, rates, starts) if benchmark is None else benchmark
    return cast(dict[str, Array], _each_window(plan, params, market, rates, starts, benchmark, _values))


def _each_window(
    plan: Plan,
    params: Params,
    market: Market,
    rates: FeeRates,
    starts: Array,
    benchmark: BenchmarkValues,
    results: Callable[[Plan, Simulated], Any],
) -> Any:
    """Returns ``results`` of every window, with the leading axis (W,); other arguments as in :func:`evaluate_windows`."""
    setup, market = plan.setup, pool_market(plan.setup, params, market)
    shared = None if plan.phase is None else chunk_signals(setup, params, market, plan.phase)

    def one(window: tuple[Array, BenchmarkValues]) -> Any:
        start, values = window
        simulated = _simulated(plan, params, market, rates, start, shared)
        return results(plan, simulated._replace(benchmark=values))

    return lanes(one, (starts, benchmark), at_once=plan.lanes_at_once)


def window_path(
    plan: Plan,
    params: Params,
    market: Market,
    rates: FeeRates,
    start: Array,
    schedule: ParameterSchedule | None = None,
) -> tuple[BarPath, list[Sample]]:
    """Returns the full path of one window, and the sample of the whole window.

    Arguments as in :func:`evaluate_windows`. With a schedule, ``params`` is its first set, and later sets follow while the
    pool goes on.
    """
    benchmark = benchmark_values(plan, market, rates, start[None])
    market = pool_market(plan.setup, params, market, schedule)
    simulated = _simulated(plan, params, market, rates, start, schedule=schedule)
    simulated = simulated._replace(benchmark=jax.tree.map(lambda rows: rows[0], benchmark))
    whole = [Period(0, plan.shape.n_bars)]
    path = bar_path(simulated.run, market, simulated.window, whole, simulated.rates.swap_fee)
    return path, _compared(bar_samples(plan, path, simulated, whole, needs_of(plan.metrics)), simulated)


def window_values(
    plan: Plan,
    params: Params,
    market: Market,
    rates: FeeRates,
    start: Array,
    bars: NDArray[np.int64],
    schedule: ParameterSchedule | None = None,
) -> Array:
    """Returns the pool value at chosen bars of one window, (B,); other arguments as in :func:`window_path`."""
    market = pool_market(plan.setup, params, market, schedule)
    return _simulated(plan, params, market, rates, start, schedule=schedule).run.value_at(bars)


def _simulated(
    plan: Plan,
    params: Params,
    market: Market,
    rates: FeeRates,
    start: Array,
    signals: Signals | None = None,
    schedule: ParameterSchedule | None = None,
) -> Simulated:
    setup, n_bars = plan.setup, plan.shape.n_bars
    phase = start % setup.chunk_bars if plan.phase is None else plan.phase
    if schedule is not None:
        signals = scheduled_signals(setup, schedule, market, phase)
    elif signals is None:
        signals = chunk_signals(setup, params, market, phase)
    rates = window_rates(setup, params, signals, rates, start, phase, n_bars, schedule)
    window = Window(start, n_bars, plan.path, phase, signals.decisions, schedule)
    return Simulated(setup.pool.run(setup, params, market, rates, window), window, market, rates)


def _values(plan: Plan, simulated: Simulated) -> dict[str, Array]:
    """Returns metrics of the whole window and the objective, from one simulation."""
    periods = objective_periods(plan)
    return values_of(plan, dict(zip(periods, _samples(plan, simulated, periods), strict=True)))


def _reported_samples(plan: Plan, simulated: Simulated) -> list[Sample]:
    return _samples(plan, simulated, reported_periods(plan))


def _samples(plan: Plan, simulated: Simulated, periods: Sequence[Period]) -> list[Sample]:
    return _compared(samples(plan, simulated, periods, needs_of(plan.needed)), simulated)


def _compared(found: list[Sample], simulated: Simulated) -> list[Sample]:
    """Returns the samples of the first periods of :func:`reported_periods`, with the values of the benchmark."""
    if simulated.benchmark is None:
        return found
    return [
        sample._replace(benchmark_values=values)
        for sample, values in zip(found, simulated.benchmark, strict=False)  # the last one may not be read
    ]
