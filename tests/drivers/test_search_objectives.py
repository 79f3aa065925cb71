"""Several objectives, constraints, overfitting, pruning and patience: what steers a search beside one metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from search_support import Fake, make_experiment, make_prices

from quantsim import CheckpointStore, Experiment
from quantsim.drivers.search import SearchRun, run_search, telling
from quantsim.drivers.search.study import load_study, settled_trials
from quantsim.drivers.search.values import constraint_values, trial_values, unfit
from quantsim.errors import ConfigError
from quantsim.optuna_private import set_trial_attribute
from quantsim.storages.opened import opened_storage

RETURNS, SHARPE = "returns", "daily_sharpe"


class Rivals(Fake):
    """Two metrics with maxima at different memories, and a third that never changes."""

    def evaluate(self, params: Mapping[str, Any]) -> dict[str, dict[str, float]]:
        memory = float(params["logit_lamb"][0])
        train = {
            "daily_log_sharpe": -(memory**2), RETURNS: -((memory - 1.0) ** 2), SHARPE: 2.0, "turnover": -abs(memory),
        }  # fmt: skip
        train.setdefault(self.experiment.objective.name, train["daily_log_sharpe"])
        if memory > 4.5:
            train[RETURNS] = math.nan
        return {"train": train, "validation": {name: value - 0.5 for name, value in train.items()}}

    def evaluate_block(self, params: Mapping[str, Any], n_blocks: int, block: int) -> float:
        return -float(params["logit_lamb"][0] ** 2)


def search(tmp_path: Path, **tables: Any) -> tuple[SearchRun, list[optuna.trial.FrozenTrial], Experiment]:
    tables["search"] = {"trials": 30, "n_startup_trials": 8, **tables.get("search", {})}
    experiment = make_experiment(**tables)
    with CheckpointStore(tmp_path / "c.db") as store:
        run = run_search(experiment, make_prices(), store, make_evaluator=Rivals)
        rows = store.checkpoints(run_id=run.run_id)
    with opened_storage(tmp_path / "c.journal") as storage:
        trials = load_study(storage, run.study_name).trials
    assert len(rows) == sum(trial.state is TrialState.COMPLETE for trial in trials)
    return run, trials, experiment


def test_a_front_of_three_objectives_one_of_them_constant(tmp_path: Path) -> None:
    names = ["daily_log_sharpe", RETURNS, SHARPE]
    run, trials, _ = search(tmp_path, search={"objectives": names, "sampler": "nsga2", "population_size": 8})
    completed = {trial.number: np.array(trial.values) for trial in trials if trial.state is TrialState.COMPLETE}
    assert all(values.shape == (3,) and values[2] == 2.0 for values in completed.values())
    for number in run.front:
        beaten = [v for v in completed.values() if (v >= completed[number]).all() and (v > completed[number]).any()]
        assert not beaten
    assert run.best_trial in run.front
    assert len(run.front) > 1
    assert 0.0 < run.hypervolume <= 1.0
    failed = [trial for trial in trials if trial.state is TrialState.FAIL]
    assert all("train returns is nan" in trial.user_attrs["reason"] for trial in failed)
    assert run.n_failed == len(failed)


def test_a_minus_minimises(tmp_path: Path) -> None:
    run, trials, _ = search(tmp_path, search={"objectives": ["-daily_log_sharpe", SHARPE], "trials": 9})
    worst = max(trial.values[0] for trial in trials if trial.state is TrialState.COMPLETE)
    assert run.best_value == worst > 0.0


def test_constraints_reach_the_sampler_and_the_choice(tmp_path: Path) -> None:
    tables = {"objective": {"constraints": {"turnover": -0.4}}, "search": {"objectives": ["daily_log_sharpe", RETURNS]}}
    run, trials, experiment = search(tmp_path, **tables)
    kept = {t.number: t for t in trials if t.state is TrialState.COMPLETE and t.constraints["turnover"] <= 0.0}
    assert kept
    assert set(run.front) <= set(kept)
    metrics = {"train": {"turnover": -0.5, "daily_log_sharpe": 1.0, RETURNS: 0.0}}
    assert constraint_values(experiment, metrics) == {"turnover": pytest.approx(0.1)}
    reason = unfit(experiment, {"train": {**metrics["train"], "turnover": math.nan}})
    assert str(reason).startswith("constraint: train turnover is nan")


def test_overfitting_is_taken_off_and_underfitting_is_not() -> None:
    experiment = make_experiment(search={"overfitting_penalty": 2.0})
    name = experiment.objective.name
    for train, validation, wanted in ((1.0, 0.25, -0.5), (1.0, 3.0, 1.0)):
        assert trial_values(experiment, {"train": {name: train}, "validation": {name: validation}}) == (wanted,)
    reason = unfit(experiment, {"train": {name: 1.0}, "validation": {name: math.nan}})
    assert reason == f"validation {name} is nan"


def test_pruned_trials_count_and_are_no_failures(tmp_path: Path) -> None:
    run, trials, _ = search(tmp_path, search={"pruner": "median", "prune_blocks": 3})
    pruned = [trial for trial in trials if trial.state is TrialState.PRUNED]
    assert len(pruned) == run.n_pruned > 0
    assert run.n_trials == 30
    assert all(1 <= len(trial.intermediate_values) <= 3 for trial in pruned)
    completed = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    assert all(sorted(trial.intermediate_values) == [0, 1, 2] for trial in completed)
    assert run.best_value == max(trial.value for trial in completed)


def test_an_interrupted_study_with_pruning_resumes_to_the_same_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = make_experiment(search={"sampler": "random", "pruner": "hyperband", "prune_blocks": 3, "trials": 40})

    def run(name: str) -> list[Any]:
        with CheckpointStore(tmp_path / f"{name}.db") as store:
            run_search(experiment, make_prices(), store, study_name="same", make_evaluator=Rivals)
        with opened_storage(tmp_path / f"{name}.journal") as storage:
            return [(each.params, each.state, each.values) for each in settled_trials(load_study(storage, "same"))]

    whole = run("whole")
    assert {state for _, state, _ in whole} == {TrialState.COMPLETE, TrialState.PRUNED}
    interrupts = 3

    def interrupted(study: optuna.Study, trial: optuna.trial.FrozenTrial, key: str, value: Any) -> None:
        nonlocal interrupts
        set_trial_attribute(study, trial, key, value)
        if interrupts:
            interrupts -= 1
            raise KeyboardInterrupt  # what the pruner noted is stored, and the trial still running

    monkeypatch.setattr(telling, "set_trial_attribute", interrupted)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run("parts")
    assert run("parts") == whole


@pytest.mark.parametrize("batch", [1, 8])
def test_patience_ends_a_study_that_no_longer_gains_and_a_new_call_does_not_go_on(tmp_path: Path, batch: int) -> None:
    settings = {"trials": 200, "patience": 12, "min_gain": 0.05, "batch": batch}
    run, trials, _ = search(tmp_path, search=settings)
    best, since = -math.inf, 0
    for number, trial in enumerate(trials):
        assert since < 12 or number % batch, "a batch is run to its end"
        since += 1
        if trial.state is TrialState.COMPLETE and trial.value > best + 0.05:
            best, since = trial.value, 0
    assert since >= 12
    assert len(trials) % batch == 0
    assert run.stalled
    again, same, _ = search(tmp_path, search=settings)
    assert len(same) == len(trials) == again.n_trials


def test_max_minutes_ends_a_session_and_the_next_one_resumes(tmp_path: Path) -> None:
    first, trials, _ = search(tmp_path, search={"trials": 9, "max_minutes": 1e-9})
    assert (first.n_trials, first.out_of_time) == (1, True)
    last, same, _ = search(tmp_path, search={"trials": 9, "max_minutes": 60.0})
    assert (last.n_trials, last.out_of_time) == (9, False)
    assert same[0].params == trials[0].params
    whole, straight, _ = search(tmp_path / "whole", search={"trials": 9})
    assert not whole.out_of_time
    assert [trial.params for trial in same] == [trial.params for trial in straight], "a budget changes no trial"


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"search": {"objectives": ["returns"]}}, "is one objective: set objective.metric"),
        ({"search": {"objectives": ["returns", "returns"]}}, "given more than once"),
        ({"search": {"objectives": ["returns", "sharpe"], "patience": 5}}, "patience = 5 is for one objective"),
        (
            {"search": {"objectives": ["returns", "sharpe"], "pruner": "median"}},
            "pruner = 'median' is for one objective",
        ),
        ({"search": {"overfitting_penalty": 1.0}, "periods": {"validation_end": None}}, "needs validation data"),
    ],
)
def test_inconsistent_settings_are_refused(tables: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_experiment(**tables)


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"objectives": ["returns", "sharp"]}, "'sharp' is not a metric of this study; did you mean 'sharpe'"),
        ({"objectives": ["returns", "daily_log_sharpe.worst"]}, "need objective.n_periods above 1"),
        (
            {"pruner": "median", "prune_blocks": 4},
            r"prune_blocks = 4 leaves less than a chunk \(1440 .*: take 3 at most",
        ),
    ],
)
def test_unknown_objectives_are_refused_before_the_search(tmp_path: Path, search: dict[str, Any], message: str) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("nothing may run")

    with CheckpointStore(tmp_path / "c.db") as store, pytest.raises(ConfigError, match=message):
        run_search(make_experiment(search=search), make_prices(), store, make_evaluator=never)


def test_a_sampler_that_cannot_is_refused(tmp_path: Path) -> None:
    experiment = make_experiment(search={"objectives": ["returns", "sharpe"], "sampler": "cmaes"})
    with CheckpointStore(tmp_path / "c.db") as store, pytest.raises(ConfigError, match="for one objective"):
        run_search(experiment, make_prices(), store, make_evaluator=Rivals)
