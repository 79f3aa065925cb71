"""Laws that hold for every pool: scale, order of tokens, numeraire, bounds, and the speed of the weights."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pool_support import (
    FEES,
    HALF_HOURS,
    SWAPPED,
    bar_by_bar,
    drawn_params,
    make_experiment,
    oracle_series,
    oracle_table,
    prices_of,
    random_prices,
)

from quantsim import Experiment, Prices
from quantsim.rules import get_rule
from quantsim.simulator.bar_path import BarPath

SEEDS = st.integers(0, 10_000)
N_TOKENS = 3
MINIMUM = 0.07
CHARGED = ["balancer", "momentum"]  # fees see weights and prices only: one rule that moves weights stands for all
CASES = [*((rule, "zero") for rule in SWAPPED), *((rule, "noise") for rule in CHARGED)]
MOVING = [name for name in SWAPPED if get_rule(name).outputs is not None]
FEW = settings(max_examples=8)


@functools.cache
def pool(rule: str, fees: str, initial_value: float = 1e6) -> Experiment:
    table: dict[str, Any] = {"initial_value_usd": initial_value, "minimum_weight": MINIMUM}
    return make_experiment(rule, N_TOKENS, HALF_HOURS, fees=FEES[fees], pool=table, **oracle_table(rule))


def path_of(experiment: Experiment, params: dict[str, Any], prices: Prices) -> BarPath:
    return bar_by_bar(experiment, params, prices, series=oracle_series(experiment.pool.rule, prices))


@pytest.mark.parametrize("rule", MOVING)
@FEW
@given(seed=SEEDS, strength=st.sampled_from([0.1, 3.0, 100.0]))
def test_weights_stay_on_the_simplex_within_bounds_and_below_the_speed_limit(
    rule: str, seed: int, strength: float
) -> None:
    experiment = pool(rule, "zero")
    params = drawn_params(experiment, seed, strength)
    weights = path_of(experiment, params, random_prices(HALF_HOURS, N_TOKENS, seed)).weights
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-12)
    assert (weights >= MINIMUM - 1e-12).all()
    assert (weights <= 1.0 - 2 * MINIMUM + 1e-12).all()
    fastest = experiment.update.maximum_change_per_minute * HALF_HOURS.bar_minutes
    assert np.abs(np.diff(weights, axis=0)).max() <= fastest * (1 + 1e-9)


@pytest.mark.parametrize(  # each initial value is a program
    ("rule", "fees", "factor"),
    [("balancer", "zero", 1e6), ("balancer", "noise", 1e-3), ("momentum", "zero", 1e-3), ("momentum", "noise", 1e6)],
)
@FEW
@given(seed=SEEDS)
def test_value_is_proportional_to_the_initial_value(rule: str, fees: str, factor: float, seed: int) -> None:
    """No rule reads the value of its pool."""
    prices, small, large = random_prices(HALF_HOURS, N_TOKENS, seed), pool(rule, fees), pool(rule, fees, factor * 1e6)
    params = drawn_params(small, seed)
    one, other = path_of(small, params, prices), path_of(large, params, prices)
    np.testing.assert_allclose(other.value, factor * one.value, rtol=1e-11)
    np.testing.assert_allclose(other.reserves, factor * one.reserves, rtol=1e-11)


@pytest.mark.parametrize(("rule", "fees"), [*CASES, ("momentum", "gas")])
@FEW
@given(seed=SEEDS, order=st.permutations(range(N_TOKENS)))
def test_permuting_the_tokens_permutes_the_result(rule: str, fees: str, seed: int, order: list[int]) -> None:
    prices, experiment = random_prices(HALF_HOURS, N_TOKENS, seed), pool(rule, fees)
    params = drawn_params(experiment, seed)
    permuted = {name: [values[at] for at in order] for name, values in params.items()}
    found = path_of(experiment, permuted, prices_of(HALF_HOURS, prices.prices[:, order], prices.tokens))
    wanted = path_of(experiment, params, prices)
    np.testing.assert_allclose(found.value, wanted.value, rtol=1e-10)
    np.testing.assert_allclose(found.weights, wanted.weights[:, order], rtol=1e-9)
    np.testing.assert_allclose(found.reserves, wanted.reserves[:, order], rtol=1e-9)


@pytest.mark.parametrize(("rule", "fees"), CASES)
@FEW
@given(seed=SEEDS, factor=st.sampled_from([1e-5, 0.9, 3e4]))
def test_the_unit_of_the_prices_does_not_matter(rule: str, fees: str, seed: int, factor: float) -> None:
    """Rules see proportional slopes and returns, and so does the arbitrageur."""
    prices, experiment = random_prices(HALF_HOURS, N_TOKENS, seed), pool(rule, fees)
    params = drawn_params(experiment, seed)
    found = path_of(experiment, params, prices_of(HALF_HOURS, factor * prices.prices))
    wanted = path_of(experiment, params, prices)
    np.testing.assert_allclose(found.value, wanted.value, rtol=1e-10)
    np.testing.assert_allclose(found.weights, wanted.weights, rtol=1e-9)


@pytest.mark.parametrize(("rule", "fees"), [("balancer", "zero"), ("balancer", "noise"), ("hodl", "zero")])
@FEW
@given(seed=SEEDS, token=st.integers(0, N_TOKENS - 1))
def test_a_constant_pool_beats_hodl_alike_in_any_numeraire(rule: str, fees: str, seed: int, token: int) -> None:
    """Quoted in one of its tokens, everything is worth less by one factor per bar; a rule's slopes would differ."""
    prices, experiment = random_prices(HALF_HOURS, N_TOKENS, seed), pool(rule, fees)
    params = drawn_params(experiment, seed)
    quoted = prices_of(HALF_HOURS, prices.prices / prices.prices[:, [token]])
    ratios = []
    for series in (prices, quoted):
        path = path_of(experiment, params, series)
        ratios.append(path.value / (path.prices @ path.reserves[0]))
    np.testing.assert_allclose(ratios[1], ratios[0], rtol=1e-10)
