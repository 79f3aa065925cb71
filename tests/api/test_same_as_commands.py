"""The command line and Python give the same numbers, for every command that gives any."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import quantsim
from quantsim.commands.app import app

STUDY = """
[data]
tokens = ["ETH", "BTC"]
bar_minutes = 1440
forward_fill_bars = 8
[periods]
train_start = 2018-04-01
train_end = 2018-06-01
validation_end = 2018-07-01
test_end = 2018-08-01
[pool]
rule = "momentum"
[update]
max_memory_days = 60.0
[parameters]
memory_days = 12.0
k_per_day = 3.0
[search]
trials = 3
n_startup_trials = 2
[sgd]
steps = 2
report_every = 1
n_parameter_sets = 2
batch_size = 2
[hybrid]
rounds = 1
trials = 3
steps = 2
top = 1
"""


class Same:
    """One study, and two stores: of the command line, and of Python."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "tiny.toml"
        self.file.write_text(STUDY)
        self.study = quantsim.Experiment.load(self.file)
        self.ours, self.theirs = folder / "python.db", folder / "commands.db"

    def invoke(self, *arguments: str) -> str:
        result = CliRunner().invoke(app, [*arguments, "--study", str(self.file), "--store", str(self.theirs)])
        assert result.exit_code == 0, result.output
        return result.stdout


@pytest.fixture(scope="module")
def same(tmp_path_factory: pytest.TempPathFactory) -> Same:
    return Same(tmp_path_factory.mktemp("same"))


def rows(location: Path, driver: str) -> pd.DataFrame:
    with quantsim.CheckpointStore(location) as store:
        (run,) = store.find_runs(driver=driver, in_groups=False)
        frame = store.to_frame(run_id=run.run_id)
    return frame.drop(columns=["run_id", "created_at"]).reset_index(drop=True)


def test_search(same: Same) -> None:
    shown = same.invoke("optuna", "--quiet")
    found = quantsim.search(same.study, store=same.ours)
    pd.testing.assert_frame_equal(rows(same.ours, "search"), rows(same.theirs, "search"), check_exact=True)
    assert f":{found.checkpoint.step}:0, chosen by validation data" in shown


def test_train(same: Same) -> None:
    shown = same.invoke("sgd", "--quiet")
    found = quantsim.train(same.study, store=same.ours)
    pd.testing.assert_frame_equal(rows(same.ours, "sgd"), rows(same.theirs, "sgd"), check_exact=True)
    assert f":{found.checkpoint.step}:{found.checkpoint.parameter_set}, chosen by" in shown
