"""Loss versus rebalancing, and rebalancing versus rebalancing: on every path, against a loop over the reserves of the bars."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pool_support import FEES, HALF_HOURS, bar_by_bar, make_experiment, random_params, random_prices, stacked

from quantsim import Evaluator, Experiment, Prices
from quantsim.simulator.bar_path import BarPath

NAMES = ("lvr", "lvr_per_year", "rvr")
COST = 0.002
CASES: dict[str, dict[str, Any]] = {
    "closed form": {"rule": "momentum"},
    "optimal ramp": {"rule": "momentum", "update": {"interpolation": "optimal"}},
    "seldom visited": {"rule": "momentum", "pool": {"arb_frequency": 4}},
    "fees": {"rule": "momentum", "fees": FEES["gas"]},
    "noise": {"rule": "momentum", "fees": FEES["noise"], "pool": {"arb_frequency": 3}},
    "constant": {"rule": "balancer", "fees": FEES["fee"]},
    "batches": {"rule": "cow", "fees": FEES["fee"], "pool": {"arb_quality": 0.3}},
    "no visits": {"rule": "momentum", "pool": {"do_arb": False}},
    "hodl": {"rule": "hodl"},
}


def experiment_of(rule: str, fees: dict[str, float] | None = None, n_tokens: int = 2, **tables: Any) -> Experiment:
    return make_experiment(rule, n_tokens, HALF_HOURS, fees={**(fees or {}), "rebalancing_cost": COST}, **tables)


def params_of(rule: str, n_tokens: int = 2) -> dict[str, Any]:
    return random_params("balancer" if rule == "cow" else rule, HALF_HOURS, n_tokens, 1)


def scores(
    experiment: Experiment, params: dict[str, Any], prices: Prices, path: str = "auto", metrics: tuple[str, ...] = NAMES
) -> dict[str, float]:
    evaluator = Evaluator(experiment, prices)
    raw = experiment.initial_parameters(params)
    found = evaluator.evaluate_at(raw, [evaluator.splits["train"][0]], HALF_HOURS.n_bars, metrics, path=path)
    return {name: float(values[0]) for name, values in found.items()}


def by_loop(path: BarPath) -> dict[str, float]:
    """From the definitions: what the benchmark's holdings earn, bar by bar, and what it trades."""
    earned = traded = 0.0
    for bar in range(1, len(path.value)):
        held, now = path.reserves[bar - 1], path.reserves[bar]
        earned += held @ (path.prices[bar] - path.prices[bar - 1])
        traded += 0.5 * np.abs(now - held) @ path.prices[bar]
    loss = earned - (path.value[-1] - path.value[0])
    steps_per_year = 365 * 48 / (len(path.value) - 1)
    first = path.value[0]
    return {"lvr": -loss / first, "lvr_per_year": -loss / first * steps_per_year, "rvr": (COST * traded - loss) / first}


@pytest.mark.parametrize("case", list(CASES))
def test_every_path_equals_the_loop(case: str) -> None:
    tables = CASES[case]
    experiment, params = experiment_of(**tables), params_of(tables["rule"])
    prices = random_prices(HALF_HOURS, 2, 4)
    found, wanted = scores(experiment, params, prices), by_loop(bar_by_bar(experiment, params, prices))
    # Changes of value are sums of large numbers that all but cancel: about 1e-16 of the value for each of 200 bars.
    assert found == pytest.approx(wanted, rel=1e-8, abs=1e-12)
    if case in ("no visits", "hodl"):
        assert found == dict.fromkeys(NAMES, 0.0)
    else:
        assert abs(found["lvr"]) > 1e-5
        assert found["rvr"] > found["lvr"]


@pytest.mark.parametrize("n_tokens", [2, 4])
def test_without_fees_a_constant_pool_loses_the_difference_of_two_means(n_tokens: int) -> None:
    """In a bar the reserves earn the arithmetic mean of the returns, and the pool keeps the geometric one."""
    prices, params = random_prices(HALF_HOURS, n_tokens, 2), params_of("balancer", n_tokens)
    weights = np.array(params["initial_weights"])
    window = prices.prices[HALF_HOURS.history :]
    ratios = window[1:] / window[:-1]
    kept = np.prod(ratios**weights, axis=1)
    value = np.concatenate([[1.0], np.cumprod(kept)])
    loss = (value[:-1] * (ratios @ weights - kept)).sum()
    found = scores(experiment_of("balancer", n_tokens=n_tokens), params, prices)
    assert found["lvr"] == pytest.approx(-loss, rel=1e-9)
    assert scores(experiment_of("balancer", n_tokens=n_tokens), params, prices, "fees") == pytest.approx(
        found, rel=1e-8
    )


def test_fees_make_up_for_some_of_the_loss_and_competition_in_batches_for_all_of_it() -> None:
    prices, params = random_prices(HALF_HOURS, 2, 6), params_of("balancer")
    gross = scores(experiment_of("balancer"), params, prices)["lvr"]
    net = scores(experiment_of("balancer", FEES["fee"]), params, prices)["lvr"]
    assert gross < net < 0.0
    for fees in ("zero", "fee"):
        monopolist = scores(experiment_of("cow", FEES[fees], pool={"arb_quality": 0.0}), params, prices)["lvr"]
        assert gross < monopolist < 0.0
        assert scores(experiment_of("cow", FEES[fees]), params, prices)["lvr"] == pytest.approx(0.0, abs=1e-13)


def test_a_dear_enough_benchmark_does_worse_than_the_pool() -> None:
    prices, params = random_prices(HALF_HOURS, 2, 6), params_of("balancer")
    experiment = experiment_of("balancer")
    scored = scores(experiment, params, prices)
    breaks_even = COST * -scored["lvr"] / (scored["rvr"] - scored["lvr"])
    at = experiment.override([f"fees.rebalancing_cost={breaks_even!r}"])
    assert scores(at, params, prices)["rvr"] == pytest.approx(0.0, abs=1e-12)
    assert scores(at, params, prices)["lvr"] == scored["lvr"], "the benchmark's cost is no part of the pool"


@pytest.mark.parametrize(("metric", "fees"), [("lvr", "zero"), ("rvr", "fee")])  # rvr is lvr and a benchmark's costs
def test_gradients_are_those_of_finite_differences(metric: str, fees: str) -> None:
    evaluator = Evaluator(experiment_of("momentum", FEES[fees]), random_prices(HALF_HOURS, 2, 3))
    first, n_bars = evaluator.splits["train"]
    base, step = stacked(evaluator, params_of("momentum")), 1e-5
    sets = {name: np.repeat(rows, 3, axis=0) for name, rows in base.items()}
    sets["log_k"] += step * np.array([[0.0], [1.0], [-1.0]])
    values, gradients = evaluator.value_and_grad(sets, [first], n_bars, metric)
    assert gradients["log_k"][0].sum() == pytest.approx((values[1] - values[2]) / (2 * step), rel=1e-4)


def test_reports_that_do_not_ask_for_it_compute_no_reserves() -> None:
    evaluator = Evaluator(experiment_of("momentum"), random_prices(HALF_HOURS, 2, 3))
    first, n_bars = evaluator.splits["train"]
    for metrics, path in ((evaluator.metric_names, "closed_form"), (("lvr",), "per_bar")):
        plan, _ = evaluator.planner.plan(first, n_bars, metrics)
        assert plan.path.value == path
        assert plan.every_bar == (path == "per_bar")
