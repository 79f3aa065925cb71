"""What picks among runs: a number of the same name is compared only where it is the same number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from run_support import DAYS, keep

import quantsim
from quantsim import CheckpointStore, Experiment
from quantsim.baseline import BENCHMARK, Baseline
from quantsim.checkpoints import Checkpoint
from quantsim.checkpoints.finding import best_of_search
from quantsim.checkpoints.picking import BEST, default_method, method_named, pick_among
from quantsim.errors import SelectionError
from quantsim.simulator.weight_steps import STEPS

FEES = DAYS.override(["fees.swap_fee=0.003"])
BASE = Experiment.from_dict(
    {
        "name": "study",
        "data": {"tokens": ["BTC", "ETH"]},
        "periods": {"train_start": "2018-02-01", "train_end": "2018-08-01"},
        "pool": {"rule": "momentum"},
    }
)
QUARTERS = BASE.override(["objective.n_periods=4"])
SOFT = QUARTERS.override(["objective.aggregate=softmin"])
CHANCE = BASE.override(["objective.n_random_periods=2"])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CheckpointStore]:
    """A run of each study, with its objective, that of its worst period, and the return of the whole."""
    with CheckpointStore(tmp_path / "c.db") as store:
        for value, study in ((1.0, QUARTERS), (100.0, SOFT), (7.0, CHANCE)):
            config = study.model_dump(mode="json")
            run_id = store.begin_run(
                experiment_id=study.identity, data_id="d", driver="search", config=config, name="study"
            )
            train = {"objective": value, "daily_log_sharpe.worst": value, "returns": value}
            raw = {name: tuple(row.tolist()) for name, row in study.initial_parameters().items()}
            store.append(run_id, [Checkpoint(run_id, 0, 0, "search", raw, metrics={"train": train}, objective=value)])
        yield store


@pytest.mark.parametrize(
    ("study", "metric", "best", "left_out"),
    [
        (QUARTERS, "objective", 1.0, 2),
        (SOFT, "objective", 100.0, 2),
        (QUARTERS, "daily_log_sharpe.worst", 100.0, 1),  # of the same periods, however they are aggregated
        (QUARTERS, "returns", 100.0, 0),
        (CHANCE, "objective", 7.0, 2),
    ],
)
def test_values_of_another_objective_are_left_out(store, study, metric, best, left_out):
    picked = pick_among(store, study, store.find_runs(), "best_train", [metric])
    assert picked.checkpoint.metrics["train"][metric] == best
    said = [line for line in picked.notes if "another [objective]" in line]
    assert [line.split()[0] for line in said] == ([str(left_out)] if left_out else [])


@pytest.mark.parametrize("change", ["objective.constraints={max_drawdown=-0.5}", "seed=5"])
def test_where_no_run_has_the_objective_that_is_said(store, change):
    study = CHANCE.override([change])
    with pytest.raises(SelectionError, match=r"no stored run has the \[objective\] of study 'study'"):
        pick_among(store, study, store.find_runs(), "best_train")
    with pytest.raises(SelectionError, match=r"no stored run has the \[objective\] of study 'study'"):
        best_of_search(store, "study", study=study)


def test_pick_takes_the_runs_that_compare_with_the_newest(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "empty.db")
    with pytest.raises(SelectionError, match="no run is stored yet"):
        quantsim.pick(store)
    other, elsewhere, newest = keep(store, FEES, validation=9.0), keep(store, data_id="e", validation=8.0), keep(store)
    picked = quantsim.pick(store)
    assert (picked.checkpoint, picked.n_others) == (newest, 2)
    assert picked.experiment.identity == DAYS.identity
    assert quantsim.pick(store, study=FEES).checkpoint == other
    assert quantsim.pick(store, study=DAYS).n_others == 1  # on other prices
    assert quantsim.pick(store, run=elsewhere.run_id).checkpoint == elsewhere
    assert quantsim.pick(store, run=other.run_id, study=FEES).checkpoint == other
    with pytest.raises(SelectionError, match=r"(?s)is not of study 'momentum_zero_fee'.*fees\.swap_fee: 0\.003 → 0\.0"):
        quantsim.pick(store, run=other.run_id, study=DAYS)
    with pytest.raises(SelectionError, match="no run of study 'momentum_zero_fee' is stored"):
        quantsim.pick(store, study=DAYS.override(["fees.swap_fee=0.1"]))


def test_folds_of_a_walk_forward_are_picked_only_by_their_run(store: CheckpointStore) -> None:
    newest = quantsim.pick(store).runs[0]
    shorter = BASE.override(["periods.train_end=2018-05-01"]).model_dump(mode="json")
    fold = store.begin_run(
        experiment_id="f", data_id="d", driver="search", config=shorter, name="fold", group=("folds", 0)
    )
    store.append(fold, [Checkpoint(fold, 0, 0, "search", {"a": (0.0,)}, metrics={"train": {"daily_log_sharpe": 9.0}})])
    picked = quantsim.pick(store)
    assert (picked.runs[0].run_id, picked.n_others) == (newest.run_id, 0)
    assert quantsim.pick(store, run=fold, metrics=["daily_log_sharpe"]).checkpoint.run_id == fold


def test_the_default_method() -> None:
    several = DAYS.override(['search.objectives=["daily_log_sharpe","returns"]'])
    assert method_named(BEST, DAYS) == method_named(None, DAYS) == default_method(DAYS) == "best_validation"
    assert method_named(BEST, several) == "balanced"
    assert method_named("best_test", several) == "best_test"


def test_a_selection_repeats_what_runs_noted_on_their_prices(tmp_path: Path):
    with CheckpointStore(tmp_path / "c.db") as store:
        for prices in ("in memory", "in memory, too"):
            keep(store, notes={"prices": prices, STEPS: "on bars of 240 minutes"})
        assert quantsim.pick(store).prices_notes == ("the prices were in memory, too", "on bars of 240 minutes")


def test_ratios_to_other_constant_weights_are_left_out(tmp_path: Path):
    """Runs that compare may have other initial weights, which constant weights keep."""
    skill = BASE.override(["objective.metric=information_ratio"])
    with CheckpointStore(tmp_path / "c.db") as store:
        for value, share in ((1.0, 0.5), (2.0, 0.5), (9.0, 0.8)):
            row = keep(store, skill.override([f"parameters.initial_weights=[{share}, {1.0 - share}]"]), train=value)
            returns = {"train": np.linspace(0.0, share, 5)}
            store.set_baselines(row.run_id, {BENCHMARK: Baseline(BENCHMARK, {"train": {}}, returns)})
        runs = store.find_runs()[::-1]
        picked = pick_among(store, skill, runs, "best_train")
        assert picked.checkpoint.metrics["train"]["information_ratio"] == 2.0
        assert picked.notes == ("1 of 3 runs left out: other constant weights to compare with",)
        assert pick_among(store, skill, runs[:2], "best_train").notes == ()
