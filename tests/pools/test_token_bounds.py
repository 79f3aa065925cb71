"""Bounds of each token's weight: the projection onto them, and pools that keep within them, fixed or trained."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pool_support import (
    FEES,
    HALF_HOURS,
    along_coordinates,
    bar_by_bar,
    make_experiment,
    random_params,
    random_prices,
    stacked,
    steering_of,
)

from quantsim import Evaluator
from quantsim.errors import ConfigError
from quantsim.pools.steered.steering import weight_bounds
from quantsim.pools.steered.weights import token_bounds, within_bounds

SEEDS = st.integers(0, 2**32 - 1)
project = jax.jit(within_bounds)
BOUNDS = jax.jit(token_bounds, static_argnums=1)


def random_bounds(generator: np.random.Generator, n_tokens: int) -> tuple[np.ndarray, np.ndarray]:
    lower = generator.uniform(0.001, 0.99 / n_tokens, n_tokens)
    upper = lower + generator.uniform(0.0, 1.0, n_tokens) * (1 - lower)
    lack = 1.0 - upper.sum()
    if lack > 0:
        upper += (1.0 - upper) * min(1.0, 1.05 * lack / (1.0 - upper).sum())
    return lower, upper


def bisected(weights: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    low, high, weights = 0.0, 1e10, np.maximum(weights, 1e-9)
    for _ in range(400):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if np.clip(middle * weights, lower, upper).sum() < 1.0 else (low, middle)
    return np.clip(high * weights, lower, upper)


@pytest.mark.parametrize("n_tokens", [2, 3, 5, 8])
@settings(max_examples=60)
@given(seed=SEEDS, reach=st.sampled_from([0.01, 0.3, 3.0]))
def test_the_projection_scales_by_one_factor(n_tokens: int, seed: int, reach: float) -> None:
    generator = np.random.default_rng(seed)
    lower, upper = random_bounds(generator, n_tokens)
    change = reach * generator.standard_normal(n_tokens)
    weights = 1 / n_tokens + change - change.mean()
    found = np.asarray(project(weights, lower, upper))
    assert (found >= lower * (1 - 1e-12)).all()
    assert (found <= upper * (1 + 1e-12)).all()
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(found, bisected(weights, lower, upper), rtol=1e-7, atol=1e-10)


def test_weights_inside_their_bounds_stay() -> None:
    weights = np.array([0.2, 0.5, 0.3])
    np.testing.assert_allclose(project(weights, np.full(3, 0.1), np.full(3, 0.6)), weights, rtol=1e-15)


POOLS: dict[str, dict[str, Any]] = {
    "lower": {"minimum_weight": [0.05, 0.2, 0.3]},
    "upper": {"maximum_weight": [0.5, 0.4, 0.45]},
    "both": {"minimum_weight": 0.1, "maximum_weight": [0.6, 0.45, 0.5]},
}


@pytest.mark.parametrize("pool", POOLS)
def test_a_pool_keeps_within_fixed_bounds(pool: str) -> None:
    experiment = make_experiment("momentum", 3, HALF_HOURS, pool=POOLS[pool])
    params = {**random_params("momentum", HALF_HOURS, 3, 2, strength=20.0), "initial_weights": [0.3, 0.35, 0.35]}
    weights = bar_by_bar(experiment, params, random_prices(HALF_HOURS, 3, 2)).weights
    lower, upper = weight_bounds(experiment.pools[-1])
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-12)
    assert (weights >= np.array(lower) - 1e-12).all()
    assert (weights <= np.array(upper) + 1e-12).all()
    at_bounds = (np.abs(weights - lower) < 1e-9) | (np.abs(weights - upper) < 1e-9)
    assert at_bounds.any(), "the case is to reach a bound"
    free = make_experiment("momentum", 3, HALF_HOURS)
    assert np.abs(bar_by_bar(free, params, random_prices(HALF_HOURS, 3, 2)).weights - weights).max() > 0.01


def test_bounds_of_a_single_number_are_the_guardrail() -> None:
    params, prices = random_params("momentum", HALF_HOURS, 2, 4, strength=5.0), random_prices(HALF_HOURS, 2, 4)
    one = bar_by_bar(make_experiment("momentum", 2, HALF_HOURS, pool={"minimum_weight": 0.1}), params, prices)
    each = bar_by_bar(make_experiment("momentum", 2, HALF_HOURS, pool={"minimum_weight": [0.1, 0.1]}), params, prices)
    np.testing.assert_allclose(each.weights, one.weights, rtol=1e-12)


def test_trained_bounds_have_the_gradient_of_finite_differences() -> None:
    own = {"minimum_weights": [0.1, 0.15, 0.2], "maximum_weights": [0.5, 0.45, 0.6]}
    experiment = make_experiment("momentum", 3, HALF_HOURS, fees=FEES["fee"], parameters=own)
    assert {"logit_minimum_weights", "logit_maximum_weights"} <= experiment.trainable
    evaluator = Evaluator(experiment, random_prices(HALF_HOURS, 3, 2))
    params = {**random_params("momentum", HALF_HOURS, 3, 2, strength=20.0), "initial_weights": [0.3, 0.35, 0.35]}
    coordinates = [(name, at) for name in ("logit_minimum_weights", "logit_maximum_weights") for at in range(3)]
    found, slopes = along_coordinates(evaluator, stacked(evaluator, params), coordinates, 1e-6)
    np.testing.assert_allclose(found, slopes, rtol=1e-5, atol=1e-7)
    assert np.abs(found).max() > 1e-4, "the case is to reach a bound"


@settings(max_examples=60)
@given(seed=SEEDS)
def test_bounds_that_contradict_each_other_are_made_to_fit(seed: int) -> None:
    own = {"minimum_weights": 0.1, "maximum_weights": 0.9}
    setup = steering_of(make_experiment("momentum", 4, HALF_HOURS, parameters=own))
    generator = np.random.default_rng(seed)
    raw = {name: jnp.asarray(generator.uniform(-6, 6, 4)) for name in setup.tuned_bounds}
    bounds = BOUNDS(raw, setup)
    assert bounds is not None
    assert float(bounds.lower.sum()) <= 1 + 1e-12
    assert float(bounds.upper.sum()) >= 1 - 1e-12
    assert (bounds.lower <= bounds.upper).all()
    found = np.asarray(project(jnp.asarray(generator.dirichlet(np.ones(4))), *bounds))
    assert found.sum() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        ({"minimum_weight": [0.1, 0.2]}, ("pool.minimum_weight = [0.1, 0.2]", "one for each of BTC, ETH, XRP")),
        ({"minimum_weight": [0.5, 0.4, 0.3]}, ("pool.minimum_weight", "at most 1/3 on average")),
        ({"maximum_weight": 0.3}, ("pool.maximum_weight = 0.3", "must sum to at least 1")),
        ({"minimum_weight": [0.1, 0.3, 0.1], "maximum_weight": [0.9, 0.2, 0.9]}, ("must not exceed",)),
        ({"maximum_weight": [0.3, 0.5, 0.5]}, ("initial_weights", "BTC", "0.333333", "0.3")),
    ],
)
def test_bounds_that_no_weights_satisfy_are_refused(pool: dict[str, Any], said: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        make_experiment("momentum", 3, HALF_HOURS, pool=pool)
    for part in said:
        assert part in str(caught.value)
