"""Nothing up to a bar depends on a price after it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from pool_support import FEES, HALF_HOURS, bar_by_bar, make_experiment, prices_of, random_params, random_prices

from quantsim import Evaluator, Prices


def changed_after(prices: Prices, bar: int, seed: int = 0) -> Prices:
    """Other prices from the bar after ``bar`` on."""
    table = prices.prices.copy()
    later = table[bar + 1 :]
    later *= np.exp(0.2 * np.random.default_rng(seed).standard_normal(later.shape))
    return prices_of(HALF_HOURS, table, prices.tokens)


CASES = [
    *(("momentum", fees) for fees in ("zero", "fee", "gas", "noise")),
    *(("balancer", fees) for fees in ("zero", "noise")),
    ("anti_momentum", "zero"),
    ("hodl", "zero"),
]


@pytest.mark.parametrize(("rule", "fees"), CASES)
def test_nothing_depends_on_later_prices(rule: str, fees: str) -> None:
    experiment = make_experiment(rule, 3, HALF_HOURS, fees=FEES[fees])
    prices, params = random_prices(HALF_HOURS, 3, 2), random_params(rule, HALF_HOURS, 3, 2)
    plain = bar_by_bar(experiment, params, prices)
    chunk = HALF_HOURS.chunk_minutes // HALF_HOURS.bar_minutes
    for bar in (0, 7 * chunk - 1, 7 * chunk, 7 * chunk + 1, 130):  # around a decision, above all
        other = bar_by_bar(experiment, params, changed_after(prices, HALF_HOURS.history + bar))
        for name in ("value", "reserves", "weights"):
            before, after = getattr(plain, name), getattr(other, name)
            np.testing.assert_array_equal(after[: bar + 1], before[: bar + 1], err_msg=f"{name} up to bar {bar}")
        assert other.value[bar + 1] != plain.value[bar + 1]


def test_a_decision_uses_the_price_at_its_own_boundary() -> None:
    """Its ramp begins there: the weights of the bar after it know that price, and up to the next boundary no later one."""
    experiment = make_experiment("momentum", 3, HALF_HOURS)
    prices, params = random_prices(HALF_HOURS, 3, 2), random_params("momentum", HALF_HOURS, 3, 2, strength=0.1)
    plain = bar_by_bar(experiment, params, prices).weights
    chunk = HALF_HOURS.chunk_minutes // HALF_HOURS.bar_minutes
    boundary = 7 * chunk
    other = bar_by_bar(experiment, params, changed_after(prices, HALF_HOURS.history + boundary - 1)).weights
    np.testing.assert_array_equal(other[: boundary + 1], plain[: boundary + 1])
    assert (other[boundary + 1] != plain[boundary + 1]).all()
    later = bar_by_bar(experiment, params, changed_after(prices, HALF_HOURS.history + boundary)).weights
    np.testing.assert_array_equal(later[: boundary + chunk + 1], plain[: boundary + chunk + 1])
    assert (later[boundary + chunk + 1] != plain[boundary + chunk + 1]).all()


@pytest.mark.parametrize("fees", ["zero", "fee"])
def test_metrics_of_earlier_windows_and_splits_stay(fees: str) -> None:
    layout = dataclasses.replace(HALF_HOURS, test_bars=150)
    experiment = make_experiment("momentum", 2, layout, fees=FEES[fees])
    prices = random_prices(layout, 2, 5)
    raw = experiment.initial_parameters(random_params("momentum", layout, 2, 5))
    other = changed_after(prices, layout.history + layout.n_bars - 1)
    tables = [Evaluator(experiment, table).evaluate(raw) for table in (prices, other)]
    assert tables[0]["train"] == tables[1]["train"]
    assert tables[0]["test"]["returns"] != tables[1]["test"]["returns"]
    windows = [5, 85, 165, 245]
    names = ("returns", "daily_log_sharpe", "turnover")
    rows = [
        Evaluator(experiment, table).evaluate_at(raw, windows, 203, names)
        for table in (prices, changed_after(prices, 367))
    ]
    for name in names:
        np.testing.assert_array_equal(rows[0][name][:3], rows[1][name][:3], err_msg=name)
        assert rows[0][name][3] != rows[1][name][3]


def test_prices_before_the_longest_memory_do_not_matter() -> None:
    layout = dataclasses.replace(HALF_HOURS, max_memory_days=2.0)
    experiment = make_experiment("momentum", 2, layout)
    prices, params = random_prices(layout, 2, 5), random_params("momentum", layout, 2, 5)
    table = prices.prices.copy()
    table[: layout.history - 2 * 48] *= 3.0
    one, other = bar_by_bar(experiment, params, prices), bar_by_bar(experiment, params, prices_of(layout, table))
    np.testing.assert_array_equal(one.value, other.value)
    table[layout.history - 2 * 48] *= 3.0
    assert (bar_by_bar(experiment, params, prices_of(layout, table)).value[20:] != one.value[20:]).all()
