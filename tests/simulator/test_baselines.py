"""Daily log returns beside metrics, and the baselines of an evaluator."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pool_support import FEES, HALF_HOURS, expected, make_experiment, random_params, random_prices, stacked

from quantsim import Evaluator

OWN_POOL = f"{Path(__file__).resolve().parents[2] / 'examples' / 'own_pool.py'}:band_pool"
LAYOUT = dataclasses.replace(HALF_HOURS, test_bars=130)
PRICES = random_prices(LAYOUT, 2, 3)
PER_DAY = 48
PERIODS = {"n_periods": 2, "n_random_periods": 1, "report": ["returns", "returns_over_hodl"]}


GIVEN = {"initial_weights": (0.7, 0.3), "memory_days": 1.0, "k_per_day": 20.0}


def held(evaluator: Evaluator, split: str) -> np.ndarray:
    """What the initial weights of 70 and 30 % are worth, held from the start of a split."""
    first, n_bars = evaluator.splits[split]
    prices = evaluator.prices.prices[first : first + n_bars]
    return np.asarray((prices / prices[0]) @ [0.7, 0.3])


def log_returns(values: np.ndarray) -> np.ndarray:
    return np.diff(np.log(values[::PER_DAY]))


@pytest.fixture(scope="module", params=["zero", "fee"])
def evaluator(request: pytest.FixtureRequest) -> Evaluator:
    tables: Any = {"fees": FEES[request.param], "parameters": GIVEN, "objective": PERIODS}
    return Evaluator(make_experiment("momentum", 2, LAYOUT, **tables), PRICES)


def test_daily_log_returns_are_those_of_the_plain_reference(evaluator: Evaluator) -> None:
    sets = [random_params("momentum", LAYOUT, 2, seed) for seed in (0, 1)]
    found = evaluator.evaluate_sets(stacked(evaluator, *sets))
    for split, days in (("train", 5), ("test", 3)):
        assert found.daily_log_returns[split].shape == (2, days - 1)
        for index, params in enumerate(sets):
            wanted = log_returns(expected(evaluator.experiment, params, PRICES, split).value)
            np.testing.assert_allclose(found.returns_of(index)[split], wanted, rtol=1e-7, atol=1e-12)
    many = evaluator.evaluate_many(stacked(evaluator, *sets))
    assert many["train"]["returns"].tolist() == found.metrics["train"]["returns"].tolist()


def test_returns_of_the_whole_split_are_there_if_no_metric_reads_it() -> None:
    experiment = make_experiment("hodl", 2, LAYOUT, parameters={"initial_weights": (0.7, 0.3)}, objective=PERIODS)
    evaluator = Evaluator(experiment, PRICES)
    found = evaluator.evaluate_sets(stacked(evaluator, {}), ["objective"])
    assert set(found.metrics["train"]) == {"objective"}
    np.testing.assert_allclose(found.returns_of(0)["train"], log_returns(held(evaluator, "train")), rtol=1e-9)


def test_a_split_of_one_day_has_no_returns() -> None:
    experiment = make_experiment("hodl", 2, dataclasses.replace(HALF_HOURS, n_bars=40))
    evaluator = Evaluator(experiment, PRICES)
    assert evaluator.evaluate_sets(stacked(evaluator, {}, {}), ["returns"]).daily_log_returns["train"].shape == (2, 0)


def test_baselines_are_the_study_constant_weights_with_its_costs_and_hodl(evaluator: Evaluator) -> None:
    found = evaluator.baselines(width=2)
    assert list(found) == ["study", "constant_weights", "hodl"]
    assert found is evaluator.baselines()  # kept
    own = evaluator.evaluate_sets(stacked(evaluator, {"k_per_day": 3.0}, {}))
    balancer = make_experiment(
        "balancer", 2, LAYOUT, fees=dict(evaluator.experiment.fees), parameters={"initial_weights": (0.7, 0.3)}
    )
    for split, table in own.metrics_of(1).items():
        assert repr(found["study"].metrics[split]) == repr(table)
        assert {name: set(of.metrics[split]) for name, of in found.items()} == {name: set(table) for name in found}
        constant, hodl = found["constant_weights"], found["hodl"]
        value = expected(balancer, {}, PRICES, split).value
        np.testing.assert_allclose(constant.daily_log_returns[split], log_returns(value), rtol=1e-7, atol=1e-12)
        assert constant.metrics[split]["returns"] == pytest.approx(value[-1] / value[0] - 1.0, rel=1e-9)
        np.testing.assert_allclose(hodl.daily_log_returns[split], log_returns(held(evaluator, split)), rtol=1e-9)
        assert abs(hodl.metrics[split]["returns_over_hodl"]) < 1e-12


def test_a_pool_that_is_its_own_baseline_is_evaluated_once() -> None:
    evaluator = Evaluator(make_experiment("hodl", 2, LAYOUT, objective={"report": ["returns"]}), PRICES)
    study, constant, hodl = evaluator.baselines().values()
    assert study.metrics == constant.metrics == hodl.metrics
    np.testing.assert_array_equal(constant.daily_log_returns["train"], study.daily_log_returns["train"])


def test_the_baselines_of_a_pool_of_a_file_hold_what_it_starts_with() -> None:
    pool = {"type": OWN_POOL, "rule": None, "start_at": 0.5}
    evaluator = Evaluator(
        make_experiment("", 2, LAYOUT, pool=pool, objective={"report": ["returns_over_hodl"]}), PRICES
    )
    found = evaluator.baselines()
    first, n_bars = evaluator.splits["train"]
    value, own = (np.exp(np.cumsum(found[name].daily_log_returns["train"])) for name in ("hodl", "study"))
    prices = evaluator.prices.prices[first : first + n_bars : PER_DAY]
    growth = prices[1:] / prices[0]
    share = np.linalg.lstsq(growth - growth[:, 1:], value - growth[:, 1], rcond=None)[0][0]
    np.testing.assert_allclose(growth @ [share, 1.0 - share], value, rtol=1e-9)
    assert 0.2 < share < 0.3  # three quarters of the band are behind it
    assert not np.allclose(own, value)
    assert found["constant_weights"].daily_log_returns["train"].shape == own.shape
