"""The zero-fee closed form against the per-bar sum: value and gradient at every bar, on both sides of the series' switch."""

from __future__ import annotations

import dataclasses
import decimal
import functools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pool_support import Layout, make_experiment, ramps_of, random_params, random_prices

from quantsim import Evaluator
from quantsim.pools import PoolSetup
from quantsim.pools.market import Market, market
from quantsim.pools.steered.interpolation import bar_weights
from quantsim.pools.steered.weights import Ramps, Steering
from quantsim.pools.weighted import closed_form
from quantsim.pools.weighted.closed_form import log_values_at, series_terms
from quantsim.pools.weighted.zero_fee import bar_log_values
from quantsim.simulator.setup import pool_setup

# Chunks, ramps and windows in bars: whole and broken, ramps of the whole chunk, of a part, of one bar; windows that end
# inside a chunk, inside a ramp, and on a boundary. By name: layout, tokens, minimum weight, whether the series serves.
SHAPES: dict[str, tuple[Layout, int, float | None, bool]] = {
    "minute": (Layout(1, 60, 60, 70, 200, 0.05, 0.002), 2, None, True),
    "minute_short_ramp": (Layout(1, 48, 20, 70, 150, 0.05, 0.002), 3, None, True),
    "minute_ramp_of_one_bar": (Layout(1, 25, 1, 70, 101, 0.05, 0.002), 2, None, True),
    "minute_tiny_weights": (Layout(1, 40, 40, 70, 160, 0.05, 0.002), 5, 0.003, True),
    "half_hour": (Layout(30, 240, 240, 70, 85, 1.0, 0.01), 2, None, True),
    "half_hour_short_ramp": (Layout(30, 360, 150, 70, 100, 1.0, 0.01), 3, None, False),
    "hour_tiny_weights": (Layout(60, 600, 420, 70, 90, 2.0, 0.02), 5, 0.001, False),
}


def setup_of(shape: str) -> PoolSetup[Steering]:
    layout, n_tokens, minimum, _ = SHAPES[shape]
    experiment = make_experiment("momentum", n_tokens, layout, pool={"minimum_weight": minimum})
    return pool_setup(experiment, layout.bar_minutes)


@functools.cache
def program(shape: str) -> Callable[..., Any]:
    """Raw parameters and a start to both forms at every bar, and their Jacobians."""
    layout, setup = SHAPES[shape][0], setup_of(shape)
    bars = np.arange(layout.n_bars)

    def of(params: dict[str, jax.Array], data: Market, start: jax.Array, *, closed: bool) -> jax.Array:
        ramps = ramps_of(setup, params, data, start, layout.n_bars)
        if closed:
            return log_values_at(ramps, data, start, bars, setup.own)
        log_prices = jax.lax.dynamic_slice_in_dim(data.log_prices, start, layout.n_bars)
        return bar_log_values(bar_weights(ramps, layout.n_bars, setup.own), log_prices)

    @jax.jit
    def both(params: dict[str, jax.Array], data: Market, start: jax.Array) -> Any:
        def twice(params: dict[str, jax.Array], closed: bool) -> tuple[jax.Array, jax.Array]:
            return (values := of(params, data, start, closed=closed)), values

        return [jax.jacrev(twice, has_aux=True)(params, closed)[::-1] for closed in (True, False)]

    return both


@functools.partial(jax.jit, static_argnums=(0, 1))
def sampled(bars: tuple[int, ...], steering: Steering, ramps: Ramps, data: Market, start: int) -> jax.Array:
    return log_values_at(ramps, data, start, np.array(bars), steering)


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_lie_on_the_side_of_the_switch_they_are_meant_for(shape: str) -> None:
    assert (series_terms(setup_of(shape).own) is not None) == SHAPES[shape][3]


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=25)
@example(seed=0, start=0, strength=1e-30)  # steps of exactly zero: what the rule says is lost beside the weights
@example(seed=1, start=70, strength=1e3)  # always at the speed limit, or at a guardrail
@given(
    seed=st.integers(0, 2**32 - 1),
    start=st.integers(0, 70),
    strength=st.sampled_from([1e-30, 1e-12, 1e-3, 0.1, 1.0, 10.0, 1e3]),
)
def test_value_and_gradient_at_every_bar(shape: str, seed: int, start: int, strength: float) -> None:
    layout, n_tokens, minimum, _ = SHAPES[shape]
    experiment = make_experiment("momentum", n_tokens, layout, pool={"minimum_weight": minimum})
    raw = experiment.initial_parameters(random_params("momentum", layout, n_tokens, seed, strength))
    data = market(random_prices(layout, n_tokens, seed).prices)
    (closed, closed_grad), (plain, plain_grad) = program(shape)(raw, data, start)
    np.testing.assert_allclose(closed, plain, rtol=1e-12, atol=1e-13)
    for name, wanted in plain_grad.items():
        assert np.isfinite(closed_grad[name]).all(), name
        # At a guardrail and at the speed limit nothing moves, and both gradients are zero but for rounding.
        allowed = 1e-12 * np.abs(wanted).max() + 1e-15
        np.testing.assert_allclose(closed_grad[name], wanted, rtol=0, atol=allowed, err_msg=name)


