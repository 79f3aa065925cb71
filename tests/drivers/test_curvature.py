"""The Hessian trace from values alone, and what a penalty on it does."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array
from sgd_support import toy

from quantsim.drivers.sgd.curvature import value_and_hessian_trace


def test_the_trace_of_a_quadratic_without_cross_terms_is_exact() -> None:
    slopes, curvatures = np.array([3.0, -1.0, 0.2]), np.array([2.0, 7.0, -0.5])

    def loss(params: Mapping[str, Array]) -> Array:
        x = jnp.concatenate([params["a"], params["b"]])
        return 4.0 + jnp.vdot(slopes, x) + 0.5 * jnp.vdot(curvatures, x**2)

    params = {"a": jnp.array([0.3, -2.0]), "b": jnp.array([5.0])}
    estimate = jax.jit(lambda step: value_and_hessian_trace(loss, params, jax.random.key(3), n_samples=1, step=step))
    for step, rounding in ((1e-3, 1e-8), (1.0, 1e-13)):
        value, trace = estimate(step)
        assert float(value) == pytest.approx(float(loss(params)), rel=1e-15)
        assert float(trace) == pytest.approx(curvatures.sum(), rel=rounding)


def test_the_trace_of_a_smooth_function_is_that_of_its_hessian() -> None:
    def loss(params: Mapping[str, Array]) -> Array:
        x, y, z = params["x"]
        return jnp.sin(x * y) + jnp.exp(0.5 * z - x) + jnp.cosh(y + z)

    params = {"x": jnp.array([0.4, -0.7, 0.3])}
    hessian = np.asarray(jax.jit(jax.hessian(loss))(params)["x"]["x"])
    estimate = jax.jit(lambda key: value_and_hessian_trace(loss, params, key, n_samples=4000, step=1e-3)[1])
    crossed = hessian - np.diag(np.diag(hessian))
    error = np.sqrt(2.0 * (crossed**2).sum() / 4000)  # of a mean over random signs
    assert float(estimate(jax.random.key(0))) == pytest.approx(np.trace(hessian), abs=4.0 * error)
    assert error < 0.02 * abs(np.trace(hessian))
    assert float(estimate(jax.random.key(0))) == float(estimate(jax.random.key(0)))
    assert float(estimate(jax.random.key(0))) != float(estimate(jax.random.key(1)))


def test_a_kink_counts_at_a_finite_step() -> None:
    """Its second derivative is zero wherever it exists."""

    def loss(params: Mapping[str, Array]) -> Array:
        return jnp.sum(jnp.abs(params["x"] - 0.05))

    estimate = jax.jit(lambda key: value_and_hessian_trace(loss, {"x": jnp.zeros(1)}, key, n_samples=3, step=0.1)[1])
    trace = estimate(jax.random.key(0))
    assert float(trace) == pytest.approx(10.0)


def test_a_penalty_leads_to_the_flattest_of_equal_maxima() -> None:
    def ridge(params: Mapping[str, Array], starts: Array) -> Array:
        x, y = params["x"]
        return -(y**2) * (1.0 + x**2) + 0.0 * starts  # 0 wherever y = 0, and the sharper the farther out

    start = {"x": [[1.5, 0.3], [-1.0, 0.3]]}
    plain = toy(ridge, start, learning_rate=0.03).steps(200)
    settled = np.asarray(plain.state.params["x"])
    penalty = {"hessian_samples": 4, "hessian_penalty": 0.05, "hessian_step": 0.1}
    flat = toy(ridge, start, learning_rate=0.03, **penalty).steps(200)
    assert (np.abs(settled[:, 0]) > 0.5).all(), "any maximum is as good as another"
    np.testing.assert_allclose(settled[:, 1], 0.0, atol=0.01)
    np.testing.assert_allclose(flat.state.params["x"], 0.0, atol=0.05)
