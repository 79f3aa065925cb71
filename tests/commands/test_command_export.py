"""``quantsim export``: the numbers of a checkpoint, or of a study, as a deployment takes them."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from quantsim import CheckpointStore, Experiment
from quantsim.config.locate import find_study
from quantsim.parameters.transforms import memory_days_from_logit


def by_name(pool: dict) -> dict[str, dict]:
    return {parameter["name"]: parameter for parameter in pool["parameters"]}


def test_the_study_s_own_parameters(cli):
    result = cli(
        "export", "--study", "momentum_fees", "--set", "update.chunk_minutes=720", "--set", "parameters.k_per_day=4.0"
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["format"], found["version"], found["decimals"]) == ("quantsim-deployment", 1, 18)
    assert found["checkpoint"] is found["selection"] is None
    study = Experiment.load(find_study("momentum_fees")).override(
        ["update.chunk_minutes=720", "parameters.k_per_day=4.0"]
    )
    assert found["experiment"] == {"name": "momentum_fees", "identity": study.identity}
    (pool,) = found["pools"]
    assert (pool["tokens"], pool["rule"], pool["remarks"]) == (["BTC", "ETH"], "momentum", [])
    settings = pool["settings"]
    assert settings["update_interval_seconds"] == settings["interpolation_seconds"] == 12 * 3600
    assert float(settings["maximum_change_per_update"]["decimal"]) == pytest.approx(3e-4 * 720)
    assert float(settings["minimum_weight"]["decimal"]) == 0.05
    assert settings["swap_fee"] == {"decimal": "0.003", "fixed": "3000000000000000"}
    parameters = by_name(pool)
    assert list(parameters) == ["initial_weights", "lambda", "kappa"]
    assert parameters["kappa"]["human"]["name"] == "k_per_day"
    assert parameters["kappa"]["human"]["unit"] == "per day"
    np.testing.assert_allclose([float(value) for value in parameters["kappa"]["decimal"]], 4.0 * 20.0, rtol=1e-12)
    decay = float(parameters["lambda"]["decimal"][0])
    np.testing.assert_allclose(memory_days_from_logit(np.log(np.array(decay / (1 - decay))), 720), 20.0, rtol=1e-9)
    assert sum(map(int, parameters["initial_weights"]["fixed_summing_to_one"])) == 10**18


def test_a_checkpoint_by_method_and_by_key(cli, results: Path):
    picked = cli("export", "best", "--study", "momentum_fees", "--store", results, "--output", "pool.json")
    assert picked.exit_code == 0, picked.output
    assert "Deployment: pool.json" in picked.stdout
    found = json.loads(Path("pool.json").read_text())
    assert found["selection"] == {
        "method": "best_validation",
        "metric": "daily_log_sharpe",
        "chosen_by": "validation",
        "used_test_data": False,
    }
    key = found["checkpoint"]["key"]
    by_key = json.loads(cli("export", key, "--store", results).stdout)
    assert by_key["selection"] is None
    assert by_key["checkpoint"] == found["checkpoint"]
    assert by_key["pools"] == found["pools"]
    with CheckpointStore(results) as store:
        row = store.resolve(key)
    parameters = by_name(found["pools"][0])
    assert tuple(parameters["lambda"]["raw"]["values"]) == row.raw["logit_lamb"]
    assert tuple(parameters["lambda"]["human"]["values"]) == row.human["memory_days"]
    for parameter in parameters.values():
        for decimal, fixed in zip(parameter["decimal"], parameter["fixed"], strict=True):
            assert int(fixed) == round(Fraction(decimal) * 10**18)


def test_a_choice_by_test_data_is_said(cli, results: Path):
    result = cli("export", "best_test", "--study", "momentum_fees", "--store", results)
    found = json.loads(result.stdout)
    assert (found["selection"]["chosen_by"], found["selection"]["used_test_data"]) == ("test", True)
    assert "chosen on test data" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("best_trian",), "did you mean 'best_train'?"),
        (("00000000:1:0",), "00000000"),
        (("best_train_per_set", "--study", "momentum_zero_fee"), "selects 2 checkpoints"),
        (("best", "--study", "momentum_fees", "--set", 'data.tokens=["BTC","LTC"]'), "BTC, LTC"),
        (("--output", "nowhere/pool.json"), "there is no folder"),
        (("--study", "momentum_fee"), "did you mean 'momentum_fees'?"),
    ],
)
def test_refused_with_the_remedy(cli, results: Path, arguments, message):
    result = cli("export", *arguments, "--store", results)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