def test_constant_prices_and_steps_of_exactly_zero() -> None:
    for shape in ("minute", "half_hour"):
        layout, n_tokens, _, _ = SHAPES[shape]
        data = market(np.broadcast_to(np.arange(1.0, n_tokens + 1), (layout.total, n_tokens)).copy())
        raw = make_experiment("momentum", n_tokens, layout).initial_parameters({"k_per_day": 500.0})
        (closed, gradient), _ = program(shape)(raw, data, 13)
        np.testing.assert_array_equal(closed, 0.0)
        for name, part in gradient.items():
            np.testing.assert_array_equal(part, 0.0, err_msg=name)


def test_the_gradient_with_respect_to_prices() -> None:
    """Prices of subsidiary pools depend on parameters."""
    layout, setup = SHAPES["minute_short_ramp"][0], setup_of("minute_short_ramp").own
    data = market(random_prices(layout, 3, 3).prices)
    ramps = _steepest_ramps(setup, -(-layout.n_bars // setup.chunk_bars))
    bars = np.array([0, 30, 100, layout.n_bars - 1])

    def of(log_prices: jax.Array, *, closed: bool) -> jax.Array:
        seen = data._replace(log_prices=log_prices, summed=jnp.cumsum(log_prices, axis=0))
        if closed:
            return log_values_at(ramps, seen, 0, bars, setup)
        weights = bar_weights(ramps, layout.n_bars, setup)
        return bar_log_values(weights, log_prices[: layout.n_bars])[bars]

    @jax.jit
    def pullbacks(log_prices: jax.Array, seen: jax.Array) -> list[jax.Array]:
        return [jax.vjp(functools.partial(of, closed=closed), log_prices)[1](seen)[0] for closed in (True, False)]

    written, plain = pullbacks(data.log_prices, np.array([1.0, -2.0, 0.5, 1.0]))
    assert np.abs(plain).max() > 0.1
    np.testing.assert_allclose(written, plain, rtol=0, atol=1e-12)


def _threshold(setup: Steering) -> tuple[Steering, Steering]:
    """The fastest weights that the series still serves, and slightly faster ones that it does not."""
    low, high = 1e-6, setup.minimum_weight
    while high / low > 1 + 1e-9:
        middle = (low * high) ** 0.5
        if series_terms(dataclasses.replace(setup, maximum_change=middle)) is None:
            high = middle
        else:
            low = middle
    return dataclasses.replace(setup, maximum_change=low), dataclasses.replace(setup, maximum_change=high)


def test_both_sides_agree_at_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Just below it the series and the direct sum are both there: force each, on ramps at the speed limit and the floor."""
    setup, beyond = _threshold(setup_of("half_hour_short_ramp").own)
    assert series_terms(setup) is not None
    assert series_terms(beyond) is None
    layout = SHAPES["half_hour_short_ramp"][0]
    data = market(random_prices(layout, 3, 3).prices)
    n_chunks = -(-layout.n_bars // setup.chunk_bars)
    ramps, bars = _steepest_ramps(setup, n_chunks), tuple(range(layout.n_bars))
    wanted = bar_log_values(bar_weights(ramps, layout.n_bars, setup), data.log_prices[: layout.n_bars])
    series = sampled(bars, setup, ramps, data, 0)
    monkeypatch.setattr(closed_form, "series_terms", lambda _: None)
    jax.clear_caches()
    direct = sampled(bars, setup, ramps, data, 0)
    np.testing.assert_allclose(series, wanted, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(direct, wanted, rtol=1e-12, atol=1e-14)
    assert (np.asarray(series) != np.asarray(direct)).any(), "the two must not be the same program"


def _steepest_ramps(setup: Steering, n_chunks: int) -> Ramps:
    """Down to the guardrail as fast as is allowed, and up again, chunk by chunk."""
    length, n = setup.ramp_bars, setup.n_tokens
    down = np.full(n, -setup.maximum_change)
    down[0] = -down[1:].sum()
    down *= setup.maximum_change / np.abs(down).max()
    floor = np.full(n, setup.minimum_weight)
    floor[0] = 1.0 - floor[1:].sum()
    starts = [floor - length * down if chunk % 2 == 0 else floor for chunk in range(n_chunks)]
    steps = [down if chunk % 2 == 0 else -down for chunk in range(n_chunks)]
    return Ramps(jnp.asarray(starts), jnp.asarray(steps))


@pytest.mark.parametrize("n_tokens", [2, 5])
@pytest.mark.parametrize("maximum_change", [1e-9, 1e-6, 3e-5, 3e-4, 1e-3, 2e-3, None], ids=lambda c: c or "switch")
def test_the_series_keeps_its_bound(maximum_change: float | None, n_tokens: int) -> None:
    """In 60 digits, on the steepest ramp down to the guardrail: the truncated series is as exact as it is said to be."""
    setup = dataclasses.replace(setup_of("minute").own, n_tokens=n_tokens, minimum_weight=0.1 / n_tokens, ramp_bars=30)
    fastest = _threshold(setup)[0].maximum_change if maximum_change is None else maximum_change
    setup = dataclasses.replace(setup, maximum_change=fastest)
    terms = series_terms(setup)
    assert terms is not None
    ramps = _steepest_ramps(setup, 2)
    with decimal.localcontext(prec=60):
        for chunk in range(2):
            start = [Decimal(float(weight)) for weight in ramps.start[chunk]]
            step = [Decimal(float(change)) for change in ramps.step[chunk]]
            start[0], step[0] = 1 - sum(start[1:]), -sum(step[1:])
            exact = _loss_by_bars(start, step, setup.ramp_bars)
            error = abs(_loss_by_series(start, step, setup.ramp_bars, terms) - exact)
            assert error <= 1e-15


def _loss_by_bars(start: list[Decimal], step: list[Decimal], length: int) -> Decimal:
    total = Decimal(0)
    for weight, change in zip(start, step, strict=True):
        for bar in range(length):
            after = weight + (bar + 1) * change
            total += after * (after / (weight + bar * change)).ln()
    return total


def _loss_by_series(start: list[Decimal], step: list[Decimal], length: int, terms: int) -> Decimal:
    # B_2 … B_16, from which the coefficients are made anew
    bernoulli = [(1, 6), (-1, 30), (1, 42), (-1, 30), (5, 66), (-691, 2730), (7, 6), (-3617, 510)]
    total = Decimal(0)
    for weight, change in zip(start, step, strict=True):
        end = weight + length * change
        total += change / 2 * (end / weight).ln()
        for k, (top, bottom) in enumerate(bernoulli[:terms], start=1):
            coefficient = Decimal(top) / (Decimal(bottom) * (2 * k) * (2 * k - 1))
            total -= coefficient * change ** (2 * k) * (end ** (1 - 2 * k) - weight ** (1 - 2 * k))
    return total


def test_sampling_grids_are_the_same_values() -> None:
    """Daily values, window ends, a single bar: any grid gives what the full one gives there."""
    setup, layout = setup_of("minute_short_ramp").own, SHAPES["minute_short_ramp"][0]
    data = market(random_prices(layout, 3, 8).prices)
    ramps = _steepest_ramps(setup, -(-layout.n_bars // setup.chunk_bars))
    everywhere = sampled(tuple(range(layout.n_bars)), setup, ramps, data, 17)
    for bars in ((0,), (layout.n_bars - 1,), (0, 48, 96), (5, 20, 47, 48, 49, 149)):
        chosen = sampled(bars, setup, ramps, data, 17)
        np.testing.assert_allclose(chosen, everywhere[np.array(bars)], rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("shape", ["minute_short_ramp", "half_hour"])
def test_the_evaluator_gives_the_same_on_both_paths(shape: str) -> None:
    layout, n_tokens, minimum, _ = SHAPES[shape]
    layout = dataclasses.replace(layout, n_bars=max(layout.n_bars, 3 * 1440 // layout.bar_minutes // 2))
    experiment = make_experiment("momentum", n_tokens, layout, pool={"minimum_weight": minimum})
    evaluator = Evaluator(experiment, random_prices(layout, n_tokens, 1))
    raw = experiment.initial_parameters(random_params("momentum", layout, n_tokens, 1))
    starts = [0, evaluator.setup.chunk_bars, 2 * evaluator.setup.chunk_bars]
    names = ("returns", "returns_over_hodl", "annualised_returns", "turnover", "fee_revenue_over_value")
    n_bars = evaluator.prices.n_bars - starts[-1]
    tables = [evaluator.evaluate_at(raw, starts, n_bars, names, path=path) for path in ("closed_form", "per_bar")]
    assert evaluator.planner.plan(starts, n_bars, names)[0].path.value == "closed_form"
    for name in names:
        np.testing.assert_allclose(tables[0][name], tables[1][name], rtol=1e-11, atol=1e-13, err_msg=name)
