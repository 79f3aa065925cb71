"""Ratios are bounded before they are combined, and their gradients stay finite without risk."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_metric_values import make_sample

from quantsim.metrics import SampleShape, bounded, compute, get_metric, metric_names
from quantsim.metrics.series import annualised, ratio

RATIOS = tuple(name for name in metric_names() if math.isfinite(get_metric(name).bound))
SHAPE = SampleShape(n_bars=124, bars_per_day=2)

RISING = np.arange(1.0, 125.0)
FALLS_ONCE = RISING.copy()
FALLS_ONCE[57] = FALLS_ONCE[56] * (1 - 1e-15)
PATHS = {
    "rising": RISING,
    "falling": RISING[::-1],
    "one loss of a rounding error": FALLS_ONCE,
    "doubling, so that nothing deviates": 2.0 ** np.arange(124.0),
    "halving": 0.5 ** np.arange(124.0),
    "still": np.full(124, 1e6),
    "steps": np.repeat(np.arange(1.0, 5.0), 31),
}


def test_ratios_are_bounded_and_nothing_else() -> None:
    assert set(RATIOS) == {name for name in metric_names() if "ratio" in get_metric(name).unit}
    for name in RATIOS:
        bound = get_metric(name).bound
        values = jnp.array([math.inf, -math.inf, math.nan, 0.99 * bound, -3.0, 2 * bound])
        np.testing.assert_array_equal(bounded(name, values), [bound, -bound, math.nan, 0.99 * bound, -3.0, bound])
    np.testing.assert_array_equal(bounded("returns", jnp.array([math.inf, 1e9])), [math.inf, 1e9])


@jax.jit
def bounded_and_gradients(values: jax.Array) -> tuple[jax.Array, jax.Array]:
    """All ratios of a path, (K,), and their gradients, (K, T)."""

    def ratios(path: jax.Array) -> jax.Array:
        found = compute(RATIOS, make_sample(path, SHAPE.bars_per_day), SHAPE)
        return jnp.stack([bounded(name, found[name]) for name in RATIOS])

    return ratios(values), jax.jacrev(ratios)(values)


@pytest.mark.parametrize("path", list(PATHS))
def test_values_and_gradients_stay_finite_without_risk(path: str) -> None:
    values, gradients = bounded_and_gradients(jnp.asarray(PATHS[path]))
    bounds = np.array([get_metric(name).bound for name in RATIOS])
    assert np.all(np.abs(values) <= bounds)
    assert np.all(np.isfinite(gradients))
    beyond = np.abs(values) == bounds
    assert not np.any(gradients[beyond])
    if path in ("rising", "doubling, so that nothing deviates"):
        assert beyond[RATIOS.index("daily_sortino")]
        assert beyond[RATIOS.index("calmar")]


def test_a_tiny_risk_counts_as_no_risk() -> None:
    for risk in (0.0, 1e-200, 5e-324):
        value, slope = jax.value_and_grad(lambda x: jnp.clip(ratio(1.0, x), -100.0, 100.0))(risk)
        assert (float(value), float(slope)) == (100.0, 0.0)
    assert math.isnan(ratio(jnp.array(1.0), jnp.array(math.nan)))
    assert math.isnan(ratio(jnp.array(math.nan), jnp.array(0.0)))


def test_annualising_overflows_to_infinity_with_zero_gradient() -> None:
    value, slope = jax.value_and_grad(annualised)(1.003, 262_800.0)
    assert (float(value), float(slope)) == (math.inf, 0.0)
    value, slope = jax.value_and_grad(annualised)(1.2, 61.0)
    assert float(value) == pytest.approx(1.2**61 - 1, rel=1e-13)
    assert float(slope) == pytest.approx(61 * 1.2**60, rel=1e-13)
    assert float(annualised(jnp.array(0.0), 365.0)) == -1.0
    assert math.isnan(annualised(jnp.array(math.nan), 365.0))
