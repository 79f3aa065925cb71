"""Every rule on its cheapest path, a few on every path: paths agree, gradients are right, nothing compiles twice."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from pool_support import (
    FEES,
    HALF_HOURS,
    SWAPPED,
    drawn_params,
    make_experiment,
    oracle_series,
    oracle_table,
    prices_of,
    random_prices,
    stacked,
)

from quantsim import Evaluator, Prices
from quantsim.rules import get_rule
from quantsim.simulator.objective import value_and_grad

STEP = {"zero": 1e-5, "fee": 5e-5}
CLOSE = {"zero": 1e-5, "fee": 1e-4}  # with fees, kinks lie close to each other: where tokens begin or cease to trade
ROUNDING = 1e-13  # of a value after some hundred trades
METRIC = "returns"
PATHS = {"zero": ("closed_form", "fees"), "fee": ("fees",)}  # per_bar: test_closed_form.py, test_gradients.py
CASES = [
    # The rules differ up to the weights. What follows sees weights alone, whichever rule made them.
    *((rule, "zero", 3, ("closed_form",)) for rule in SWAPPED),
    *(
        (rule, fees, n_tokens, PATHS[fees])
        for rule in ("balancer", "momentum")
        for fees in PATHS
        for n_tokens in (2, 5)
    ),
]
FAR = (-60.0, -8.0, 0.0, 8.0, 60.0)


@functools.cache
def evaluator_of(rule: str, n_tokens: int, fees: str) -> Evaluator:
    return made(rule, n_tokens, fees, random_prices(HALF_HOURS, n_tokens, 3))


def made(rule: str, n_tokens: int, fees: str, prices: Prices) -> Evaluator:
    experiment = make_experiment(rule, n_tokens, HALF_HOURS, fees=FEES[fees], **oracle_table(rule))
    return Evaluator(experiment, prices, oracle_series(rule, prices))


def neighbours(sets: dict[str, np.ndarray], names: list[str], step: float) -> dict[str, np.ndarray]:
    """The set itself, per name one up and one down along a direction of its own, and copies: as many as far sets."""
    many = {name: np.repeat(value, 1 + len(FAR) * len(names), axis=0) for name, value in sets.items()}
    for row, name in enumerate(names):
        direction = step * np.linspace(1.0, -0.5, sets[name].shape[1])
        many[name][1 + 2 * row] += direction
        many[name][2 + 2 * row] -= direction
    return many


@pytest.mark.parametrize(("rule", "fees", "n_tokens", "paths"), CASES)
def test_matrix(rule: str, fees: str, n_tokens: int, paths: tuple[str, ...]) -> None:
    evaluator = evaluator_of(rule, n_tokens, fees)
    first, n_bars = evaluator.splits["train"]
    names = sorted(evaluator.experiment.trainable)
    sets = neighbours(stacked(evaluator, drawn_params(evaluator.experiment, 3, strength=0.3)), names, STEP[fees])
    found = {path: evaluator.value_and_grad(sets, [first], n_bars, METRIC, path=path) for path in paths}
    values, gradients = found[paths[0]]
    assert np.isfinite(values).all()
    for path in paths[1:]:
        np.testing.assert_allclose(found[path][0], values, rtol=1e-9, err_msg=path)
        for name in names:
            largest = np.abs(gradients[name]).max()
            np.testing.assert_allclose(found[path][1][name], gradients[name], rtol=1e-6, atol=1e-8 * largest)
    directions = {name: np.linspace(1.0, -0.5, sets[name].shape[1]) for name in names}
    slopes = {name: (values[1 + 2 * row] - values[2 + 2 * row]) / (2 * STEP[fees]) for row, name in enumerate(names)}
    along = {name: float(gradients[name][0] @ directions[name]) for name in names}
    scale = max((abs(slope) for slope in along.values()), default=1.0)
    for name in names:
        assert along[name] == pytest.approx(slopes[name], rel=CLOSE[fees], abs=1e-6 * scale + ROUNDING / STEP[fees]), (
            name
        )
    if names:
        assert scale > 1e-6, "the case is to have something to follow"

    misses = value_and_grad._cache_size()
    changed = {name: rows + 0.01 for name, rows in sets.items()}
    evaluator.value_and_grad(changed, [first], n_bars, METRIC, path=paths[0])
    assert value_and_grad._cache_size() == misses, "a second call must not compile again"


@pytest.mark.parametrize("constant", [False, True], ids=["moving prices", "constant prices"])
@pytest.mark.parametrize("rule", [name for name in SWAPPED if get_rule(name).outputs is not None])
def test_gradients_are_finite_at_the_edges(rule: str, *, constant: bool) -> None:
    """Where prices do not move, ``|x|^β`` is taken at zero; with ever more aggressiveness all guardrails bind."""
    prices = random_prices(HALF_HOURS, 3, 9)
    if constant:
        prices = prices_of(HALF_HOURS, np.repeat(prices.prices[:1], HALF_HOURS.total, axis=0))
    evaluator = made(rule, 3, "zero", prices)
    experiment = evaluator.experiment
    first, n_bars = evaluator.splits["train"]
    base = stacked(evaluator, drawn_params(experiment, 5))
    names = sorted(experiment.trainable)
    sets = {name: np.repeat(rows, 1 + len(FAR) * len(names), axis=0) for name, rows in base.items()}
    for row, name in enumerate(names):
        for column, value in enumerate(FAR):
            sets[name][row * len(FAR) + column] = value
    values, gradients = evaluator.value_and_grad(sets, [first], n_bars, METRIC, path="closed_form")  # as above
    assert np.isfinite(values).all()
    for name in gradients:
        bad = ~np.isfinite(gradients[name]).all(axis=1)
        assert not bad.any(), (name, [(names[row // len(FAR)], FAR[row % len(FAR)]) for row in np.flatnonzero(bad)])
