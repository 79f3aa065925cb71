"""Aggregation over periods: laws of every aggregate, and of softmin at low and high temperatures."""

from __future__ import annotations

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp, softmax

from quantsim.objective import aggregate

KINDS = ("mean", "sum", "min", "softmin", "quantile")
NUMBERS = st.lists(st.floats(-100.0, 100.0), min_size=5, max_size=5).map(np.array)
TEMPERATURES = st.floats(-6.0, 9.0).map(lambda power: 10.0**power)


@functools.partial(jax.jit, static_argnames="kind")
def _aggregate(values, kind, temperature=1.0, quantile=0.25):
    return aggregate(values, kind, temperature=temperature, quantile=quantile)


@jax.jit
def _softmin(values, temperature):
    """Value and gradient."""
    return jax.value_and_grad(functools.partial(aggregate, kind="softmin", temperature=temperature))(values)


@given(NUMBERS)
def test_plain_aggregates(values):
    for kind, expected in {"mean": values.mean(), "sum": values.sum(), "min": values.min()}.items():
        assert float(_aggregate(values, kind)) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@given(NUMBERS, st.floats(0.0, 1.0))
def test_quantile_is_numpy_s(values, quantile):
    found = float(_aggregate(values, "quantile", quantile=quantile))
    assert found == pytest.approx(np.quantile(values, quantile), rel=1e-12, abs=1e-12)


@given(NUMBERS, st.floats(-3.0, 6.0).map(lambda power: 10.0**power))
def test_softmin_is_the_formula(values, temperature):
    expected = -temperature * (logsumexp(-values / temperature) - math.log(values.size))
    # The plain form loses what the temperature exceeds the values by.
    assert float(_softmin(values, temperature)[0]) == pytest.approx(
        expected, rel=1e-12, abs=1e-13 * (100 + temperature)
    )


@given(NUMBERS)
def test_softmin_is_between_minimum_and_mean_by_temperature(values):
    low, high, rounding = 1e-9, 1e9, 1e-12 * np.ptp(values) + 1e-13
    # Softmin exceeds the minimum by τ log of the periods at most, and falls short of the mean by var/(2 τ), to first order.
    assert values.min() - rounding <= float(_softmin(values, low)[0]) <= values.min() + low * math.log(5) + rounding
    expected = values.mean() - values.var() / (2 * high)
    assert float(_softmin(values, high)[0]) == pytest.approx(expected, rel=1e-15, abs=rounding)


@given(NUMBERS, TEMPERATURES, TEMPERATURES)
def test_softmin_grows_with_its_temperature_between_minimum_and_mean(values, one, other):
    colder, warmer = sorted((one, other))
    rounding = 1e-13 * (1.0 + np.abs(values).max())
    steps = [values.min(), float(_softmin(values, colder)[0]), float(_softmin(values, warmer)[0]), values.mean()]
    assert all(before <= after + rounding for before, after in itertools.pairwise(steps))


@given(NUMBERS, st.floats(-1e3, 1e3), st.one_of(TEMPERATURES, st.just(1e9)))
def test_softmin_moves_with_its_values(values, shift, temperature):
    moved, still = float(_softmin(values + shift, temperature)[0]), float(_softmin(values, temperature)[0])
    assert moved == pytest.approx(still + shift, rel=1e-9, abs=1e-9)


def test_differences_survive_a_temperature_far_above_them():
    values = np.array([1.0, 2.0, 4.0])
    exact = values.mean() - values.var() / 2e9  # what follows is 1e-18
    assert float(_softmin(values, 1e9)[0]) - values.mean() == pytest.approx(exact - values.mean(), rel=1e-6)


@given(NUMBERS, TEMPERATURES)
def test_gradient_of_softmin_is_softmax(values, temperature):
    gradient = np.asarray(_softmin(values, temperature)[1])
    assert gradient.sum() == pytest.approx(1.0, abs=1e-12)
    # Values of 100 over a temperature of 1e-6 are known to 1e-8 of their unit, the exponent's own.
    np.testing.assert_allclose(gradient, softmax(-values / temperature), rtol=0, atol=1e-12 + 1e-13 / temperature)


@pytest.mark.parametrize("temperature", [1e-3, 1.0, 1e3])
def test_values_far_apart_do_not_overflow(temperature):
    value, gradient = _softmin(np.array([-1e6, 0.0, 1e6]), temperature)
    assert float(value) == pytest.approx(-1e6 + temperature * math.log(3.0), rel=1e-12)
    np.testing.assert_allclose(gradient, [1.0, 0.0, 0.0], atol=1e-300)


@pytest.mark.parametrize("kind", KINDS)
def test_nan_makes_the_result_nan(kind):
    assert np.isnan(_aggregate(np.array([1.0, np.nan, -1.0, 2.0, 3.0]), kind))


@pytest.mark.parametrize("kind", KINDS)
def test_equal_values_aggregate_to_their_value(kind):
    found, gradient = jax.value_and_grad(functools.partial(aggregate, kind=kind))(jnp.full(5, 0.7))
    factor = 5.0 if kind == "sum" else 1.0
    assert float(found) == pytest.approx(0.7 * factor, rel=1e-15)
    assert float(gradient.sum()) == pytest.approx(factor, rel=1e-12)


def test_order_of_periods_does_not_matter():
    values = np.array([0.3, -1.0, 2.0, 0.1, 0.3])
    for kind in KINDS:
        assert float(_aggregate(values[::-1], kind)) == pytest.approx(float(_aggregate(values, kind)), rel=1e-14)


def test_a_period_without_any_loss_leaves_the_soft_minimum_to_the_others() -> None:
    values = jnp.asarray([1.0, jnp.inf, 2.0])
    found, gradient = jax.value_and_grad(lambda v: aggregate(v, "softmin", temperature=0.5))(values)
    wanted = -0.5 * np.log((np.exp(-2.0) + 0.0 + np.exp(-4.0)) / 3.0)
    assert found == pytest.approx(wanted, rel=1e-12)
    assert np.isfinite(gradient).all()
    assert gradient[1] == 0.0
