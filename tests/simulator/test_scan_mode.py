"""Sequential and associative scans of every recursion compute the same."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pool_support import FEES, HALF_HOURS, Layout, make_experiment, ramps_of, random_params, random_prices, stacked

from quantsim import Evaluator
from quantsim.estimators import linear_recurrence
from quantsim.pools import PoolSetup
from quantsim.pools.market import Market
from quantsim.pools.steered.clip_maps import run_maps, speed_limited
from quantsim.pools.steered.weights import Bounds, Ramps, chunk_ramps
from quantsim.pools.weighted.fee_scan import matrix_recurrence
from quantsim.scan_mode import ScanMode, backend_scan_mode
from quantsim.simulator.setup import pool_setup

MODES: tuple[ScanMode, ...] = ("sequential", "associative")
ALL_MODES: tuple[ScanMode, ...] = (*MODES, "kernel")


SHORT = Layout(30, 240, 240, history=65, n_bars=50, max_memory_days=1.0, volatility=0.02)


def test_the_backend_chooses_and_the_choice_can_be_overridden() -> None:
    chosen = "kernel" if jax.default_backend() == "cpu" else "associative"
    assert backend_scan_mode() == chosen
    experiment, prices = make_experiment("momentum", 2, SHORT), random_prices(SHORT, 2, 5)
    with_fees = experiment.override(["fees.swap_fee=0.003"])
    assert Evaluator(with_fees, prices).setup.scan_mode == chosen
    without = "sequential" if chosen == "kernel" else chosen
    assert Evaluator(experiment, prices).setup.scan_mode == without, "numba takes long to import, and nothing uses it"
    assert [Evaluator(experiment, prices, scan_mode=mode).setup.scan_mode for mode in MODES] == list(MODES)


def test_every_pool_of_a_composite_has_the_mode() -> None:
    parts = {"inner": {"tokens": ["BTC", "ETH"], "rule": "momentum"}}
    experiment = make_experiment("balancer", 2, SHORT, pool={"tokens": ["BTC", "inner"]}, subsidiaries=parts)
    for mode in MODES:
        setup = pool_setup(experiment, SHORT.bar_minutes, mode)
        assert [part.setup.scan_mode for part in setup.subsidiaries] == [mode]


def _with_pull(run: Callable[..., Any], given: tuple[Any, ...], seen: Any) -> tuple[Any, tuple[Any, ...]]:
    """A value, and its gradient contracted with ``seen``."""
    value, pull = jax.vjp(run, *given)
    return value, pull(jax.tree.map(jnp.asarray, seen))


def test_linear_recurrences_agree() -> None:
    generator = np.random.default_rng(1)
    arguments = (generator.uniform(0, 1, 3), generator.standard_normal((101, 3)), generator.standard_normal(3))
    seen = generator.standard_normal((101, 3))
    found = []
    for mode in MODES:
        run = functools.partial(linear_recurrence, mode=mode)
        states, gradient = jax.jit(lambda *given, run=run: _with_pull(run, given, seen))(*arguments)
        found.append((states, *gradient))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


STEPS = 40
RUN = jax.jit(lambda outputs, start, low, high, limit: run_maps(speed_limited(outputs, start, low, high, limit), start))


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1))
def test_clip_maps_are_the_loop_from_anywhere_inside_or_outside_the_bounds(seed: int) -> None:
    generator = np.random.default_rng(seed)
    low, high = np.sort(generator.uniform(0.05, 0.95, 2))
    x = start = generator.uniform(0.0, 1.0)
    limit = float(10.0 ** generator.uniform(-3, 0))
    outputs = generator.standard_normal(STEPS) * 10.0 ** generator.uniform(-3, 0)
    path = []
    for output in outputs:
        x += np.clip(np.clip(x + output, low, high) - x, -limit, limit)
        path.append(x)
    np.testing.assert_allclose(RUN(outputs, start, low, high, limit), path, rtol=0, atol=1e-13)


CHUNKS, LIMIT, MINIMUM = 150, 0.02, 0.3
INITIAL = np.array([0.93, 0.07])  # outside the guardrail: the way back to it takes several steps
# The bounds of the second token are those that bind: from above through its lower one, from below through its upper one.
LIMITS = {"guardrail": None, "bounds of each token": ([0.1, 0.4], [0.9, 0.75])}
REACHED = {"guardrail": (0.3, 0.7), "bounds of each token": (0.25, 0.6)}


@pytest.mark.parametrize("limits", LIMITS)
def test_decisions_agree_where_both_limits_bind(limits: str) -> None:
    given = LIMITS[limits]
    bounds = None if given is None else Bounds(*map(jnp.asarray, given))
    experiment = make_experiment("momentum", 2, HALF_HOURS, pool={"minimum_weight": MINIMUM})
    generator = np.random.default_rng(4)
    drift = -0.03 * np.sin(np.linspace(0, 4 * np.pi, CHUNKS))
    outputs = jnp.asarray(drift + 0.012 * generator.standard_normal(CHUNKS))
    seen = Ramps(*jnp.asarray(generator.standard_normal((2, CHUNKS, 2))))

    def run(mode: ScanMode, outputs: jax.Array, bounds: Bounds | None) -> Ramps:
        setup = dataclasses.replace(pool_setup(experiment, 30, mode).own, ramp_bars=5, maximum_change=LIMIT / 5)
        ramps = chunk_ramps(jnp.stack([outputs, -outputs], axis=-1), jnp.asarray(INITIAL), CHUNKS, setup, bounds)
        return ramps._replace(upper=None)  # it is that of the bounds

    found = []
    for mode in MODES:
        of_mode = functools.partial(run, mode)
        found.append(jax.jit(lambda *given, run=of_mode: _with_pull(run, given, seen))(outputs, bounds))
    (ramps, gradient), (other, other_gradient) = found
    first = ramps.start[:, 0]
    at_low, at_high = (np.isclose(first, bound, rtol=0, atol=1e-13) for bound in REACHED[limits])
    too_fast = np.isclose(np.abs(ramps.step[:, 0]) * 5, LIMIT, rtol=1e-12, atol=0)
    free = ~(at_low | at_high | too_fast)
    assert min(at_low.sum(), at_high.sum(), too_fast.sum(), free.sum()) > 5
    for one, value in zip(other[:2], ramps[:2], strict=True):
        np.testing.assert_allclose(one, value, rtol=0, atol=1e-12)
    for one, slope in zip(jax.tree.leaves(other_gradient), jax.tree.leaves(gradient), strict=True):
        assert np.abs(slope).max() > 0
        np.testing.assert_allclose(one, slope, rtol=0, atol=1e-10 * np.abs(slope).max())


def test_matrix_recurrences_are_the_loop() -> None:
    generator = np.random.default_rng(2)
    matrices, added = generator.standard_normal((30, 3, 3)) / 2, generator.standard_normal((30, 3))
    state = last = generator.standard_normal(3)
    seen = []
    for matrix, more in zip(matrices[::-1], added[::-1], strict=True):
        seen.append(state)
        state = matrix @ state + more
    first, rest = jax.jit(matrix_recurrence)(matrices, added, last)
    np.testing.assert_allclose(first, state, rtol=1e-10)
    np.testing.assert_allclose(rest, seen[::-1], rtol=1e-10)


CASES = {"zero fee": ("zero", 2), "fees, noise traders": ("noise", 2), "three tokens, gas": ("gas", 3)}


@pytest.fixture(params=CASES)
def evaluators(request: pytest.FixtureRequest) -> list[Evaluator]:
    """One of each mode that the pool has."""
    fees, n_tokens = CASES[request.param]
    experiment = make_experiment("momentum", n_tokens, SHORT, fees=FEES[fees])
    prices = random_prices(SHORT, n_tokens, 5)
    modes = ALL_MODES if FEES[fees] else MODES  # kernels are for fees
    return [Evaluator(experiment, prices, scan_mode=mode) for mode in modes]


def test_values_and_gradients_agree(evaluators: list[Evaluator]) -> None:
    first, n_bars = evaluators[0].splits["train"]
    n_tokens = evaluators[0].setup.n_tokens
    sets = stacked(evaluators[0], random_params("momentum", SHORT, n_tokens, 3, strength=4.0))
    found = [evaluator.value_and_grad(sets, [first], n_bars, "returns") for evaluator in evaluators]
    (value, gradient), *others = found
    scale = max(np.abs(rows).max() for rows in gradient.values())
    assert scale > 0
    for other_value, other_gradient in others:
        np.testing.assert_allclose(1.0 + other_value, 1.0 + value, rtol=1e-12)
        for name, rows in gradient.items():
            np.testing.assert_allclose(other_gradient[name], rows, rtol=0, atol=1e-10 * scale)


OWN_RULES = """
import jax
import jax.numpy as jnp
from quantsim.parameters import common
from quantsim.rules import Output, Rule
from quantsim.rules.momentum import aggressiveness, slope_of

