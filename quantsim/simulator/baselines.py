"""Evaluates the baselines of an experiment, in one compiled call beside that of its own pool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax import Array
from joblib import Parallel, delayed

from quantsim.array_types import FloatArray
from quantsim.baseline import BASELINES, Baseline
from quantsim.config import Experiment
from quantsim.config.baselines import baseline_experiment, has_initial_weights
from quantsim.device import device_array
from quantsim.pools.base import PoolSetup
from quantsim.precision import in_float64
from quantsim.simulator.evaluate import sample_pools, window_path
from quantsim.simulator.evaluation import Evaluation
from quantsim.simulator.setup import pool_setup

if TYPE_CHECKING:
    from quantsim.simulator.evaluator import Evaluator

__all__ = ["BaselinePool", "baseline_pool", "evaluate_baselines"]


_LEAST_SHARE = 1e-6  # a weighted pool has a weight of each token


@dataclass(frozen=True, eq=False)
class BaselinePool:
    """The pool of a baseline.

    Attributes:
        experiment: experiment of the baseline.
        setup: setup of the pool.
        params: raw name → (m,).
    """

    experiment: Experiment
    setup: PoolSetup[Any]
    params: dict[str, Array]


@in_float64
def baseline_pool(evaluator: Evaluator, name: str) -> BaselinePool:
    """Returns the pool of a baseline of an evaluator's experiment."""
    weights = () if has_initial_weights(evaluator.experiment.pools[-1]) else tuple(_first_shares(evaluator).tolist())
    experiment = baseline_experiment(evaluator.experiment, name, weights)
    setup = pool_setup(experiment, evaluator.prices.bar_minutes, evaluator.setup.scan_mode)
    params = {raw: device_array(values) for raw, values in sorted(experiment.initial_parameters().items())}
    return BaselinePool(experiment, setup, params)


def evaluate_baselines(evaluator: Evaluator, width: int = 1) -> dict[str, Baseline]:
    """Returns the baselines by name; arguments as in :meth:`Evaluator.baselines`."""
    initial = evaluator.experiment.initial_parameters()
    pools = {name: baseline_pool(evaluator, name) for name in BASELINES if name != "study"}
    others = {name: pool for name, pool in pools.items() if pool.setup != evaluator.setup}
    sets = {name: np.repeat(values[None], width, axis=0) for name, values in initial.items()}
    # Both are compiled, at the same time.
    found, own = Parallel(2, backend="threading")(
        [delayed(_evaluated)(evaluator, others), delayed(evaluator.evaluate_sets)(sets)]
    )
    return {name: found.get(name) or _baseline(name, own, 0) for name in BASELINES}


@in_float64
def _evaluated(evaluator: Evaluator, pools: Mapping[str, BaselinePool]) -> dict[str, Baseline]:
    """Evaluates pools on the data of an evaluator, in one program."""
    if not pools:
        return {}
    names = evaluator.metric_names
    plans = [replace(evaluator.planner, setup=one.setup).split_plans(names, details=True) for one in pools.values()]
    splits = tuple(
        (split[0][0], tuple(plan for _, plan, _ in split), split[0][2]) for split in zip(*plans, strict=True)
    )
    seen = evaluator.market_of(plan for _, of_pools, _ in splits for plan in of_pools)
    samples = sample_pools(splits, tuple(one.params for one in pools.values()), seen, evaluator.rates)
    found = Evaluation.of(plans[0], samples)
    return {name: _baseline(name, found, place) for place, name in enumerate(pools)}


def _baseline(name: str, found: Evaluation, index: int) -> Baseline:
    return Baseline(name, found.metrics_of(index), found.returns_of(index))


def _first_shares(evaluator: Evaluator) -> FloatArray:
    """Returns the shares of value of the reserves that the pool starts training with, (n,)."""
    first, n_bars = evaluator.splits["train"]
    plan, _ = evaluator.planner.plan(first, min(n_bars, 2), ("returns",))
    params = evaluator.arrays(evaluator.experiment.initial_parameters())
    path, _ = _window_path(plan, params, evaluator.market_of([plan]), evaluator.rates, np.int64(first))
    shares = np.maximum(np.asarray(path.reserves[0] * path.prices[0] / path.value[0]), _LEAST_SHARE)
    return np.asarray(shares / shares.sum(), np.float64)


_window_path = jax.jit(window_path, static_argnums=0)
