"""The ramps inside a chunk: limits at every bar, losses, ends, gradients, and the figures of the published form."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pool_reference as reference
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pool_support import (
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
from quantsim.pools.steered.interpolation import bar_weights, optimal_ramp
from quantsim.pools.steered.weights import Ramps, Steering

MINIMUM = 1e-3
WEIGHTS = jax.jit(bar_weights, static_argnums=(1, 2))


@functools.cache
def setup_of(interpolation: str, n_tokens: int, ramp_bars: int, maximum_change: float = 1.0) -> Steering:
    experiment = make_experiment("momentum", n_tokens, HALF_HOURS, update={"interpolation": interpolation})
    return dataclasses.replace(
        steering_of(experiment),
        chunk_bars=ramp_bars + 1,
        ramp_bars=ramp_bars,
        maximum_change=maximum_change,
        minimum_weight=MINIMUM,
    )


@pytest.mark.parametrize(
    ("interpolation", "loss_of_2_bars", "loss_of_48_bars"),
    [("linear", 4.174e-2, 1.7641e-3), ("published_optimal", 4.277e-2, 1.7707e-3), ("optimal", 4.173e-2, 1.7630e-3)],
)
def test_losses_of_a_ramp_from_a_half_to_three_tenths(
    interpolation: str, loss_of_2_bars: float, loss_of_48_bars: float
) -> None:
    start, end = np.array([[0.5, 0.5]]), np.array([[0.3, 0.7]])
    for ramp_bars, wanted, digit in ((2, loss_of_2_bars, 1e-5), (48, loss_of_48_bars, 1e-7)):
        ramps = Ramps(jnp.asarray(start), jnp.asarray((end - start) / ramp_bars))
        weights = WEIGHTS(ramps, ramp_bars + 1, setup_of(interpolation, 2, ramp_bars))
        np.testing.assert_allclose(weights[-1], end[0], rtol=1e-14)
        assert reference.loss_of(np.asarray(weights)) == pytest.approx(wanted, abs=0.5 * digit)


@functools.partial(jax.jit, static_argnums=0)
def curved(setup: Steering, start: jax.Array, step: jax.Array, upper: jax.Array) -> jax.Array:
    """(M, I+1, n): ramps, each with upper bounds of its own."""
    return jax.vmap(lambda *ramp: optimal_ramp(Ramps(ramp[0][None], ramp[1][None], ramp[2]), setup)[0])(
        start, step, upper
    )


def drawn_ramps(
    generator: np.random.Generator, setup: Steering, n_ramps: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts, steps and upper bounds of ramps that keep all limits where they are linear; many just so."""
    n = setup.n_tokens
    shares = generator.dirichlet(np.full(n, 10.0 ** generator.uniform(-0.5, 1.5)), (2, n_ramps))
    start, end = MINIMUM + (1 - n * MINIMUM) * shares
    still = generator.random((n_ramps, n)) < 0.3  # tokens that stand while others move, as one at its bound does
    still[:, :2] = False
    moving = np.where(still, 0.0, end)
    rest = 1.0 - np.where(still, start, 0.0).sum(axis=1, keepdims=True)
    end = np.where(still, start, moving * rest / moving.sum(axis=1, keepdims=True))
    largest = setup.ramp_bars * setup.maximum_change / np.abs(end - start).max(axis=1, keepdims=True)
    step = (end - start) / setup.ramp_bars * np.minimum(largest * generator.choice([0.3, 0.9, 1.0], (n_ramps, 1)), 1.0)
    highest = np.maximum(start, start + setup.ramp_bars * step)
    upper = np.where(generator.random((n_ramps, n)) < 0.5, highest, 1.0)
    return start, step, upper


@pytest.mark.parametrize(
    ("n_tokens", "ramp_bars", "maximum_change"),
    [(2, 1, 1.0), (2, 2, 1.0), (3, 3, 0.1), (4, 2, 1.0), (4, 7, 0.02), (5, 24, 1.0), (6, 60, 3e-3)],
)
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_limit_holds_at_every_bar(n_tokens: int, ramp_bars: int, maximum_change: float, seed: int) -> None:
    setup = setup_of("optimal", n_tokens, ramp_bars, maximum_change)
    start, step, upper = drawn_ramps(np.random.default_rng(seed), setup, 64)
    end = start + ramp_bars * step
    found = np.asarray(curved(setup, start, step, upper))
    np.testing.assert_allclose(found.sum(axis=-1), 1.0, atol=1e-13)
    np.testing.assert_allclose(found[:, 0], start, rtol=1e-13)
    np.testing.assert_allclose(found[:, -1], end, rtol=1e-13)
    assert (found >= np.minimum(start, end)[:, None] * (1 - 1e-12)).all(), "so every lower bound holds"
    assert (found <= upper[:, None] * (1 + 1e-12)).all()
    assert np.abs(np.diff(found, axis=1)).max() <= maximum_change * (1 + 1e-9) + 1e-15
    for path, first, last, most in zip(found[:8], start, end, upper, strict=False):
        linear = reference.ramp_of("linear", first, last, ramp_bars, maximum_change)
        assert reference.loss_of(path) <= reference.loss_of(linear) * (1 + 1e-8) + 1e-18
        wanted = reference.ramp_of("optimal", first, last, ramp_bars, maximum_change, most)
        np.testing.assert_allclose(path, wanted, rtol=0, atol=1e-9)