def changes(params, observed, settings):
    return aggressiveness(params, settings) * slope_of(params, observed.prices, settings)  # of any sum

def centred(params, observed, settings):
    found = changes(params, observed, settings)
    return found - found.mean(axis=-1, keepdims=True)

def weights(params, observed, settings):
    return jax.nn.softmax(changes(params, observed, settings), axis=-1)

parameters = (common.memory_days, common.alt_memory_days, common.k_per_day)
free = Rule("free", "changes of any sum", parameters, Output.CHANGE, changes)
even = Rule("even", "changes that sum to zero", parameters, Output.CHANGE, centred, sums_to_zero=True)
aims = Rule("aims", "weights", parameters, Output.WEIGHTS, weights)
"""


def _ramps(setup: PoolSetup[Any], raw: dict[str, jax.Array], market: Market, start: int) -> Ramps:
    return ramps_of(setup, raw, market, start, SHORT.n_bars)


@pytest.mark.parametrize("rule", ["free", "even", "aims", "ensemble"])
def test_rules_of_one_s_own_agree(rule: str, tmp_path: Path) -> None:
    """With two tokens, where decisions of some rules are an associative scan, and those of others must not be."""
    file = tmp_path / "mine.py"
    file.write_text(OWN_RULES)
    pool = {"rule": f"{file}:{rule}"}
    params = random_params("momentum", SHORT, 2, 3, strength=4.0)
    if rule == "ensemble":
        pool = {"rule": None, "ensemble": {"own": f"{file}:free", "plain": "momentum"}}
        params = {
            "initial_weights": params["initial_weights"],
            "own": {"memory_days": 0.3, "k_per_day": 20.0},
            "plain": {"memory_days": 0.5, "k_per_day": 10.0},
        }
    experiment = make_experiment("momentum", 2, SHORT, pool=pool)
    prices, found = random_prices(SHORT, 2, 5), []
    for mode in MODES:
        evaluator = Evaluator(experiment, prices, scan_mode=mode)
        raw, start = evaluator.arrays(experiment.initial_parameters(params)), evaluator.splits["train"][0]
        found.append(jax.jit(_ramps, static_argnums=(0, 3))(evaluator.setup, raw, evaluator.market, start))
    assert np.abs(found[0].step).max() > 1e-4
    for one, other in zip(jax.tree.leaves(found[0]), jax.tree.leaves(found[1]), strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-12)
