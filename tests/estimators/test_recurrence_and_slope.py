"""The recurrence, its adjoint, and the slope, against plain loops."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantsim.estimators import capped_logit, capped_memory_days, linear_recurrence, proportional_slope
from quantsim.parameters.transforms import logit_from_memory_days, memory_days_from_logit

LENGTH, TOKENS = 60, 3
SEEDS = st.integers(0, 2**32 - 1)


def walk(seed: int, length: int = LENGTH) -> np.ndarray:
    generator = np.random.default_rng(seed)
    steps = 0.03 * generator.standard_normal((length, TOKENS))
    return np.exp(generator.uniform(-5, 10, TOKENS) + np.cumsum(steps, axis=0))


def loop(decay: np.ndarray, inputs: np.ndarray, initial: np.ndarray) -> np.ndarray:
    states, state = [], initial
    for value in inputs:
        state = decay * state + value
        states.append(state)
    return np.array(states)


run = jax.jit(linear_recurrence)


@settings(max_examples=25)
@given(seed=SEEDS)
def test_the_recurrence_is_the_loop(seed: int) -> None:
    generator = np.random.default_rng(seed)
    arguments = generator.random(TOKENS), generator.standard_normal((LENGTH, TOKENS)), generator.standard_normal(TOKENS)
    np.testing.assert_allclose(run(*arguments), loop(*arguments), rtol=1e-13, atol=1e-14)


@jax.jit
def pullbacks(decay: jax.Array, inputs: jax.Array, initial: jax.Array, cotangent: jax.Array) -> list[tuple]:
    def plain(decay: jax.Array, inputs: jax.Array, initial: jax.Array) -> jax.Array:
        def step(state: jax.Array, value: jax.Array) -> tuple[jax.Array, jax.Array]:
            return decay * state + value, decay * state + value

        return jax.lax.scan(step, initial, inputs)[1]

    return [jax.vjp(function, decay, inputs, initial)[1](cotangent) for function in (linear_recurrence, plain)]


@settings(max_examples=15)
@given(seed=SEEDS)
def test_its_adjoint_is_that_of_autodiff(seed: int) -> None:
    generator = np.random.default_rng(seed)
    arguments = generator.random(TOKENS), generator.standard_normal((LENGTH, TOKENS)), generator.standard_normal(TOKENS)
    written, automatic = pullbacks(*arguments, generator.standard_normal((LENGTH, TOKENS)))
    for mine, wanted in zip(written, automatic, strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-12, atol=1e-12)


def slope_loop(prices: np.ndarray, lamb: np.ndarray, divisor_lamb: np.ndarray) -> np.ndarray:
    average = divisor = prices[0]
    trend, slopes = np.zeros(TOKENS), []
    for price in prices:
        average = average + (1 - lamb) * (price - average)
        divisor = divisor + (1 - divisor_lamb) * (price - divisor)
        trend = lamb * trend + (price - average) / (1 - lamb)
        slopes.append(trend * (1 - lamb) ** 3 / (lamb * divisor))
    return np.array(slopes)


slope = jax.jit(proportional_slope)
slope_jacobian = jax.jit(jax.jacrev(proportional_slope, argnums=1))


@settings(max_examples=25)
@given(seed=SEEDS)
def test_the_slope_is_the_loop(seed: int) -> None:
    logits, others = np.random.default_rng(seed).uniform(-2, 6, (2, TOKENS))
    prices = walk(seed)
    lamb, divisor_lamb = 1 / (1 + np.exp(-logits)), 1 / (1 + np.exp(-others))
    np.testing.assert_allclose(slope(prices, logits), slope_loop(prices, lamb, lamb), rtol=1e-9, atol=1e-14)
    wanted = slope_loop(prices, lamb, divisor_lamb)
    np.testing.assert_allclose(slope(prices, logits, others), wanted, rtol=1e-9, atol=1e-14)


def test_the_slope_of_steady_growth() -> None:
    """A straight line in price: the slope is the line's, per chunk and per unit of the average."""
    logits = np.full(TOKENS, float(logit_from_memory_days(np.asarray(3.0), 1440)))
    prices = 100 + 0.5 * np.arange(400.0)[:, None] * np.ones(TOKENS)
    lamb = 1 / (1 + np.exp(-logits))
    average = prices[-1] - 0.5 * lamb / (1 - lamb)  # what an average with that decay lags behind
    np.testing.assert_allclose(slope(prices, logits)[-1], 0.5 / average, rtol=1e-6)


def test_the_slope_depends_on_neither_unit_nor_future() -> None:
    logits, prices = np.array([1.0, 3.0, 5.0]), walk(3)
    plain = slope(prices, logits)
    np.testing.assert_allclose(slope(prices * [1e-9, 1e9, 7.0], logits), plain, rtol=1e-11, atol=1e-16)
    changed = prices.copy()
    changed[31:] *= np.linspace(0.5, 3.0, LENGTH - 31)[:, None]
    np.testing.assert_array_equal(slope(changed, logits)[:31], plain[:31])
    assert (slope(changed, logits)[31] != plain[31]).all()


def test_constant_prices_have_no_slope() -> None:
    prices = np.full((LENGTH, TOKENS), 123.456)
    logits = jnp.array([1.0, 3.0, 5.0])
    assert not np.asarray(slope(prices, logits)).any()
    assert np.isfinite(slope_jacobian(prices, logits)).all()


@pytest.mark.parametrize("logit", [-800.0, -40.0, 36.0])
def test_zero_and_infinite_memory_are_finite(logit: float) -> None:
    logits = jnp.full(TOKENS, logit)
    assert np.isfinite(slope(walk(1), logits)).all()
    assert np.isfinite(slope_jacobian(walk(1), logits)).all()


def test_without_memory_the_slope_is_the_last_return() -> None:
    prices = walk(5)
    found = slope(prices, np.full(TOKENS, -np.inf))
    np.testing.assert_allclose(found[1:], (prices[1:] - prices[:-1]) / prices[1:], rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("chunk_minutes", [1, 60, 1440])
def test_memory_is_capped(chunk_minutes: int) -> None:
    days = np.array([1.0, 29.0, 31.0, 900.0])
    logits = jnp.asarray(logit_from_memory_days(days, chunk_minutes))
    capped = capped_logit(logits, 30.0, chunk_minutes)
    np.testing.assert_array_equal(capped[:2], logits[:2])
    np.testing.assert_allclose(memory_days_from_logit(capped[2:], chunk_minutes), 30.0, rtol=1e-12)
    np.testing.assert_allclose(capped_memory_days(logits, 30.0, chunk_minutes), np.minimum(days, 30.0), rtol=1e-12)
    gradient = jax.grad(lambda x: jnp.sum(capped_memory_days(x, 30.0, chunk_minutes)))(logits)
    assert (np.asarray(gradient[:2]) > 0).all()
    np.testing.assert_array_equal(gradient[2:], 0.0)
