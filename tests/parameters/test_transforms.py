"""Closed-form maps against 50-digit arithmetic, on NumPy and JAX arrays."""

from __future__ import annotations

import decimal
import math
from collections.abc import Callable
from decimal import Decimal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quantsim.parameters.transforms import (
    inverse_squareplus,
    logit,
    logit_from_memory_days,
    memory_days_from_logit,
    sigmoid,
    squareplus,
)

MEMORIES = st.floats(math.log(0.01), math.log(2000.0)).map(math.exp)
CHUNKS = st.sampled_from([1, 2, 5, 15, 30, 60, 240, 360, 720, 1440])


def exact_mu(memory_days: float, chunk_minutes: int) -> Decimal:
    """1-λ of the cubic μ³ + (6/c³) μ - 6/c³ = 0, by Newton's method; call it inside a precise context."""
    ratio = 6 / (Decimal(memory_days) * 1440 / (2 * Decimal(chunk_minutes))) ** 3
    mu = Decimal(1)
    for _ in range(400):
        step = (mu**3 + ratio * mu - ratio) / (3 * mu**2 + ratio)
        mu -= step
        if abs(step) < abs(mu) * Decimal("1e-45"):
            return mu
    raise AssertionError("no convergence")


@settings(max_examples=200)
@example(memory_days=365.0, chunk_minutes=1)
@example(memory_days=200.0, chunk_minutes=1)
@example(memory_days=2000.0, chunk_minutes=1)
@example(memory_days=0.01, chunk_minutes=1440)
@given(memory_days=MEMORIES, chunk_minutes=CHUNKS)
def test_memory_is_exact_and_invertible(memory_days: float, chunk_minutes: int) -> None:
    raw = logit_from_memory_days(np.asarray(memory_days), chunk_minutes)
    mu = float(sigmoid(-raw))
    with decimal.localcontext(prec=50):
        assert abs(Decimal(mu) / exact_mu(memory_days, chunk_minutes) - 1) < Decimal("1e-13")
    back = memory_days_from_logit(raw, chunk_minutes)
    assert float(back) == pytest.approx(memory_days, rel=1e-13)
    again = float(sigmoid(-logit_from_memory_days(back, chunk_minutes)))
    assert again == pytest.approx(mu, rel=1e-13)


@settings(max_examples=100)
@given(raw=st.floats(-20.0, 30.0), chunk_minutes=CHUNKS)
def test_memory_of_a_logit_is_exact(raw: float, chunk_minutes: int) -> None:
    with decimal.localcontext(prec=50):
        lamb = 1 / (1 + Decimal(-raw).exp())
        wanted = (6 * lamb / (1 - lamb) ** 3) ** (Decimal(1) / 3) * 2 * chunk_minutes / 1440
    assert float(memory_days_from_logit(np.asarray(raw), chunk_minutes)) == pytest.approx(float(wanted), rel=1e-14)


def test_no_memory_is_lambda_zero() -> None:
    raw = logit_from_memory_days(np.array([0.0, 1.0]), 60)
    assert raw[0] == -np.inf
    assert sigmoid(raw)[0] == 0.0
    assert memory_days_from_logit(raw, 60)[0] == 0.0


def test_memory_grows_with_the_logit_and_with_the_chunk() -> None:
    logits = np.linspace(-10, 25, 400)
    memories = memory_days_from_logit(logits, 60)
    assert (np.diff(memories) > 0).all()
    np.testing.assert_allclose(memory_days_from_logit(logits, 120), 2 * memories, rtol=1e-15)


@settings(max_examples=200)
@given(x=st.floats(-740.0, 740.0))
def test_sigmoid_in_both_tails(x: float) -> None:
    with decimal.localcontext(prec=50):
        wanted = 1 / (1 + Decimal(-x).exp())
    assert float(sigmoid(np.asarray(x))) == pytest.approx(float(wanted), rel=1e-15, abs=5e-324)


@settings(max_examples=100)
@given(x=st.floats(-700.0, 30.0))
def test_logit_is_invertible(x: float) -> None:
    # near 1 a float64 probability itself holds only so many digits of its logit
    assert float(logit(sigmoid(np.asarray(x)))) == pytest.approx(x, rel=1e-15, abs=4e-16 * (1 + math.exp(x)))


def test_logit_and_sigmoid_at_the_ends() -> None:
    with np.errstate(divide="ignore"):
        np.testing.assert_array_equal(logit(np.array([0.0, 1.0])), [-np.inf, np.inf])
    np.testing.assert_array_equal(sigmoid(np.array([-np.inf, np.inf, -1e4, 1e4])), [0.0, 1.0, 0.0, 1.0])


@settings(max_examples=200)
@example(x=-1e8)
@example(x=0.0)
@given(x=st.floats(-1e8, 1e8))
def test_squareplus_has_full_relative_precision(x: float) -> None:
    with decimal.localcontext(prec=60):
        wanted = (Decimal(x) + (Decimal(x) ** 2 + 4).sqrt()) / 2
    y = squareplus(np.asarray(x))
    assert float(y) == pytest.approx(float(wanted), rel=1e-15)
    # the inverse's condition number is (y² + 1)/|y² - 1|: near zero only an absolute error can be asked for
    assert float(inverse_squareplus(y)) == pytest.approx(x, rel=1e-15, abs=1e-15)


@settings(max_examples=100)
@given(y=st.floats(1e-8, 1e8))
def test_inverse_squareplus_is_invertible(y: float) -> None:
    assert float(squareplus(inverse_squareplus(np.asarray(y)))) == pytest.approx(y, rel=1e-15)


FUNCTIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "sigmoid": sigmoid,
    "squareplus": squareplus,
    "memory_days_from_logit": lambda x: memory_days_from_logit(x, 60),
    "logit_from_memory_days": lambda x: logit_from_memory_days(x**2 + 0.01, 60),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_jax_equals_numpy_and_has_a_finite_gradient(name: str) -> None:
    function = FUNCTIONS[name]
    points = np.array([-300.0, -40.0, -1.5, 0.0, 0.3, 2.0, 25.0])
    traced = jax.jit(function)(jnp.asarray(points))
    assert traced.dtype == jnp.float64
    np.testing.assert_allclose(traced, function(points), rtol=1e-13)
    gradient = jax.vmap(jax.grad(function))(jnp.asarray(points))
    step = 1e-6
    wanted = (function(points + step) - function(points - step)) / (2 * step)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-6, atol=1e-9)


def test_the_gradient_at_no_memory_is_finite() -> None:
    assert np.isfinite(jax.grad(lambda x: sigmoid(x))(jnp.asarray(-1e4)))
    assert np.isfinite(jax.grad(lambda x: memory_days_from_logit(x, 60.0))(jnp.asarray(-700.0)))
