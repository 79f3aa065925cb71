"""The evaluator's traced core, from parameters and window starts to metrics. Pure and differentiable; called under jit."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, cast

import jax
import jax.numpy as jnp
from jax import Array

from quantsim.metrics import bounded, needs_of
from quantsim.objective import OBJECTIVE, ObjectiveShape, Period, combine
from quantsim.pools.base import Window
from quantsim.pools.market import FeeRates, Market
from quantsim.simulator.bar_path import BarPath, bar_path
from quantsim.simulator.composite import pool_market
from quantsim.simulator.plan import Plan
from quantsim.simulator.samples import Simulated, bar_samples, metrics_of, samples
from quantsim.simulator.signals import Signals, chunk_signals, window_rates

__all__ = ["SplitPlans", "evaluate_splits", "evaluate_windows", "lanes", "window_path"]

Params = Mapping[str, Array]

SplitPlans = tuple[tuple[str, Plan, int], ...]
"""Name, plan and first bar of each split."""


def lanes(function: Callable[[Any], Any], arguments: Any, *, sequential: bool) -> Any:
    """Maps over the leading axis of a pytree, vectorised or sequentially; see :attr:`Plan.maps_lanes`."""
    if sequential:
        return jax.lax.map(function, arguments)
    return jax.vmap(function)(arguments)


@functools.partial(jax.jit, static_argnums=0)
def evaluate_splits(
    splits: SplitPlans, sets: dict[str, Array], market: Market, rates: FeeRates
) -> dict[str, dict[str, Array]]:
    """Returns metrics of many parameter sets on every split: split → name → (S,); ``sets`` maps raw name → (S, m)."""

    def one(params: dict[str, Array]) -> dict[str, dict[str, Array]]:
        tables = {}
        for name, plan, first in splits:
            table = evaluate_windows(plan, params, market, rates, jnp.asarray([first]))
            tables[name] = {metric: row[0] for metric, row in table.items()}
        return tables

    sequential = any(plan.maps_lanes for _, plan, _ in splits)
    return cast(dict[str, dict[str, Array]], lanes(one, sets, sequential=sequential))


def evaluate_windows(plan: Plan, params: Params, market: Market, rates: FeeRates, starts: Array) -> dict[str, Array]:
    """Returns metrics and the objective of one parameter set over several windows of equal length.

    Args:
        plan: plan of the evaluation; static.
        params: raw name → (m,).
        market: market of the data's tokens, (T_all, n_data).
        rates: fees and costs.
        starts: (W,) index of each window's first bar; each window must fit into the data.

    Returns:
        name → (W,), for the names in ``plan.names``.
    """
    setup, market = plan.setup, pool_market(plan.setup, params, market)
    shared = None if plan.phase is None else chunk_signals(setup, params, market, plan.phase)

    def one(start: Array) -> dict[str, Array]:
        return _values(plan, _simulated(plan, params, market, rates, start, shared))

    values: dict[str, Array] = lanes(one, starts, sequential=plan.maps_lanes)
    return values


def window_path(
    plan: Plan, params: Params, market: Market, rates: FeeRates, start: Array
) -> tuple[BarPath, dict[str, Array]]:
    """Returns the full path of one window, and its metrics; arguments as in :func:`evaluate_windows`."""
    market = pool_market(plan.setup, params, market)
    simulated, whole = _simulated(plan, params, market, rates, start), [Period(0, plan.shape.n_bars)]
    path = bar_path(simulated.run, market, simulated.window, whole)
    found = bar_samples(plan, path, simulated, whole, needs_of(plan.metrics))
    return path, {name: values[0] for name, values in metrics_of(plan.metrics, found, whole, plan).items()}


def _simulated(
    plan: Plan, params: Params, market: Market, rates: FeeRates, start: Array, signals: Signals | None = None
) -> Simulated:
    setup, n_bars = plan.setup, plan.shape.n_bars
    phase = start % setup.chunk_bars if plan.phase is None else plan.phase
    if signals is None:
        signals = chunk_signals(setup, params, market, phase)
    rates = window_rates(setup, params, signals, rates, start, phase, n_bars)
    window = Window(start, n_bars, plan.path, phase, signals.decisions)
    return Simulated(setup.pool.run(setup, params, market, rates, window), window, market, rates)


def _values(plan: Plan, simulated: Simulated) -> dict[str, Array]:
    """Returns metrics of the whole window and the objective, from one simulation."""
    whole, shape = Period(0, plan.shape.n_bars), plan.objective
    if shape is None:
        found = samples(plan, simulated, [whole], needs_of(plan.metrics))
        return {name: values[0] for name, values in metrics_of(plan.metrics, found, [whole], plan).items()}
    names = tuple(dict.fromkeys((*plan.metrics, *shape.constraint_metrics)))
    periods = list(dict.fromkeys([*shape.periods, *([whole] if names else [])]))
    found = samples(plan, simulated, periods, needs_of(plan.needed))
    by_period = dict(zip(periods, found, strict=True))
    of_window = {}
    if names:
        of_window = {name: row[0] for name, row in metrics_of(names, [by_period[whole]], [whole], plan).items()}
    own = [by_period[period] for period in shape.periods]
    of_periods = metrics_of(shape.term_metrics, own, shape.periods, plan)
    values = {name: of_window[name] for name in plan.metrics}
    if plan.details:
        values |= _details(shape, of_periods)
    return {**values, OBJECTIVE: combine(shape, of_periods, of_window)}


def _details(shape: ObjectiveShape, of_periods: Mapping[str, Array]) -> dict[str, Array]:
    """Returns the terms of every period, their mean, standard deviation and worst, under the names in ``shape.period_names``.

    Ratios are bounded in these three, as in the objective, but not in the terms of single periods.
    """
    values: dict[str, Array] = {}
    for term, names in shape.period_names.items():
        row, kept = of_periods[term], bounded(term, of_periods[term])
        values |= dict(zip(names, (jnp.mean(kept), jnp.std(kept), jnp.min(kept), *row), strict=True))
    return values
