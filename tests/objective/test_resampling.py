"""Metrics of resampled days equal those of the paths that the days make, one by one."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from quantsim import Experiment
from quantsim.metrics import Sample, SampleShape, compute, get_metric, metric_names
from quantsim.objective import OBJECTIVE, combine, objective_shape
from quantsim.objective.resampling import daily_metrics, is_resampled, resampled_metrics

DAILY = tuple(name for name in metric_names() if get_metric(name).is_daily)
T, B = 40, 5


@pytest.fixture(scope="module")
def returns() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    drawn = {pool: rng.normal(0.001, 0.03, T) for pool in ("selected", "hodl", "uniform", "constant")}
    return {**drawn, "rising": np.abs(drawn["selected"]), "still": np.zeros(T)}


@pytest.fixture(scope="module")
def days() -> np.ndarray:
    return np.random.default_rng(4).integers(0, T, (B, T))


def one_by_one(
    names, log_returns: np.ndarray, hodl: np.ndarray, uniform: np.ndarray, constant: np.ndarray
) -> dict[str, float]:
    """Metrics of one path, as the simulator computes them."""
    path, benchmark = (jnp.asarray(np.concatenate([[1.0], np.cumprod(np.exp(own))])) for own in (log_returns, constant))
    sample = Sample.from_bars(
        path,
        1,
        hodl_end_value=jnp.asarray(np.prod(np.exp(hodl))),
        uniform_hodl_end_value=jnp.asarray(np.prod(np.exp(uniform))),
        weight_change=jnp.zeros(()),
        fee_revenue=jnp.zeros(()),
        benchmark_values=benchmark,
    )
    return {name: float(value) for name, value in compute(names, sample, SampleShape(len(path), 1)).items()}


def test_metrics_of_resampled_days_are_those_of_each_path(returns, days):
    assert {"daily_log_sharpe", "daily_sharpe", "daily_sortino", "returns_over_hodl", "annual_raroc_trad"} <= set(DAILY)
    assert "information_ratio" in DAILY
    found = resampled_metrics(
        DAILY,
        returns,
        days,
        hodl=dict.fromkeys(returns, returns["hodl"]),
        uniform_hodl=dict.fromkeys(returns, returns["uniform"]),
        constant_weights=returns["constant"],
    )
    for pool, own in returns.items():
        for index, row in enumerate(days):
            others = (returns[name][row] for name in ("hodl", "uniform", "constant"))
            expected = one_by_one(DAILY, own[row], *others)
            got = {name: found[pool][name][index] for name in DAILY}
            assert got == pytest.approx(expected, rel=1e-9, abs=1e-9), pool


def test_metrics_over_an_unknown_benchmark_are_nan(returns):
    found = daily_metrics(("returns", "returns_over_hodl", "information_ratio"), returns["selected"])
    assert np.isnan(found["returns_over_hodl"])
    assert np.isnan(found["information_ratio"])
    assert found["returns"] == pytest.approx(np.expm1(returns["selected"].sum()))


def test_only_functions_of_daily_values_are_resampled():
    assert not {"sharpe", "max_drawdown", "turnover", "fee_revenue_over_value", "lvr"} & set(DAILY)
    assert not is_resampled("daily_sharpe.period_1")
    assert not is_resampled(OBJECTIVE)


@pytest.mark.parametrize(
    ("constraint", "resampled"),
    [("annual_raroc_trad = 0.5", True), ("turnover = -0.02", False), ("returns = -1", True)],
)
def test_an_objective_of_daily_metrics_is_resampled(returns, constraint: str, resampled: bool):
    weights = "objective.weights={ daily_sortino = 0.5, returns = 2 }"
    study = Experiment.load("momentum_fees").override([weights, f"objective.constraints={{ {constraint} }}"])
    objective = study.objective
    assert is_resampled(OBJECTIVE, objective) == resampled
    if not resampled:
        return
    nothing = np.zeros(T)
    for own in (returns["selected"], returns["rising"]):
        parts = one_by_one(DAILY, own, nothing, nothing, nothing)
        shape = objective_shape(objective, T + 1, seed=0, whole=True)
        expected = combine(
            shape,
            {name: jnp.asarray([parts[name]]) for name in shape.term_metrics},
            {name: jnp.asarray(parts[name]) for name in shape.constraint_metrics},
        )
        assert daily_metrics([OBJECTIVE], own, objective=objective)[OBJECTIVE] == pytest.approx(float(expected))
