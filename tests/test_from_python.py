"""What a script of the user's does: studies that load their own prices, and parameters that replace some of a study's."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest

import quantsim
from quantsim.drivers.sgd.training import Training
from quantsim.errors import ParameterError, PriceError

OWN = {"memory_days": [12.0, 30.0], "k_per_day": [3.0, 7.0]}


@pytest.fixture(scope="module")
def study() -> quantsim.Experiment:
    return quantsim.Experiment.from_dict(
        {
            "data": {"tokens": ["ETH", "BTC"], "bar_minutes": 1440, "forward_fill_bars": 8},
            "periods": {"train_start": "2018-04-01", "train_end": "2018-07-01"},
            "pool": {"rule": "momentum"},
            "update": {"max_memory_days": 60.0},
            "parameters": OWN,
        }
    )


def test_a_study_loads_the_prices_of_its_data_table(study: quantsim.Experiment) -> None:
    loaded = study.load_prices()
    asked = quantsim.load_prices(["ETH", "BTC"], bar_minutes=1440, forward_fill_bars=8)
    assert loaded.tokens == ("ETH", "BTC")
    assert loaded.identity == asked.identity


def test_simulate_loads_the_study_s_prices_and_keeps_its_other_parameters(study: quantsim.Experiment) -> None:
    result = quantsim.simulate(study, {"memory_days": 15.0})
    human = study.human_parameters(result.params)
    np.testing.assert_allclose(human["memory_days"], 15.0, rtol=1e-12)
    np.testing.assert_allclose(human["k_per_day"], OWN["k_per_day"], rtol=1e-12)
    again = quantsim.simulate(study, {**OWN, "memory_days": 15.0}, study.load_prices())
    np.testing.assert_array_equal(result.value, again.value)


def test_a_raw_name_takes_the_place_of_a_human_one(study: quantsim.Experiment) -> None:
    given = study.initial_parameters({"log_k": 2.0})
    np.testing.assert_array_equal(given["log_k"], [2.0, 2.0])
    np.testing.assert_array_equal(given["logit_lamb"], study.initial_parameters()["logit_lamb"])
    with pytest.raises(ParameterError, match="did you mean 'memory_days'"):
        quantsim.simulate(study, {"memory_dys": 15.0})


def test_grids_and_gradients_keep_other_parameters(study: quantsim.Experiment) -> None:
    own = study.initial_parameters({"k_per_day": 4.0})
    grid = quantsim.evaluate_grid(study, [quantsim.Axis("memory_days[ETH]", 5.0, 50.0, 2)], params={"k_per_day": 4.0})
    np.testing.assert_array_equal(grid.sets["log_k"], np.stack([own["log_k"]] * 2))
    np.testing.assert_array_equal(grid.sets["logit_lamb"][:, 1], [own["logit_lamb"][1]] * 2)
    training = Training(study, study.load_prices(), [{"k_per_day": 4.0}])
    for name, rows in training.initial.items():
        np.testing.assert_array_equal(rows[0], own[name])


def test_results_say_that_prices_were_in_memory(study: quantsim.Experiment) -> None:
    loaded = study.load_prices()
    given = quantsim.Prices.from_arrays(loaded.times, loaded.prices, loaded.tokens, source="my table")
    coarser = quantsim.load_prices(["BTC", "ETH"], bar_minutes=720)
    again = pickle.loads(pickle.dumps(loaded))  # noqa: S301
    for own in (loaded, again, loaded.slice(0, loaded.n_bars - 1)):
        assert "prices" not in quantsim.Evaluator(study, own).notes
    assert (
        quantsim.Evaluator(study, given).notes["prices"] == "in memory (my table), not loaded from [data] of the study"
    )
    expected = quantsim.Evaluator(study, coarser).notes["prices"]
    assert "bar_minutes = 720 instead of 1440" in expected
    assert "forward_fill_bars = 10 instead of 8" in expected


def test_prices_that_were_changed_after_loading_are_in_memory(study: quantsim.Experiment) -> None:
    loaded = study.load_prices()
    changed = dataclasses.replace(loaded, prices=2.0 * loaded.prices)
    assert quantsim.Evaluator(study, changed).notes["prices"].startswith("in memory (bundled)")
    assert study.recorded(changed).data.source == "memory"
    more = quantsim.load_prices(["LTC", "BTC", "ETH"], bar_minutes=1440, forward_fill_bars=8)
    assert "prices" not in quantsim.Evaluator(study, more).notes


def test_arguments_of_a_wrong_type_are_refused_in_one_message(study: quantsim.Experiment) -> None:
    with pytest.raises(PriceError, match=r"prices must be Prices, a data frame, .* not str: load_prices"):
        quantsim.simulate(study, None, "prices.csv")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="parameters must be a table of names and values, not list"):
        quantsim.simulate(study, [15.0, 3.0])  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="k_per_day = 1000"):
        quantsim.simulate(study, {"k_per_day": 10**400})


def test_results_name_their_prices(study: quantsim.Experiment) -> None:
    result = quantsim.simulate(study)
    assert result.data_id == quantsim.Evaluator(study).data_id
    dearer = study.load_prices()
    dearer = quantsim.Prices(dearer.times, 2.0 * dearer.prices, dearer.tokens, dearer.bar_minutes)
    other = quantsim.simulate(study, None, dearer)
    assert other.data_id != result.data_id
    assert "in memory" in other.notes["prices"]
