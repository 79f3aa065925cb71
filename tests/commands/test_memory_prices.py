"""Runs on prices in memory: they say so, and what opens one again asks for the prices instead of loading others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantsim import CheckpointStore, Experiment, Prices, simulate
from quantsim.checkpoints import Run
from quantsim.checkpoints.stored import study_of_run
from quantsim.config.identity import SEARCH
from quantsim.drivers.search import run_search
from quantsim.errors import PriceError

STUDY = {
    "name": "mine",
    "data": {"tokens": ["BTC", "ETH"], "bar_minutes": 1440},  # such as the bundled prices have, too
    "periods": {"train_start": "2018-04-01", "train_end": "2018-09-01"},
    "pool": {"rule": "momentum"},
    "update": {"max_memory_days": 60.0},
    "search": {"sampler": "random"},
}


def made(scale: float = 1.0) -> Prices:
    generator = np.random.default_rng(5)
    days = np.arange("2018-01-01", "2018-10-01", dtype="datetime64[D]")
    walk = scale * np.exp(np.cumsum(0.03 * generator.standard_normal((days.size, 2)), axis=0))
    return Prices.from_arrays(days, walk, ("BTC", "ETH"), source="my model")


def write(prices: Prices, path: Path) -> Path:
    pd.DataFrame({"time": prices.times, **dict(zip(prices.tokens, prices.prices.T, strict=True))}).to_parquet(path)
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("memory") / "checkpoints.db"


@pytest.fixture(scope="module")
def run(path: Path) -> Run:
    with CheckpointStore(path) as store:
        done = run_search(Experiment.from_dict(STUDY), made(), store, trials=2)
        return store.run(done.run_id)


def test_the_run_reports_it(run: Run) -> None:
    assert run.notes["prices"] == "in memory (my model), not loaded from [data] of the study"
    assert run.config["data"]["source"] == "memory"
    assert run.experiment_id == Experiment.from_dict(STUDY).identity_for(SEARCH)


def test_python_asks_for_the_prices(run: Run, path: Path) -> None:
    study = study_of_run(run)
    with CheckpointStore(path) as store:
        row = store.checkpoints(run_id=run.run_id)[0]
    with pytest.raises(PriceError, match="were in memory"):
        simulate(study, row.params)
    again = simulate(study, row.params, made())
    assert again.data_id == run.data_id
    assert again.metrics["daily_log_sharpe"] == pytest.approx(row.metrics["train"]["daily_log_sharpe"], rel=1e-12)


@pytest.mark.parametrize("command", ["simulate", "sgd", "optuna"])
def test_commands_ask_for_the_prices(cli, run: Run, path: Path, command: str) -> None:
    refused = cli(command, "--from", "best", "--store", path)
    assert refused.exit_code == 2
    assert "were in memory" in refused.stderr
    assert "--set data.source=FILE" in refused.stderr


def test_the_deployment_file_reports_it(cli, run: Run, path: Path) -> None:
    deployed = json.loads(cli("export", "best", "--store", path).stdout)
    assert deployed["run"]["notes"] == [f"the prices were {run.notes['prices']}"]


def test_the_same_prices_in_a_file_will_do_and_others_not(cli, run: Run, path: Path, tmp_path: Path) -> None:
    same, other = write(made(), tmp_path / "same.parquet"), write(made(2.0), tmp_path / "other.parquet")
    command = ("simulate", "--from", "best", "--store", path, "--split", "train", "--set")
    taken = cli(*command, f"data.source={same}")
    assert taken.exit_code == 0, taken.output
    refused = cli(*command, f"data.source={other}")
    assert refused.exit_code == 2
    assert "are not those of the run" in refused.stderr


def test_commands_without_prices_load_none(cli, run: Run, path: Path) -> None:
    assert "the prices were in memory (my model)" in cli("select", "--store", path).stderr
    notes = json.loads(cli("select", "--json", "--store", path).stdout)["notes"]
    assert any("the prices were in memory" in note for note in notes)
    exported = cli("export", "best", "--store", path)
    assert "its prices were in memory (my model)" in exported.stderr
    assert json.loads(exported.stdout)["experiment"]["identity"] == study_of_run(run).identity


def test_runs_on_files_name_them(path: Path) -> None:
    study = Experiment.load("momentum_zero_fee")
    assert study.recorded(study.load_prices()) is study
