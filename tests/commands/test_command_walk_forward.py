"""``quantsim walk-forward`` in this process, with daily prices and few evaluations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from quantsim import CheckpointStore

if TYPE_CHECKING:
    from conftest import Cli

DAILY = ("--set", "data.bar_minutes=1440", "--set", "search.n_startup_trials=2", "--quiet")


def test_it_shows_folds_curves_and_a_judgement_and_resumes(cli: Cli, tmp_path: Path):
    command = ("walk-forward", "--folds", "2", "--driver", "fixed", "--jobs", "2", *DAILY)
    shown = cli(*command, "--plot", "folds.png")
    assert shown.exit_code == 0, shown.output
    for text in ("Folds:", "memory_days[BTC]", "constant weights", "HODL", "Out of sample (2 folds"):
        assert text in shown.output
    assert (tmp_path / "folds.png").stat().st_size > 10_000
    found = json.loads(cli(*command, "--json").stdout)
    assert found.keys() >= {"folds", "out_of_sample", "baselines", "efficiency"}
    with CheckpointStore.open("quantsim-results/checkpoints.db") as store:
        assert {run.run_id for run in store.find_runs()} == {fold["run"] for fold in found["folds"]}


def test_it_compares_drivers_on_the_same_folds(cli: Cli):
    shown = cli("walk-forward", "--folds", "2", "--evaluations", "3", "--compare", "random, fixed", "--json", *DAILY)
    found = json.loads(shown.stdout)["trainers"]
    assert list(found) == ["random", "fixed"]
    spans = [[(fold["train"], fold["test"]) for fold in one["folds"]] for one in found.values()]
    assert spans[0] == spans[1]
    with CheckpointStore.open("quantsim-results/checkpoints.db") as store:
        assert len(store.checkpoints()) == 2 * (3 + 1)
    assert len(list(Path("quantsim-results/checkpoints-folds").glob("*.journal"))) == 2


def test_it_cross_validates(cli: Cli):
    split = ("--scheme", "cpcv", "--groups", "2", "--test-groups", "1", "--embargo-days", "20", "--driver", "fixed")
    found = json.loads(cli("walk-forward", *split, "--json", *DAILY).stdout)
    assert len(found["folds"]) == 2
    shown = cli("walk-forward", *split, *DAILY)
    assert shown.exit_code == 0, shown.output
    assert "through 2 groups" in shown.output
    assert "Embargo after each test group: 20 days" in shown.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--groups", "4"), "--groups 4 is not for --scheme rolling"),
        (("--scheme", "cpcv", "--folds", "4"), "--folds 4 is not for --scheme cpcv"),
        (("--scheme", "cpcv", "--compare", "sgd,search"), "--compare sgd,search is for the schemes"),
        (("--compare", "sgd,tpe"), "driver = 'tpe' must be one of"),
        (("--compare", "sgd,search", "--plot", "a.png"), "--plot a.png draws the folds of one driver"),
        (("--folds", "1000"), "n_folds = 1000 leaves"),
        (("--scheme", "cpcv"), "no training block has more than 10 days"),
        (("--train-days", "100"), "test_days = None"),
        (("--method", "best_test"), "uses test data"),
        (("--driver", "sgd", "--backend", "dask"), "evaluates trials of a search"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_a_store_is_made(cli: Cli, options: tuple[str, ...], said: str):
    shown = cli("walk-forward", *options)
    assert shown.exit_code == 2
    assert said in " ".join(shown.stderr.split())
    assert not Path("quantsim-results").exists()
