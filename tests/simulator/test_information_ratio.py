"""The information ratio: against stored returns, its gradient, and a benchmark that runs once per window."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pool_support import FEES, HALF_HOURS, make_experiment, random_params, random_prices, stacked

from quantsim import Evaluator, simulate
from quantsim.simulator import evaluate
from quantsim.simulator.evaluate import sample_splits
from quantsim.simulator.objective import value_and_grad

RATIO = "information_ratio"
LAYOUT = dataclasses.replace(HALF_HOURS, n_bars=288, test_bars=192)
PRICES = random_prices(LAYOUT, 2, 3)
OBJECTIVE: dict[str, Any] = {"metric": RATIO, "n_periods": 2, "report": ["returns"]}
SETS = [random_params("momentum", LAYOUT, 2, seed) for seed in (0, 1, 2)]


@pytest.fixture(scope="module", params=["zero", "gas"])
def evaluator(request: pytest.FixtureRequest) -> Evaluator:
    tables: Any = {"fees": FEES[request.param], "parameters": {"initial_weights": (0.7, 0.3)}, "objective": OBJECTIVE}
    return Evaluator(make_experiment("momentum", 2, LAYOUT, **tables), PRICES)


def ratio(returns: np.ndarray, benchmark: np.ndarray) -> float:
    above = returns - benchmark
    return float(np.sqrt(365.0) * above.mean() / (above.std() + 1e-8))


def test_it_is_the_ratio_of_the_daily_returns_above_those_of_the_baseline(evaluator: Evaluator) -> None:
    found = evaluator.evaluate_sets(stacked(evaluator, *SETS))
    baselines = evaluator.baselines(len(SETS))
    constant = baselines["constant_weights"].daily_log_returns
    for index in range(len(SETS)):
        returns, metrics = found.returns_of(index), found.metrics_of(index)
        for split in ("train", "test"):
            assert metrics[split][RATIO] == pytest.approx(ratio(returns[split], constant[split]), rel=1e-6)
        for period, days in ((1, slice(0, 2)), (2, slice(3, 5))):  # two periods of three days; the benchmark goes on
            wanted = ratio(returns["train"][days], constant["train"][days])
            assert metrics["train"][f"{RATIO}.period_{period}"] == pytest.approx(wanted, rel=1e-6)
    for name, baseline in baselines.items():
        wanted = ratio(baseline.daily_log_returns["train"], constant["train"])
        assert baseline.metrics["train"][RATIO] == pytest.approx(wanted, rel=1e-6, abs=1e-3), name
    assert abs(baselines["constant_weights"].metrics["test"][RATIO]) < 1e-3


@pytest.mark.parametrize("evaluator", ["zero"], indirect=True)
def test_simulate_reports_it(evaluator: Evaluator) -> None:
    raw = evaluator.experiment.initial_parameters(SETS[0])
    found = simulate(evaluator.experiment, SETS[0], PRICES, split="test").metrics[RATIO]
    assert found == pytest.approx(evaluator.evaluate(raw)["test"][RATIO], rel=1e-7)


def test_its_gradient_is_that_of_finite_differences(evaluator: Evaluator) -> None:
    sets, first = stacked(evaluator, SETS[0]), evaluator.splits["train"][0]
    starts, n_bars = [first, first + 37], 200

    def mean(log_k: np.ndarray) -> float:
        raw = {name: values[0] for name, values in {**sets, "log_k": log_k}.items()}
        return float(evaluator.evaluate_at(raw, starts, n_bars, [RATIO])[RATIO].mean())

    values, gradients = evaluator.value_and_grad(sets, starts, n_bars, RATIO)
    assert values[0] == pytest.approx(mean(sets["log_k"]), rel=1e-7)
    for column in range(2):
        step = 1e-5 * np.eye(2)[column]
        slope = (mean(sets["log_k"] + step) - mean(sets["log_k"] - step)) / 2e-5
        assert gradients["log_k"][0, column] == pytest.approx(slope, rel=1e-4, abs=1e-6)
    assert np.abs(gradients["log_k"]).max() > 1e-3


def executions(jaxpr: Any, times: int = 1) -> int:
    """How often the callbacks in a program are called."""
    found = 0
    for equation in jaxpr.eqns:
        found += times * (equation.primitive.name == "debug_callback")
        inner = times * equation.params.get("length", 1) if equation.primitive.name == "scan" else times
        for value in equation.params.values():
            parts = [getattr(part, "jaxpr", part) for part in (value if isinstance(value, tuple | list) else (value,))]
            found += sum(executions(part, inner) for part in parts if hasattr(part, "eqns"))
    return found


@pytest.mark.parametrize("evaluator", ["zero", "gas"], indirect=True)
def test_the_benchmark_runs_once_per_window(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = evaluate._simulated

    def marked(plan: Any, params: Any, market: Any, rates: Any, start: Any, *rest: Any, **options: Any) -> Any:
        if not plan.metrics and plan.objective is None:  # only the benchmark has none
            jax.debug.callback(lambda _: None, start)
        return simulated(plan, params, market, rates, start, *rest, **options)

    monkeypatch.setattr(evaluate, "_simulated", marked)
    sets, first = evaluator.arrays(stacked(evaluator, *SETS), 2), evaluator.splits["train"][0]
    splits = evaluator.planner.split_plans(evaluator.metric_names, details=True)
    on_splits = functools.partial(sample_splits.__wrapped__, splits)
    assert executions(jax.make_jaxpr(on_splits)(sets, evaluator.market, evaluator.rates).jaxpr) == len(splits)
    starts = jnp.asarray([first, first + 20, first + 41])
    objective = evaluator.objective(starts, 240)
    assert executions(jax.make_jaxpr(value_and_grad.__wrapped__)(objective, sets, starts).jaxpr) == len(starts)