def test_a_ramp_bends_as_far_as_its_limits_allow() -> None:
    """Free, close to the speed limit, at it, and beside a token that stands at its upper bound."""
    start = np.array([[0.5, 0.3, 0.2]] * 4)
    step = np.array([-0.025, 0.025, 0.0]) * np.array([[0.3], [0.495], [0.5], [0.3]])
    upper = np.array([[1.0, 1.0, 1.0]] * 3 + [[1.0, 1.0, 0.2]])
    linear = start[:, None] + np.arange(9)[:, None] * step[:, None]
    free, held = (
        np.asarray(curved(setup_of("optimal", 3, 8, limit), start, step, most)) - linear
        for limit, most in ((1.0, np.ones((4, 3))), (0.0125, upper))
    )
    largest = np.abs(free).max(axis=(1, 2))
    assert (largest > 1e-4).all()
    share = np.abs(held).max(axis=(1, 2)) / largest
    assert share[0] == 1.0
    assert 0.1 < share[1] < 0.9
    np.testing.assert_allclose(held, share[:, None, None] * free, atol=1e-12)
    np.testing.assert_allclose(share[2:], 0.0, atol=1e-9)


def test_a_ramp_that_would_lose_more_than_the_linear_one_is_linear() -> None:
    start, end = np.array([0.75, 0.11, 0.04, 0.10]), np.array([0.003, 0.596, 0.039, 0.362])
    mean = 0.25 * (start + end) + 0.5 * np.sqrt(start * end)
    bent = np.array([start, mean / mean.sum(), end])
    linear = reference.ramp_of("linear", start, end, 2, 1.0)
    assert reference.loss_of(bent) > 1.01 * reference.loss_of(linear)
    found = curved(setup_of("optimal", 4, 2), start[None], (end - start)[None] / 2, np.ones((1, 4)))
    np.testing.assert_allclose(found[0], linear, rtol=1e-14)


@pytest.mark.parametrize("straight_through", [(), ("maximum_change", "weight_bounds")])
def test_derivatives_of_a_ramp_are_those_of_finite_differences(straight_through: tuple[str, ...]) -> None:
    """Free, close to the speed limit, and under an upper bound that is near: all of it moves with start and step."""
    setup = dataclasses.replace(setup_of("optimal", 3, 8, 0.0127), straight_through=straight_through)
    start = np.array([[0.5, 0.3, 0.2]] * 3)
    step = np.array([[-0.004, 0.005, -0.001], [-0.0125, 0.0121, 0.0004], [-0.01, 0.01, 0.0]])
    upper = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 0.2002]])
    mix = np.random.default_rng(0).standard_normal((3, 9, 3))

    def total(start: jax.Array, step: jax.Array) -> jax.Array:
        return jnp.sum(mix * curved(setup, start, step, upper), axis=(1, 2))

    directions = np.array([[1e-6, -4e-7, -6e-7], [2e-6, 1e-6, -3e-6]])
    _, slope = jax.jvp(total, (start, step), (np.tile(directions[0], (3, 1)), np.tile(directions[1] / 8, (3, 1))))
    up, down = (total(start + sign * directions[0], step + sign * directions[1] / 8) for sign in (1.0, -1.0))
    agrees = np.isclose(slope, 0.5 * (up - down), rtol=1e-6, atol=0)
    assert agrees[0]
    assert agrees[1:].all() == (not straight_through), "what passes the limits takes them for constant"


def test_gradients_of_a_pool_with_curved_ramps_at_their_limits() -> None:
    experiment = make_experiment(
        "momentum",
        3,
        HALF_HOURS,
        pool={"maximum_weight": [0.5, 0.42, 0.44]},
        update={"interpolation": "optimal", "maximum_change_per_minute": 1.5e-4},
    )
    prices, params = random_prices(HALF_HOURS, 3, 3), random_params("momentum", HALF_HOURS, 3, 3, strength=2.0)
    weights = bar_by_bar(experiment, params, prices).weights
    assert (weights <= np.array([0.5, 0.42, 0.44]) * (1 + 1e-12)).all()
    assert np.isclose(weights, [0.5, 0.42, 0.44], rtol=1e-12).any(), "bounds are to bind"
    assert np.abs(np.diff(weights, axis=0)).max() == pytest.approx(30 * 1.5e-4, rel=1e-9), "so is the speed limit"
    evaluator = Evaluator(experiment, prices)
    coordinates = [(name, at) for name in ("log_k", "logit_lamb") for at in range(3)]
    found, slopes = along_coordinates(evaluator, stacked(evaluator, params), coordinates, 1e-5)
    np.testing.assert_allclose(found, slopes, rtol=1e-4, atol=1e-5 * np.abs(slopes).max())
