"""Deployment files of parameter sets."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from quantsim import Experiment
from quantsim.report.deployment import deployment


def by_name(pool: dict) -> dict[str, dict]:
    return {parameter["name"]: parameter for parameter in pool["parameters"]}


def study(**tables: object) -> Experiment:
    return Experiment.from_dict(
        {
            "name": "basket",
            "data": {"tokens": ["BTC", "ETH", "SUI"]},
            "periods": {"train_start": "2023-01-21", "train_end": "2023-04-21"},
            "pool": {"rule": "momentum"},
            **tables,
        }
    )


def test_subsidiaries_and_groups_are_pools_and_prefixes():
    experiment = study(
        pool={"ensemble": {"fast": "momentum", "steep": "power_channel"}, "tokens": ["pair", "SUI"]},
        subsidiaries={"pair": {"tokens": ["ETH", "BTC"], "rule": "momentum", "update": {"chunk_minutes": 60}}},
        parameters={"pair": {"memory_days": 3.0}, "steep": {"exponents": 0.5}, "swap_fee": 0.01},
    )
    pair, own = deployment(experiment, experiment.initial_parameters())["pools"]
    assert (pair["name"], pair["tokens"], pair["settings"]["update_interval_seconds"]) == ("pair", ["ETH", "BTC"], 3600)
    assert list(by_name(pair)) == ["pair.initial_weights", "pair.lambda", "pair.kappa"]
    assert {"fast.lambda", "steep.kappa", "steep.exponents", "steep.pre_exp_scaling", "swap_fee"} < set(by_name(own))
    # The power channel takes smaller exponents as 1, so 1 is what was simulated.
    assert [float(value) for value in by_name(own)["steep.exponents"]["decimal"]] == [1.0, 1.0]
    assert by_name(own)["steep.exponents"]["human"]["values"] == pytest.approx([0.5, 0.5])
    assert any("exponents below 1 count as 1" in remark for remark in own["remarks"])
    assert (own["name"], by_name(own)["swap_fee"]["of"]) == ("basket", ["pool"])
    assert "swap_fee" not in own["settings"], "it is a parameter"


def test_unsupported_settings_have_remarks():
    experiment = study(
        pool={"rule": "momentum", "minimum_weight": [0.05, 0.1, 0.1]},
        update={"interpolation": "optimal", "max_memory_days": 8.0},
        fees={"rule": "volatility"},
        parameters={"memory_days": 9.0},
    )
    (pool,) = deployment(experiment, experiment.initial_parameters())["pools"]
    expected = " | ".join(pool["remarks"])
    for part in (
        "bounds per token",
        "the swap fee varies over time: volatility",
        "interpolate linearly",
        "max_memory_days = 8",
    ):
        assert part in expected
    assert [float(bound["decimal"]) for bound in pool["settings"]["minimum_weights"]] == [0.05, 0.1, 0.1]
    assert "fee.lambda" in by_name(pool)
    assert "fee.base_fee" in by_name(pool)


def test_settings_are_the_decimals_of_the_study_and_learned_parameters_exact():
    experiment = study(
        pool={"rule": "momentum", "minimum_weight": [0.05, 0.1, 0.07], "maximum_weight": 0.9},
        update={"chunk_minutes": 1440, "maximum_change_per_minute": 3e-4},
        fees={"swap_fee": 1e-5},
        parameters={"k_per_day": 0.1},
    )
    (pool,) = deployment(experiment, experiment.initial_parameters())["pools"]
    settings = pool["settings"]
    assert settings["swap_fee"] == {"decimal": "0.00001", "fixed": "10000000000000"}
    assert settings["maximum_change_per_minute"] == {"decimal": "0.0003", "fixed": "300000000000000"}
    assert settings["maximum_change_per_update"] == {"decimal": "0.432", "fixed": "432000000000000000"}
    assert [bound["fixed"] for bound in settings["minimum_weights"]] == [f"{n}0000000000000000" for n in (5, 10, 7)]
    assert [bound["decimal"] for bound in settings["maximum_weights"]] == ["0.83", "0.88", "0.85"]
    weight = by_name(pool)["initial_weights"]["decimal"][0]
    assert weight == format(
        Decimal(experiment.human_parameters(experiment.initial_parameters())["initial_weights"][0]), "f"
    )
    (pair,) = deployment(fees := experiment.override(["pool.minimum_weight=0.05"]), fees.initial_parameters())["pools"]
    assert pair["settings"]["minimum_weights"][0] == {"decimal": "0.05", "fixed": "50000000000000000"}


def test_published_settings_have_remarks():
    experiment = study(
        pool={"rule": "min_variance", "published_band_trades": False}, update={"published_look_ahead": True}
    )
    (pool,) = deployment(experiment, experiment.initial_parameters())["pools"]
    assert any("update.published_look_ahead = true" in remark for remark in pool["remarks"])


def test_a_users_rule_is_not_confused_with_a_bundled_rule_of_the_same_name(tmp_path: Path):
    file = tmp_path / "mine.py"
    file.write_text("from quantsim.rules.power_channel import RULE as mine\n")
    experiment = study(pool={"rule": f"{file}:mine"}, parameters={"exponents": 0.5})
    (pool,) = deployment(experiment, experiment.initial_parameters())["pools"]
    assert [float(value) for value in by_name(pool)["exponents"]["decimal"]] == pytest.approx([0.5] * 3)
    assert pool["remarks"] == []


def test_given_parameters_extend_those_of_the_study():
    study = Experiment.load("momentum_fees")
    (given,), (own,) = (deployment(study, values)["pools"] for values in ({"k_per_day": 4.0}, {}))
    assert by_name(given)["lambda"] == by_name(own)["lambda"]
    assert by_name(given)["kappa"]["human"]["values"] == pytest.approx([4.0, 4.0], rel=1e-12)
    complete = deployment(study, study.initial_parameters({"k_per_day": 4.0}))["pools"]
    assert complete == [given]
