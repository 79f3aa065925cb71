"""Parameters of experiments with groups: errors name the parameter; opt-in ones have the study's value as default."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quantsim import Experiment
from quantsim.errors import ConfigError, ParameterError
from quantsim.parameters.transforms import sigmoid

FAST, SLOW = {"memory_days": 2.0, "k_per_day": [1.0, 2.0, 4.0]}, {"memory_days": [9.0, 20.0, 30.0]}


def study(**parameters: Any) -> Experiment:
    return Experiment.from_dict(
        {
            "data": {"tokens": ["BTC", "ETH", "SUI"]},
            "periods": {"train_start": "2023-01-21", "train_end": "2023-04-21"},
            "pool": {"ensemble": {"fast": "momentum", "slow": "anti_momentum"}},
            "parameters": {"fast": FAST, "slow": SLOW, **parameters},
        }
    )


def composite(**parameters: Any) -> Experiment:
    return Experiment.from_dict(
        {
            "data": {"tokens": ["BTC", "ETH", "SUI"]},
            "periods": {"train_start": "2023-01-21", "train_end": "2023-04-21"},
            "pool": {"rule": "momentum", "tokens": ["pair", "SUI"]},
            "subsidiaries": {"pair": {"tokens": ["BTC", "ETH"], "rule": "momentum"}},
            "parameters": parameters,
        }
    )


def test_nested_tables_and_dotted_names_are_the_same() -> None:
    nested = study().initial_parameters({"fast": {"memory_days": 5}, "slow": {"k_per_day": [1, 2, 3]}})
    dotted = study().initial_parameters({"fast.memory_days": 5.0, "slow.k_per_day": [1.0, 2.0, 3.0]})
    for name, values in nested.items():
        assert values.shape == (3,)
        np.testing.assert_array_equal(values, dotted[name])
    np.testing.assert_allclose(nested["slow.log_k"], np.log2([1.0, 2.0, 3.0]), rtol=1e-15)
    assert (nested["fast.logit_lamb"] != nested["slow.logit_lamb"]).all(), "a group's value is its own"


def test_groups_of_a_study_are_read() -> None:
    human = study().human_parameters(study().initial_parameters())
    np.testing.assert_allclose(human["fast.k_per_day"], [1.0, 2.0, 4.0], rtol=1e-12)
    np.testing.assert_allclose(human["slow.memory_days"], [9.0, 20.0, 30.0], rtol=1e-12)
    np.testing.assert_allclose(human["slow.k_per_day"], 20.0, rtol=1e-12)


BAD: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "too few in a group": ({"fast": {"k_per_day": [1.0, 2.0]}}, ("fast.k_per_day", "(2,)", "3 numbers", "BTC, ETH, SUI")),
    "too many in a group": ({"slow.memory_days": [1.0] * 4}, ("slow.memory_days", "(4,)", "3 numbers")),
    "a table of numbers": ({"fast": {"memory_days": [[1.0, 2.0, 3.0]]}}, ("fast.memory_days", "(1, 3)")),
    "nothing": ({"fast.memory_days": []}, ("fast.memory_days", "(0,)", "3 numbers")),
    "a group as a number": ({"fast": 5.0}, ("unknown parameter 'fast'",)),
    "too deep": ({"fast": {"memory_days": {"BTC": 5.0}}}, ("'fast.memory_days.BTC'", "did you mean 'fast.memory_days'?")),
    "without its group": ({"memory_days": 5.0}, ("'memory_days'", "did you mean")),
    "of no group": ({"fats": {"memory_days": 5.0}}, ("'fats.memory_days'", "did you mean 'fast.memory_days'?")),
    "both names in a group": ({"fast": {"memory_days": 5.0, "logit_lamb": 1.0}}, ("'fast.logit_lamb'", "'fast.memory_days'")),
    "a fee per token": ({"swap_fee": [0.001, 0.002, 0.003]}, ("swap_fee", "(3,)", "one number")),
    "a fee of two percent, as 2": ({"swap_fee": 2.0}, ("swap_fee", "2.0", "above 0 and below 1")),
    "bounds too few": ({"minimum_weights": [0.1, 0.2]}, ("minimum_weights", "(2,)", "3 numbers")),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_wrong_shapes_name_the_parameter(name: str) -> None:
    values, expected = BAD[name]
    experiment = study(swap_fee=0.003, minimum_weights=0.1)
    with pytest.raises(ParameterError) as caught:
        experiment.initial_parameters(values)
    for part in expected:
        assert part in str(caught.value), str(caught.value)


def test_wrong_shapes_in_a_study_name_the_key_and_the_parameter() -> None:
    with pytest.raises(ConfigError, match=r"fast\.k_per_day has shape \(2,\)"):
        study(fast={"k_per_day": [1.0, 2.0]})
    with pytest.raises(ConfigError, match=r"pair\.k_per_day has shape \(3,\).* BTC, ETH"):
        composite(pair={"k_per_day": [1.0, 2.0, 3.0]})


def test_a_subsidiary_has_its_own_tokens() -> None:
    raw = composite(pair={"memory_days": [3.0, 4.0]}, memory_days=[5.0, 6.0]).initial_parameters()
    assert raw["pair.logit_lamb"].shape == raw["logit_lamb"].shape == (2,)
    labels = {parameter.raw_name: parameter.labels for parameter in composite().layout}
    assert labels["pair.logit_lamb"] == ("BTC", "ETH")
    assert labels["logit_lamb"] == ("pair", "SUI")


def test_a_swap_fee_among_the_parameters_is_one_value() -> None:
    experiment = study(swap_fee=0.004)
    (fee,) = [parameter for parameter in experiment.layout if parameter.raw_name == "logit_swap_fee"]
    assert (fee.labels, fee.trainable, fee.searchable) == (("pool",), True, True)
    raw = experiment.initial_parameters()["logit_swap_fee"]
    assert raw.shape == (1,)
    assert float(sigmoid(raw)[0]) == pytest.approx(0.004, rel=1e-14)
    assert "logit_swap_fee" not in study().initial_parameters()
    own = composite(pair={"swap_fee": 0.002})
    assert {p.raw_name: p.labels for p in own.layout}["pair.logit_swap_fee"] == ("pair",)


OPT_IN = {"swap_fee": 0.004, "minimum_weights": [0.05, 0.1, 0.15], "maximum_weights": 0.8}


def test_missing_parameters_are_those_of_the_study() -> None:
    experiment = study(**OPT_IN)
    own = experiment.initial_parameters()
    partial = experiment.initial_parameters({"fast": {"memory_days": 5.0}})
    changed = {name for name in own if not np.array_equal(partial[name], own[name])}
    assert changed == {"fast.logit_lamb", "fast.logit_delta_lamb"}  # the latter is relative to the former
    np.testing.assert_allclose(sigmoid(partial["logit_minimum_weights"]), [0.05, 0.1, 0.15], rtol=1e-14)


@pytest.mark.parametrize("given", [{"swap_fee": 0.01}, {"logit_swap_fee": float(np.log(0.01 / 0.99))}])
def test_a_given_value_wins_under_either_name(given: dict[str, float]) -> None:
    for own in ({"swap_fee": 0.004}, {"logit_swap_fee": -5.0}):
        raw = study(**own).initial_parameters(given)
        assert float(sigmoid(raw["logit_swap_fee"])[0]) == pytest.approx(0.01, rel=1e-12)


def test_a_complete_raw_set_comes_back_bit_for_bit() -> None:
    experiment = study(**OPT_IN)
    raw = experiment.initial_parameters()
    assert set(raw) == {parameter.raw_name for parameter in experiment.layout}
    for name, values in experiment.initial_parameters(raw).items():
        np.testing.assert_array_equal(values, raw[name])
