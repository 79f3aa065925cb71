"""Guardrails, speed limit and ramps: laws that hold for whatever a rule says."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pool_reference as reference
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pool_support import HALF_HOURS, make_experiment, steering_of

from quantsim.pools.steered.interpolation import bar_weights
from quantsim.pools.steered.weights import Ramps, Steering, chunk_ramps, guardrail, within_bounds

SEEDS = st.integers(0, 2**32 - 1)
CHUNKS = 12

guard = jax.jit(guardrail, static_argnums=1)


@functools.cache
def setup_of(n_tokens: int, minimum: float | None = None, interpolation: str = "linear") -> Steering:
    tables: dict[str, Any] = {"pool": {"minimum_weight": minimum}, "update": {"interpolation": interpolation}}
    setup = steering_of(make_experiment("momentum", n_tokens, HALF_HOURS, **tables))
    return dataclasses.replace(setup, ramp_bars=5)


@functools.partial(jax.jit, static_argnums=0)
def run(setup: Steering, outputs: jax.Array, initial: jax.Array) -> tuple[Ramps, jax.Array]:
    ramps = chunk_ramps(outputs, initial, CHUNKS, setup)
    return ramps, bar_weights(ramps, CHUNKS * setup.chunk_bars - 3, setup)


@pytest.mark.parametrize(("n_tokens", "minimum"), [(2, 0.05), (3, 0.3), (4, 0.025), (5, 0.19), (8, 0.01), (8, 0.1)])
@settings(max_examples=60)
@given(seed=SEEDS, reach=st.sampled_from([0.01, 0.3, 3.0, 1e6]))
def test_the_guardrail(n_tokens: int, minimum: float, seed: int, reach: float) -> None:
    generator = np.random.default_rng(seed)
    change = reach * generator.standard_normal(n_tokens)
    target = 1 / n_tokens + change - change.mean()
    found = np.asarray(guard(target, minimum))
    assert found.sum() == pytest.approx(1.0, abs=1e-14)
    assert (found >= minimum * (1 - 1e-12)).all()
    assert (found <= (1 - (n_tokens - 1) * minimum) * (1 + 1e-12)).all()
    np.testing.assert_allclose(found, reference.guarded(target, minimum), rtol=1e-12)
    np.testing.assert_allclose(guard(found, minimum), found, rtol=1e-12)
    if (target >= minimum).all():
        np.testing.assert_allclose(found, target, rtol=1e-9)


def test_a_token_that_rescaling_pushes_below_the_minimum() -> None:
    """One pass would leave the second token below its bound."""
    target, minimum = np.array([-0.3, 0.101, 0.2, 0.999]), 0.1
    found = np.asarray(guard(target, minimum))
    once = np.where(target > minimum, target * (1 - minimum) / target[1:].sum(), minimum)
    assert once[1] < minimum
    np.testing.assert_allclose(found[:2], minimum, rtol=1e-15)
    assert found.sum() == pytest.approx(1.0, abs=1e-15)


@jax.jit
def pullbacks(target: jax.Array, lower: jax.Array, upper: jax.Array, seen: jax.Array) -> list[tuple]:
    """Of the projection onto bounds as it is, and as its result says: these tokens are at a bound, and the rest is shared."""
    found = within_bounds(target, lower, upper)
    low, high = found <= lower * (1 + 1e-12), found >= upper * (1 - 1e-12)

    def plain(target: jax.Array, lower: jax.Array, upper: jax.Array) -> jax.Array:
        fixed = jnp.where(low, lower, jnp.where(high, upper, 0.0))
        free = jnp.where(low | high, 0.0, jnp.maximum(target, 1e-9))
        return fixed + free * (1 - jnp.sum(fixed)) / jnp.where(jnp.all(low | high), 1.0, jnp.sum(free))

    return [jax.vjp(function, target, lower, upper)[1](seen) for function in (within_bounds, plain)]


@settings(max_examples=60)
@given(seed=SEEDS, reach=st.sampled_from([0.05, 0.3, 3.0]))
def test_the_gradient_of_bounds_is_that_of_its_result(seed: int, reach: float) -> None:
    generator = np.random.default_rng(seed)
    lower, upper = generator.uniform(0.01, 0.15, 5), generator.uniform(0.25, 0.6, 5)
    change = reach * generator.standard_normal(5)
    written, automatic = pullbacks(0.2 + change - change.mean(), lower, upper, generator.standard_normal(5))
    for mine, wanted in zip(written, automatic, strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-11, atol=1e-11)


def test_the_gradient_where_the_guardrail_pins_one_token_after_another() -> None:
    target, minimum = jnp.array([-0.3, 0.101, 0.2, 0.999]), 0.1  # the first, then the second; the others share 0.8
    # The fourth stays at its largest, 0.7, so that all changes are those of the third: normalised, then of its share.
    third = np.array([0.0, 0.0, 1.0, 0.0])
    normalised = third - 0.2
    shared = 0.8 / 0.9 * (third - np.array([0.0, 0.0, 0.2, 0.7]) / 0.9)
    jacobian = np.outer(shared, normalised)
    np.testing.assert_allclose(jax.jit(jax.jacrev(guardrail))(target, minimum), jacobian, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("interpolation", ["linear", "optimal", "published_optimal"])
@pytest.mark.parametrize("n_tokens", [2, 4, 8])
@settings(max_examples=25)
@given(seed=SEEDS, reach=st.sampled_from([1e-4, 0.02, 0.3, 1e3]))
def test_weights_stay_within_all_their_bounds(n_tokens: int, interpolation: str, seed: int, reach: float) -> None:
    setup = setup_of(n_tokens, None, interpolation)
    generator = np.random.default_rng(seed)
    outputs = reach * generator.standard_normal((CHUNKS, n_tokens))
    outputs -= outputs.mean(axis=1, keepdims=True)
    initial = setup.minimum_weight + (1 - n_tokens * setup.minimum_weight) * generator.dirichlet(np.ones(n_tokens))
    ramps, weights = run(setup, outputs, initial)
    weights = np.asarray(weights)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-13)
    assert (weights >= setup.minimum_weight * (1 - 1e-11)).all()
    assert (weights <= 1 - (n_tokens - 1) * setup.minimum_weight + 1e-12).all()
    np.testing.assert_allclose(weights[: setup.chunk_bars], np.broadcast_to(initial, (8, n_tokens)), rtol=1e-14)
    assert np.abs(np.asarray(ramps.step)).max() <= setup.maximum_change * (1 + 1e-12)
    if interpolation != "published_optimal":
        assert np.abs(np.diff(weights, axis=0)).max() <= setup.maximum_change * (1 + 1e-9) + 1e-15
    for chunk in range(1, CHUNKS):
        reached = np.asarray(ramps.start[chunk - 1] + setup.ramp_bars * ramps.step[chunk - 1])
        np.testing.assert_allclose(ramps.start[chunk], reached, rtol=1e-12)
        first = weights[chunk * setup.chunk_bars :]
        np.testing.assert_allclose(first[0], ramps.start[chunk], rtol=1e-12)  # the ramp begins at the decision
        held = first[setup.ramp_bars : setup.chunk_bars]
        end = np.asarray(ramps.start[chunk] + setup.ramp_bars * ramps.step[chunk])
        np.testing.assert_allclose(held, np.broadcast_to(end, held.shape), rtol=1e-12)


def test_no_gradient_flows_into_the_initial_weights() -> None:
    setup = setup_of(3)
    outputs = 0.01 * np.random.default_rng(0).standard_normal((CHUNKS, 3))
    gradient = jax.grad(lambda initial: jnp.sum(run(setup, outputs, initial)[1] ** 2))(jnp.array([0.2, 0.3, 0.5]))
    np.testing.assert_array_equal(gradient, 0.0)


# Where the weights start, against their minimum: on it, with all others free; and where there is no room at all.
@pytest.mark.parametrize(
    ("n_tokens", "minimum", "initial"),
    [
        (2, 0.05, [0.05, 0.95]),
        (3, 0.1, [0.1, 0.1, 0.8]),
        (4, 0.1, [0.1, 0.3, 0.3, 0.3]),
        (2, 0.5, [0.5, 0.5]),
        (4, 0.25, [0.25, 0.25, 0.25, 0.25]),
    ],
)
@pytest.mark.parametrize("reach", [0.0, 0.01, 10.0])
def test_gradients_are_finite_at_the_bounds(n_tokens: int, minimum: float, initial: list[float], reach: float) -> None:
    setup = setup_of(n_tokens, minimum)
    outputs = reach * np.random.default_rng(1).standard_normal((CHUNKS, n_tokens))
    outputs -= outputs.mean(axis=1, keepdims=True)
    mix = np.random.default_rng(2).standard_normal((CHUNKS * setup.chunk_bars - 3, n_tokens))

    def objective(outputs: jax.Array) -> jax.Array:
        return jnp.sum(mix * run(setup, outputs, jnp.asarray(initial))[1])

    value, gradient = jax.value_and_grad(objective)(jnp.asarray(outputs))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_a_rule_without_outputs_never_moves() -> None:
    setup = dataclasses.replace(setup_of(3), rule=make_experiment("balancer", 3, HALF_HOURS).rule)
    ramps = chunk_ramps(None, jnp.array([0.2, 0.3, 0.5]), 4, setup)
    weights = bar_weights(ramps, 30, setup)
    np.testing.assert_array_equal(weights, np.broadcast_to([0.2, 0.3, 0.5], (30, 3)))
