"""The moving average and the variance of returns, against plain loops and closed forms."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantsim.estimators import moving_average, return_variance

LENGTH, TOKENS = 60, 3
SEEDS = st.integers(0, 2**32 - 1)
ESTIMATORS = {"moving_average": jax.jit(moving_average), "return_variance": jax.jit(return_variance)}
JACOBIANS = {
    name: jax.jit(jax.jacrev(function, argnums=(0, 1)))
    for name, function in {"moving_average": moving_average, "return_variance": return_variance}.items()
}


def walk(seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    steps = 0.03 * generator.standard_normal((LENGTH, TOKENS))
    return np.exp(generator.uniform(-5, 10, TOKENS) + np.cumsum(steps, axis=0))


@settings(max_examples=20)
@given(seed=SEEDS)
def test_the_average_is_the_loop(seed: int) -> None:
    logits, values = np.random.default_rng(seed).uniform(-2, 6, TOKENS), walk(seed)
    lamb = 1 / (1 + np.exp(-logits))
    average, rows = values[0], []
    for value in values:
        average = average + (1 - lamb) * (value - average)
        rows.append(average)
    found = ESTIMATORS["moving_average"](values, logits)
    np.testing.assert_allclose(found * values[0], rows, rtol=1e-12)


@settings(max_examples=20)
@given(seed=SEEDS)
def test_the_variance_is_the_loop(seed: int) -> None:
    logits, prices = np.random.default_rng(seed).uniform(-2, 6, TOKENS), walk(seed)
    lamb, returns = 1 / (1 + np.exp(-logits)), prices[1:] / prices[:-1] - 1
    mean, total, rows = returns[0], np.zeros(TOKENS), [np.ones(TOKENS), np.ones(TOKENS)]
    for value in returns[1:]:
        deviation = value - mean
        mean = mean + (1 - lamb) * deviation
        total = lamb * total + lamb * deviation**2
        rows.append((1 - lamb) * total)
    found = ESTIMATORS["return_variance"](prices, logits)
    np.testing.assert_allclose(found, rows, rtol=1e-9, atol=1e-16)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_they_depend_on_neither_unit_nor_future(name: str) -> None:
    estimate, logits, prices = ESTIMATORS[name], np.array([1.0, 3.0, 5.0]), walk(3)
    plain = estimate(prices, logits)
    np.testing.assert_allclose(estimate(prices * [1e-9, 1e9, 7.0], logits), plain, rtol=1e-9, atol=1e-16)
    changed = prices.copy()
    changed[31:] *= np.linspace(0.5, 3.0, LENGTH - 31)[:, None]
    np.testing.assert_array_equal(estimate(changed, logits)[:31], plain[:31])
    assert (estimate(changed, logits)[31] != plain[31]).all()


def test_constant_prices_average_to_exactly_one_and_do_not_vary() -> None:
    prices, logits = np.full((LENGTH, TOKENS), 123.456), jnp.array([1.0, 3.0, 5.0])
    np.testing.assert_array_equal(ESTIMATORS["moving_average"](prices, logits), 1.0)
    np.testing.assert_array_equal(ESTIMATORS["return_variance"](prices, logits)[2:], 0.0)


def test_the_average_without_memory_is_the_price_and_with_endless_memory_the_first() -> None:
    prices = walk(5)
    none = ESTIMATORS["moving_average"](prices, np.full(TOKENS, -np.inf))
    np.testing.assert_allclose(none, prices / prices[0], rtol=1e-13)
    endless = ESTIMATORS["moving_average"](prices, np.full(TOKENS, 60.0))
    np.testing.assert_allclose(endless, 1.0, rtol=1e-13)


def test_the_average_of_a_straight_line_lags_by_the_memory() -> None:
    prices = 100 + 0.5 * np.arange(400.0)[:, None] * np.ones(TOKENS)
    logits = np.array([0.0, 1.0, 2.0])
    lag = np.exp(logits)  # λ/(1-λ) chunks
    found = ESTIMATORS["moving_average"](prices, logits)[-1] * 100
    np.testing.assert_allclose(found, prices[-1] - 0.5 * lag, rtol=1e-9)


@pytest.mark.parametrize("name", JACOBIANS)
@pytest.mark.parametrize("logit", [-800.0, -40.0, 0.0, 36.0])
def test_gradients_are_finite_at_the_edges(name: str, logit: float) -> None:
    for prices in (walk(1), np.full((LENGTH, TOKENS), 7.25)):
        for part in JACOBIANS[name](prices, jnp.full(TOKENS, logit)):
            assert np.isfinite(part).all()
