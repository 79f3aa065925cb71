"""The evaluator's gradients: against finite differences, and finite where something is at its bound."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pool_support import FEES, HALF_HOURS, make_experiment, prices_of, random_params, random_prices, stacked

from quantsim import Evaluator

STEP = 1e-4  # below that, the rounding of the values weighs more than their curvature
# rule, tokens, fees, path, metric
CASES = [
    ("momentum", 3, "zero", "closed_form", "daily_log_sharpe"),
    ("momentum", 3, "zero", "per_bar", "returns_over_hodl"),
    ("momentum", 2, "fee", None, "daily_log_sharpe"),
    ("momentum", 3, "gas", None, "daily_log_sharpe"),
    ("momentum", 3, "noise", None, "returns"),
    ("anti_momentum", 3, "protocol", "fees", "fee_revenue_over_value"),
]


def perturbed(sets: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], list[tuple[str, int]]]:
    """The set itself, and one up and one down along every coordinate, (1 + 2·n·parameters) sets in all."""
    coordinates = [(name, at) for name in sorted(sets) for at in range(sets[name].shape[1])]
    many = {name: np.repeat(value, 1 + 2 * len(coordinates), axis=0) for name, value in sets.items()}
    for row, (name, at) in enumerate(coordinates):
        many[name][1 + 2 * row, at] += STEP
        many[name][2 + 2 * row, at] -= STEP
    return many, coordinates


@pytest.mark.parametrize(("rule", "n_tokens", "fees", "path", "metric"), CASES)
def test_gradients_are_those_of_finite_differences(
    rule: str, n_tokens: int, fees: str, path: str | None, metric: str
) -> None:
    experiment = make_experiment(rule, n_tokens, HALF_HOURS, fees=FEES[fees])
    evaluator = Evaluator(experiment, random_prices(HALF_HOURS, n_tokens, 3))
    chunk = evaluator.setup.chunk_bars
    starts = evaluator.splits["train"][0] + chunk * np.array([-1, 0])
    params = random_params(rule, HALF_HOURS, n_tokens, 3, strength=0.5)
    many, coordinates = perturbed(stacked(evaluator, params))
    values, gradients = evaluator.value_and_grad(many, starts, HALF_HOURS.n_bars, metric, path=path)
    largest = max(np.abs(part[0]).max() for part in gradients.values())
    assert largest > 1e-5, "the case is to have something to follow"
    for row, (name, at) in enumerate(coordinates):
        slope = (values[1 + 2 * row] - values[2 + 2 * row]) / (2 * STEP)
        wanted = 0.0 if name == "initial_weights_logits" else slope  # the pool starts where it starts
        assert gradients[name][0, at] == pytest.approx(wanted, rel=1e-6, abs=2e-7 * largest), (name, at)


EDGES: dict[str, dict[str, Any]] = {
    "at the lower guardrail": {"initial_weights": [1 / 30, 1 / 30, 28 / 30]},
    "pushed against the guardrails": {"k_per_day": 1e6},
    "at the speed limit": {"k_per_day": [300.0, 500.0, 200.0]},
    "hardly moving": {"k_per_day": 1e-30},
    "memory beyond the cap": {"memory_days": 5000.0},
    "memory at the cap": {"memory_days": HALF_HOURS.max_memory_days},
    "next to no memory": {"memory_days": 1e-3},
    "no memory": {"logit_lamb": -200.0},
}


@pytest.mark.parametrize("fees", ["zero", "noise"])
@pytest.mark.parametrize("constant", [False, True], ids=["moving prices", "constant prices"])
def test_gradients_are_finite_at_the_edges(fees: str, constant: bool) -> None:
    experiment = make_experiment("momentum", 3, HALF_HOURS, fees=FEES[fees])
    prices = random_prices(HALF_HOURS, 3, 9)
    if constant:
        prices = prices_of(HALF_HOURS, np.repeat(prices.prices[:1], HALF_HOURS.total, axis=0))
    evaluator = Evaluator(experiment, prices)
    first, n_bars = evaluator.splits["train"]
    sets = stacked(evaluator, *EDGES.values())
    values, gradients = evaluator.value_and_grad(sets, [first], n_bars, "daily_log_sharpe")
    assert np.isfinite(values).all()
    for name, part in gradients.items():
        for row, edge in enumerate(EDGES):
            assert np.isfinite(part[row]).all(), (edge, name)
    if constant:
        np.testing.assert_allclose(values, 0.0, atol=1e-15)
        return
    edges = list(EDGES)
    np.testing.assert_array_equal(gradients["logit_lamb"][edges.index("memory beyond the cap")], 0.0)
    for name in gradients:
        np.testing.assert_allclose(gradients[name][edges.index("hardly moving")], 0.0, atol=1e-12)


@pytest.mark.parametrize(("rule", "fees"), [("balancer", "zero"), ("balancer", "fee"), ("hodl", "zero")])
def test_rules_without_parameters_have_a_gradient_of_zero(rule: str, fees: str) -> None:
    experiment = make_experiment(rule, 2, HALF_HOURS, fees=FEES[fees])
    evaluator = Evaluator(experiment, random_prices(HALF_HOURS, 2, 3))
    first, n_bars = evaluator.splits["train"]
    values, gradients = evaluator.value_and_grad(stacked(evaluator, {}), [first], n_bars, "returns")
    assert np.isfinite(values).all()
    assert values[0] != 0.0
    np.testing.assert_array_equal(gradients["initial_weights_logits"], 0.0)


def test_the_value_is_the_mean_over_the_windows() -> None:
    experiment = make_experiment("momentum", 2, HALF_HOURS)
    evaluator = Evaluator(experiment, random_prices(HALF_HOURS, 2, 3))
    sets = stacked(evaluator, *(random_params("momentum", HALF_HOURS, 2, seed) for seed in range(3)))
    starts = [5, 13, 29, 237]
    values, _ = evaluator.value_and_grad(sets, starts, HALF_HOURS.n_bars, "daily_log_sharpe")
    for row in range(3):
        one = {name: value[row] for name, value in sets.items()}
        table = evaluator.evaluate_at(one, starts, HALF_HOURS.n_bars, ["daily_log_sharpe"])
        assert values[row] == pytest.approx(table["daily_log_sharpe"].mean(), rel=1e-12)
