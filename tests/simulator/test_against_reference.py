"""Rules, fees, numbers of tokens and bar lengths: every bar equals the plain loops of ``reference.py``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pool_reference as reference
import pytest
from pool_support import (
    FEES,
    HALF_HOURS,
    MINUTES,
    Layout,
    bar_by_bar,
    expected,
    make_experiment,
    prices_of,
    random_params,
    random_prices,
)

from quantsim import simulate
from quantsim.simulator.bar_path import BarPath

CLOSE = 1e-10


def assert_same(path: BarPath, wanted: reference.Run) -> None:
    np.testing.assert_allclose(path.weights, wanted.weights, rtol=CLOSE)
    np.testing.assert_allclose(path.reserves, wanted.reserves, rtol=CLOSE)
    np.testing.assert_allclose(path.value, wanted.value, rtol=CLOSE)
    np.testing.assert_allclose(path.fee_revenue, wanted.fee_revenue, rtol=1e-9, atol=1e-9)


# Anti-momentum moves its weights the other way; a pool that holds never trades.
CASES = [
    *(("momentum", fees, n_tokens) for fees in FEES for n_tokens in (2, 3, 5)),
    *(("balancer", fees, n_tokens) for fees in FEES for n_tokens in (2, 3)),
    *(("anti_momentum", fees, n_tokens) for fees, n_tokens in (("zero", 2), ("zero", 3), ("noise", 5))),
    ("hodl", "zero", 3),
]


@pytest.mark.parametrize(("rule", "fees", "n_tokens"), CASES)
def test_matrix(rule: str, fees: str, n_tokens: int) -> None:
    check(HALF_HOURS, rule, fees, n_tokens)


@pytest.mark.parametrize("fees", FEES)
def test_minute_bars_and_a_ramp_shorter_than_its_chunk(fees: str) -> None:
    check(MINUTES, "momentum", fees, n_tokens=3)


def check(grid: Layout, rule: str, fees: str, n_tokens: int) -> None:
    experiment = make_experiment(rule, n_tokens, grid, fees=FEES[fees])
    for seed in range(3):
        prices = random_prices(grid, n_tokens, seed)
        params = random_params(rule, grid, n_tokens, seed, strength=(1.0, 0.02, 10.0)[seed])
        wanted = expected(experiment, params, prices)
        assert_same(bar_by_bar(experiment, params, prices), wanted)
        if fees != "zero" and rule != "hodl":
            traded = [profit for profit in wanted.profits if profit]
            assert 3 < len(traded) < len(wanted.profits), "the case is to show both trades and refusals"


VARIANTS: dict[str, dict[str, Any]] = {
    "alt_memory": {"update": {"use_alt_lamb": True}},
    "optimal_ramp": {"update": {"interpolation": "optimal"}},
    "optimal_ramp_fees": {"update": {"interpolation": "optimal"}, "fees": FEES["gas"]},
    "optimal_ramp_at_its_limits": {
        "update": {"interpolation": "optimal", "maximum_change_per_minute": 1e-4},
        "pool": {"minimum_weight": 0.18},
    },
    "published_ramp": {"update": {"interpolation": "published_optimal"}, "fees": FEES["gas"]},
    "visits_every_7_bars": {"pool": {"arb_frequency": 7}},
    "visits_every_7_bars_fees": {"pool": {"arb_frequency": 7}, "fees": FEES["fee"]},
    "never_visited": {"pool": {"do_arb": False}},
    "tight_guardrails": {"pool": {"minimum_weight": 0.18}},
    "slow_weights": {"update": {"maximum_change_per_minute": 2e-5}, "fees": FEES["noise"]},
    "everything": {
        "fees": {
            "swap_fee": 0.01,
            "arb_fee": 0.002,
            "gas_cost_usd": 2.0,
            "noise_trader_ratio": 0.7,
            "protocol_fee_split": 0.3,
        }
    },
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants(variant: str) -> None:
    tables, n_tokens = VARIANTS[variant], 4
    experiment = make_experiment("momentum", n_tokens, HALF_HOURS, **tables)
    for seed in range(3):
        prices = random_prices(HALF_HOURS, n_tokens, seed)
        params = random_params("momentum", HALF_HOURS, n_tokens, seed)
        if variant == "alt_memory":
            params["alt_memory_days"] = 0.3 + 0.4 * np.arange(n_tokens)
        if "minimum_weight" in tables.get("pool", {}):
            params["initial_weights"] = 1 / n_tokens
        assert_same(bar_by_bar(experiment, params, prices), expected(experiment, params, prices))


def test_simulate_shows_the_same_path() -> None:
    experiment = make_experiment("momentum", 3, HALF_HOURS, fees=FEES["gas"])
    prices, params = random_prices(HALF_HOURS, 3, 5), random_params("momentum", HALF_HOURS, 3, 5)
    result, wanted = simulate(experiment, params, prices), expected(experiment, params, prices)
    path = BarPath(result.value, result.reserves, result.weights, result.prices, np.asarray(result.fee_revenue))
    assert_same(path, wanted)
    hodl = (wanted.reserves[0] * prices.prices[-1]).sum()
    assert result.metrics["returns"] == pytest.approx(wanted.value[-1] / wanted.value[0] - 1, rel=1e-10)
    assert result.metrics["returns_over_hodl"] == pytest.approx(wanted.value[-1] / hodl - 1, rel=1e-9)
    assert result.fees is not None
    assert result.fees.shape == result.value.shape
    assert result.fees.sum() == pytest.approx(result.fee_revenue, rel=1e-9)
    assert result.metrics["fee_revenue_over_value"] == pytest.approx(wanted.fee_revenue / wanted.value[0], rel=1e-9)
    turnover = -0.5 * np.abs(np.diff(wanted.weights, axis=0)).sum() / (HALF_HOURS.n_bars / 48)
    assert result.metrics["turnover"] == pytest.approx(turnover, rel=1e-10)


@pytest.mark.parametrize("fees", ["zero", "noise"])
def test_value_is_linear_in_the_initial_value(fees: str) -> None:
    prices, params = random_prices(HALF_HOURS, 3, 1), random_params("momentum", HALF_HOURS, 3, 1)

    def of(initial: float) -> BarPath:
        pool = {"initial_value_usd": initial}
        return bar_by_bar(make_experiment("momentum", 3, HALF_HOURS, fees=FEES[fees], pool=pool), params, prices)

    small, large = of(1e6), of(3e9)
    np.testing.assert_allclose(large.value, 3e3 * small.value, rtol=1e-12)
    np.testing.assert_allclose(large.reserves, 3e3 * small.reserves, rtol=1e-12)
    np.testing.assert_array_equal(large.weights, small.weights)


def test_gas_matters_less_to_a_larger_pool() -> None:
    prices, params = random_prices(HALF_HOURS, 3, 1), random_params("momentum", HALF_HOURS, 3, 1)

    def trades(initial: float) -> int:
        pool = {"initial_value_usd": initial}
        experiment = make_experiment("momentum", 3, HALF_HOURS, fees=FEES["gas"], pool=pool)
        reserves = bar_by_bar(experiment, params, prices).reserves
        return int((np.abs(np.diff(reserves, axis=0)) > 1e-9 * reserves[1:]).any(axis=1).sum())

    assert trades(1e4) < trades(1e6)


@pytest.mark.parametrize(
    ("rule", "fees"), [*(("momentum", fees) for fees in FEES), ("balancer", "noise"), ("hodl", "zero")]
)
def test_permuting_the_tokens_permutes_the_result(rule: str, fees: str) -> None:
    n_tokens, order = 5, np.array([3, 0, 4, 1, 2])
    prices, params = random_prices(HALF_HOURS, n_tokens, 2), random_params(rule, HALF_HOURS, n_tokens, 2)
    experiment = make_experiment(rule, n_tokens, HALF_HOURS, fees=FEES[fees])
    tokens = tuple(experiment.data.tokens[at] for at in order)
    permuted = make_experiment(rule, n_tokens, HALF_HOURS, fees=FEES[fees], tokens=tokens)
    plain = bar_by_bar(experiment, params, prices)
    other = bar_by_bar(permuted, {name: np.asarray(value)[order] for name, value in params.items()}, prices)
    np.testing.assert_allclose(other.value, plain.value, rtol=1e-11)
    np.testing.assert_allclose(other.weights, plain.weights[:, order], rtol=1e-11)
    np.testing.assert_allclose(other.reserves, plain.reserves[:, order], rtol=1e-11)


@pytest.mark.parametrize("fees", ["zero", "fee"])
def test_the_order_of_price_columns_does_not_matter(fees: str) -> None:
    prices, params = random_prices(MINUTES, 3, 4), random_params("momentum", MINUTES, 3, 4)
    experiment = make_experiment("momentum", 3, MINUTES, fees=FEES[fees])
    turned = prices_of(MINUTES, prices.prices[:, ::-1], prices.tokens[::-1])
    for one, other in zip(bar_by_bar(experiment, params, prices), bar_by_bar(experiment, params, turned), strict=True):
        np.testing.assert_array_equal(one, other)


def test_units_of_the_prices_do_not_matter() -> None:
    prices, params = random_prices(MINUTES, 3, 4), random_params("momentum", MINUTES, 3, 4)
    experiment = make_experiment("momentum", 3, MINUTES, fees=FEES["noise"])
    scale = np.array([1e-9, 1e7, 3.0])
    scaled = prices_of(MINUTES, prices.prices * scale)
    one, other = bar_by_bar(experiment, params, prices), bar_by_bar(experiment, params, scaled)
    np.testing.assert_allclose(other.value, one.value, rtol=1e-12)
    np.testing.assert_allclose(other.reserves * scale, one.reserves, rtol=1e-12)
