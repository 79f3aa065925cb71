"""Evaluates pools under many variations of parameters, prices or costs, with one compiled program per kind of variation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from quantsim.array_types import FloatArray
from quantsim.device import device_array
from quantsim.metrics import Sample, get_metric
from quantsim.pools.base import PoolSetup
from quantsim.pools.market import FeeRates, Market, market
from quantsim.precision import in_float64
from quantsim.simulator.calls import call_width, cut, run_calls
from quantsim.simulator.evaluate import PoolPlans, SplitSamples, lanes, sample_pools, sample_windows
from quantsim.simulator.measures import results_of
from quantsim.simulator.plan import Plan

if TYPE_CHECKING:
    from quantsim.simulator.evaluator import Evaluator

__all__ = ["Variation", "VariedPool", "evaluate_starts", "evaluate_variations"]

Table = dict[str, dict[str, FloatArray]]
Params = dict[str, Array]

_MOST_VARIATIONS = 8
"""Largest number of variations per call."""


@dataclass(frozen=True)
class VariedPool:
    """A pool to evaluate.

    Attributes:
        setup: setup of the pool.
        params: raw name → (m,).
    """

    setup: PoolSetup[Any]
    params: Mapping[str, FloatArray]


@dataclass(frozen=True, eq=False)
class Variation:
    """Changes of the evaluator's parameters, prices and costs. All variations of a call change the same parts.

    Attributes:
        params: raw name → (m,), for the pools with these parameters.
        prices: (T, n) prices at the bars of ``evaluator.market``; None for those of the evaluator.
        costs: field of :class:`~quantsim.pools.market.FeeRates` → () or (T,).
    """

    params: Mapping[str, FloatArray] = field(default_factory=dict)
    prices: FloatArray | None = None
    costs: Mapping[str, FloatArray] = field(default_factory=dict)


class _Varied(NamedTuple):
    """Several variations as arrays with a leading axis (V,), without names that do not vary."""

    params: tuple[Params, ...]
    market: dict[str, Any]
    rates: dict[str, Array]


@in_float64
def evaluate_variations(
    evaluator: Evaluator,
    pools: Mapping[str, VariedPool],
    draw: Callable[[int], Variation],
    n: int,
    metrics: Sequence[str],
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> dict[str, Table]:
    """Returns metrics of pools on every split, under ``n`` variations that all pools share.

    Variations are drawn and evaluated in calls of one compiled program, several at the same time; see
    :meth:`Evaluator.evaluate_sets`.

    Args:
        evaluator: evaluator with the prices, costs and splits.
        pools: name → pool.
        draw: variation ``i``, for ``i`` below ``n``; several threads call it.
        n: number of variations.
        metrics: names of metrics.
        advance: called with the number of variations done after every call.

    Returns:
        name of the pool → split → metric → (n,).

    Raises:
        ConfigError: there is no such metric.
    """
    plans = _planned(evaluator, pools, metrics)
    params = tuple(_arrays(pool.params) for pool in pools.values())
    seen = evaluator.market_of(plan for _, of_pools, _ in plans for plan in of_pools)
    first = draw(0)
    calls = cut(n, _width(plans, first), fill=True)

    def arguments(number: int) -> tuple[Any, ...]:
        drawn = {index: draw(index) if index else first for index in np.unique(calls[number]).tolist()}
        block = [drawn[index] for index in calls[number].tolist()]
        varied = _stacked(block, tuple(pools.values()), sums=seen.summed is not None)
        return plans, params, seen, evaluator.rates, varied

    def metrics_of(samples: SplitSamples) -> dict[str, dict[str, Array]]:
        return {split: results_of(of_pools[0], samples[split])[0] for split, of_pools, _ in plans}

    results = []
    for result in run_calls(_evaluate, arguments, len(calls), metrics_of):
        results.append(result)
        advance(min(len(results) * len(calls[0]), n))
    joined = jax.tree.map(lambda *blocks: np.concatenate(blocks)[:n], *results)
    return {
        name: {split: {metric: joined[split][metric][:, place] for metric in metrics} for split in evaluator.splits}
        for place, name in enumerate(pools)
    }


@in_float64
def evaluate_starts(
    evaluator: Evaluator,
    pools: Mapping[str, VariedPool],
    starts: NDArray[np.int64],
    n_bars: int,
    metrics: Sequence[str],
) -> dict[str, dict[str, FloatArray]]:
    """Returns metrics of pools that start anew in several windows of equal length.

    Args:
        evaluator: evaluator with the prices and costs.
        pools: name → pool.
        starts: (W,) first bar of each window.
        n_bars: length of the windows, in bars.
        metrics: names of metrics.

    Returns:
        name of the pool → metric → (W,).

    Raises:
        WindowError: a window does not fit into the data.
        ConfigError: there is no such metric.
    """
    planner = evaluator.planner
    plans = {
        name: replace(planner, setup=pool.setup).plan(starts, n_bars, tuple(metrics)) for name, pool in pools.items()
    }
    params = {name: _arrays(pool.params) for name, pool in pools.items()}
    static = tuple((name, plan) for name, (plan, _) in plans.items())
    calls = cut(len(starts), call_width(plan for _, plan in static))
    seen = evaluator.market_of(plan for _, plan in static)

    def arguments(number: int) -> tuple[Any, ...]:
        return static, params, seen, evaluator.rates, device_array(starts[calls[number]])

    def metrics_of(samples: dict[str, list[Sample]]) -> dict[str, dict[str, Array]]:
        return {name: results_of(plan, samples[name])[0] for name, plan in static}

    parts = list(run_calls(_evaluate_starts, arguments, len(calls), metrics_of))
    return {
        name: {metric: np.concatenate([part[name][metric] for part in parts])[: len(starts)] for metric in metrics}
        for name in pools
    }


@functools.partial(jax.jit, static_argnums=0)
def _evaluate(
    plans: PoolPlans, params: tuple[Params, ...], market: Market, rates: FeeRates, varied: _Varied
) -> SplitSamples:
    """Returns samples under every variation, with leading axes (V, P) for ``P`` pools."""

    def one(variation: _Varied) -> SplitSamples:
        own = tuple({**fixed, **moved} for fixed, moved in zip(params, variation.params, strict=True))
        seen, costs = market._replace(**variation.market), rates._replace(**variation.rates)
        return cast(SplitSamples, sample_pools(plans, own, seen, costs))

    at_once = min(plan.lanes_at_once for _, of_pools, _ in plans for plan in of_pools)
    return cast(SplitSamples, lanes(one, varied, at_once=at_once))


@functools.partial(jax.jit, static_argnums=0)
def _evaluate_starts(
    plans: tuple[tuple[str, Plan], ...], params: dict[str, Params], market: Market, rates: FeeRates, starts: Array
) -> dict[str, list[Sample]]:
    return {name: sample_windows(plan, params[name], market, rates, starts) for name, plan in plans}


def _planned(evaluator: Evaluator, pools: Mapping[str, VariedPool], metrics: Sequence[str]) -> PoolPlans:
    for name in metrics:
        get_metric(name)
    names, planner = tuple(metrics), evaluator.planner
    of_pools = [replace(planner, setup=pool.setup).split_plans(names, details=False) for pool in pools.values()]
    return tuple(
        (split[0][0], tuple(_with_costs_of_benchmark(plan) for _, plan, _ in split), split[0][2])
        for split in zip(*of_pools, strict=True)
    )


def _with_costs_of_benchmark(plan: Plan) -> Plan:
    """Returns the plan with a benchmark that pays what the pool pays, even if those costs are zero in the study."""
    if plan.benchmark is None:
        return plan
    setup, costs = plan.benchmark.setup, plan.setup.costs
    paid = replace(
        setup.costs,
        charges=setup.costs.charges or costs.charges,
        has_gas=setup.costs.has_gas or costs.has_gas,
    )
    settings = replace(setup.settings, scan_mode=plan.setup.scan_mode)
    return replace(plan, benchmark=replace(plan.benchmark, setup=replace(setup, costs=paid, settings=settings)))


def _arrays(params: Mapping[str, FloatArray]) -> Params:
    return {name: device_array(np.asarray(values, np.float64)) for name, values in sorted(params.items())}


def _width(plans: PoolPlans, variation: Variation) -> int:
    """Returns the number of variations per call."""
    n_values = 0 if variation.prices is None else variation.prices.size
    return min(call_width((plan for _, of_pools, _ in plans for plan in of_pools), n_values), _MOST_VARIATIONS)


def _stacked(block: Sequence[Variation], pools: tuple[VariedPool, ...], *, sums: bool) -> _Varied:
    params = tuple(
        {raw: _stack([one.params[raw] for one in block]) for raw in block[0].params if raw in pool.params}
        for pool in pools
    )
    of_market: dict[str, Array] = {}
    if block[0].prices is not None:
        markets = [market(np.asarray(one.prices), sums=sums) for one in block]
        names = ("prices", "log_prices", "summed")[: 3 if sums else 2]
        of_market = {name: jnp.stack([getattr(one, name) for one in markets]) for name in names}
    rates = {name: _stack([one.costs[name] for one in block]) for name in block[0].costs}
    return _Varied(params, of_market, rates)


def _stack(values: Sequence[Any]) -> Array:
    return device_array(np.stack([np.asarray(value, np.float64) for value in values]))
