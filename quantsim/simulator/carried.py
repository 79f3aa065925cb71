"""A pool that goes on while its parameters change: reserves and weights are carried from one parameter set to the next.

One simulation takes, at each chunk boundary, the decision of the set that applies there; estimators of all sets read all
earlier prices. So weights move from where they are, within the speed limit and their bounds, and arbitrageurs trade on the
change as on any other. A new swap fee applies from its bar on. A set that begins inside a chunk decides from the next boundary
on.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike, NDArray

from quantsim.array_types import FloatArray
from quantsim.config import Experiment
from quantsim.config.pools import pool_of
from quantsim.errors import ConfigError, WindowError
from quantsim.parameters import common
from quantsim.parameters.parameter import in_group
from quantsim.pools.base import ParameterSchedule
from quantsim.pools.market import FeeRates, Market
from quantsim.precision import in_float64
from quantsim.rules import Output
from quantsim.simulator.baselines import baseline_pool
from quantsim.simulator.evaluate import lanes, window_values
from quantsim.simulator.evaluator import Evaluator
from quantsim.simulator.plan import Path, Plan

__all__ = ["baseline_values", "cannot_carry", "carried_values", "check_carries", "schedule_of"]


@in_float64
def carried_values(
    evaluator: Evaluator,
    sets: Mapping[str, ArrayLike],
    starts: ArrayLike,
    n_bars: int,
    *,
    path: Path | str | None = None,
) -> FloatArray:
    """Returns the daily values of pools that go on while their parameters change.

    Args:
        evaluator: evaluator of the experiment; its prices before the first bar warm up the estimators of all sets.
        sets: raw name → (S, F, m): S pools with F parameter sets each, in order of time.
        starts: (F,) bars from which the sets apply, ascending; the pools start at the first one.
        n_bars: number of bars of the whole simulation.
        path: computation path; by default, the cheapest exact one.

    Returns:
        (S, D) pool values at the first bar of each day.

    Raises:
        WindowError: the bars do not ascend or do not fit into the data.
        ConfigError: the parameters of this pool cannot change while it runs; see :func:`cannot_carry`.
    """
    arrays = evaluator.arrays(sets, 3)
    check_carries(evaluator.experiment, arrays)
    bars = _checked_starts(starts, n_bars, next(iter(arrays.values())).shape[1])
    plan, _ = evaluator.planner.plan(int(bars[0]), n_bars, (), path)
    return np.asarray(_of_pools(plan, arrays, jnp.asarray(bars), evaluator.market_of([plan]), evaluator.rates))


@in_float64
def baseline_values(
    evaluator: Evaluator, name: str, first: int, n_bars: int, *, with_last_bar: bool = False
) -> FloatArray:
    """Returns the daily values of a baseline over ``n_bars`` bars from bar ``first``, (D,), without any metric.

    Args:
        evaluator: evaluator of the experiment.
        name: one of :data:`quantsim.baseline.BASELINES`.
        first: first bar.
        n_bars: number of bars.
        with_last_bar: whether to append the value at the last bar, (D+1,).
    """
    setup, params = evaluator.setup, evaluator.arrays(evaluator.experiment.initial_parameters())
    if name != "study":
        pool = baseline_pool(evaluator, name)
        setup, params = pool.setup, pool.params
    plan, starts = replace(evaluator.planner, setup=setup).plan(first, n_bars, ())
    found = np.asarray(_of_pool(plan, params, starts[0], evaluator.market_of([plan]), evaluator.rates))
    return found if with_last_bar else found[:-1]


@functools.partial(jax.jit, static_argnums=0)
def _of_pool(plan: Plan, params: dict[str, Array], start: Array, market: Market, rates: FeeRates) -> Array:
    bars = np.append(_days(plan), plan.shape.n_bars - 1)
    return window_values(plan, params, market, rates, start, bars)


@functools.partial(jax.jit, static_argnums=0)
def _of_pools(plan: Plan, sets: dict[str, Array], starts: Array, market: Market, rates: FeeRates) -> Array:
    def one(of_pool: dict[str, Array]) -> Array:
        params = {name: values[0] for name, values in of_pool.items()}
        schedule = ParameterSchedule(of_pool, starts)
        return window_values(plan, params, market, rates, starts[0], _days(plan), schedule)

    return cast(Array, lanes(one, sets, at_once=plan.lanes_at_once))


def _days(plan: Plan) -> NDArray[np.int64]:
    """Returns the first bar of each day of the window."""
    return np.arange(0, plan.shape.n_bars, plan.shape.bars_per_day)


def schedule_of(
    evaluator: Evaluator, sets: Mapping[str, ArrayLike], starts: ArrayLike, n_bars: int
) -> ParameterSchedule:
    """Returns the schedule of one pool; arguments and errors as for :func:`carried_values`, with sets (F, m)."""
    arrays = evaluator.arrays(sets, 2)
    check_carries(evaluator.experiment, {name: array[None] for name, array in arrays.items()})
    bars = _checked_starts(starts, n_bars, next(iter(arrays.values())).shape[0])
    return ParameterSchedule(arrays, jnp.asarray(bars))


def check_carries(experiment: Experiment, sets: Mapping[str, ArrayLike]) -> None:
    """Raises ConfigError if the parameters of the experiment's pools cannot change as in ``sets``, (S, F, m)."""
    if (reason := cannot_carry(experiment, sets)) is not None:
        raise ConfigError(reason)


def cannot_carry(experiment: Experiment, sets: Mapping[str, ArrayLike]) -> str | None:
    """Returns why a pool cannot go on while its parameters change as in ``sets``, (S, F, m); None if it can."""
    for view in experiment.pools:
        where = f"subsidiaries.{view.group}" if view.group else "pool"
        pool = pool_of(view)
        if not pool.follows_schedule:
            return (
                f"{where}.type = {str(view.pool.type)!r}: the parameters of this pool cannot change while it runs; let its run "
                "read them from window.schedule, and set Pool.follows_schedule"
            )
        for name in pool.start_parameters:
            of_start = in_group(view.group, name)
            if np.ptp(np.asarray(sets.get(of_start, np.zeros((1, 1, 1)))), axis=1).any():
                (human,) = (each.human_name for each in experiment.layout if each.raw_name == of_start)
                return (
                    f"{human} differs between the parameter sets, but only decides how the pool starts: give all sets the "
                    "same one"
                )
        weights = np.asarray(sets.get(in_group(view.group, common.initial_weights.raw_name), np.zeros((1, 1, 1))))
        if (view.rule is None or view.rule.output is Output.CONSTANT) and np.ptp(weights, axis=1).any():
            return (
                f"{in_group(view.group, 'initial_weights')} differ between the parameter sets, but the weights of this pool do "
                "not move: give all sets the same ones"
            )
    return None


def _checked_starts(starts: ArrayLike, n_bars: int, n_sets: int) -> NDArray[np.int64]:
    bars = np.asarray(starts)
    if bars.shape != (n_sets,) or not np.issubdtype(bars.dtype, np.integer):
        raise WindowError(
            f"starts = {starts!r} must be one whole number of bars for each of the {n_sets} parameter sets"
        )
    if (np.diff(bars) <= 0).any() or bars[-1] >= bars[0] + n_bars:
        raise WindowError(f"starts = {bars.tolist()} must ascend within the {n_bars} bars of the simulation")
    return bars
