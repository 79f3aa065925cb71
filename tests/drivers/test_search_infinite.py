"""Searches in which the best trials have an infinite objective: they complete, are the best, and samplers go on from them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from search_support import Fake, make_experiment, make_prices

from quantsim import CheckpointStore, Experiment
from quantsim.checkpoints import select
from quantsim.drivers.search import SearchRun, run_search
from quantsim.drivers.search.study import load_study
from quantsim.drivers.search.values import constraint_values, trial_values, unfit
from quantsim.report.study_pages import _figures, importances, write_study_pages
from quantsim.storages.opened import opened_storage

NAME = "daily_log_sharpe"


class NoLoss(Fake):
    """Near the maximum there is no loss, and the objective is infinite; far from it, it is minus infinity, or nan."""

    def evaluate(self, params: Mapping[str, Any]) -> dict[str, dict[str, float]]:
        metrics = super().evaluate(params)
        for split, returns in (("train", float(metrics["train"][NAME])), ("validation", float(metrics["train"][NAME]))):
            value = (
                math.inf if returns > -12 else returns if returns > -60 else -math.inf if returns > -90 else math.nan
            )
            metrics[split] |= {NAME: value, "returns": returns, "daily_sharpe": -returns}
        return metrics


def search(
    folder: Path, storage: str | None = None, **tables: Any
) -> tuple[SearchRun, list[Any], list[Any], Experiment]:
    tables["search"] = {"trials": 30, "n_startup_trials": 10, **tables.get("search", {})}
    experiment = make_experiment(**tables)
    place = folder / (storage or "c.journal")
    with CheckpointStore(folder / "c.db") as store, warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # of numpy, where infinities cancel
        run = run_search(experiment, make_prices(), store, storage=place, make_evaluator=NoLoss)
        rows = store.checkpoints(run_id=run.run_id)
    with opened_storage(place) as opened:
        return run, load_study(opened, run.study_name).trials, rows, experiment


@pytest.mark.parametrize(
    ("sampler", "storage"), [("tpe", "c.journal"), ("cmaes", "c.journal"), ("nsga2", "c.journal"), ("random", "s.db")]
)
def test_infinite_trials_complete_and_the_best_of_them_is_the_best(tmp_path: Path, sampler: str, storage: str) -> None:
    run, trials, rows, _ = search(tmp_path, storage, search={"sampler": sampler, "population_size": 8})
    completed = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    infinite = [trial for trial in completed if trial.value == math.inf]
    assert len(infinite) > 2
    assert run.best_value == math.inf
    best = max(infinite, key=lambda trial: trial.user_attrs["metrics"]["train"]["returns"])
    assert run.best_trial == best.number
    assert select(rows, "best_train", NAME).checkpoint.step == best.number
    assert {row.step: row.objective for row in rows} == {trial.number: trial.value for trial in completed}
    failed = [trial for trial in trials if trial.state is TrialState.FAIL]
    assert run.n_failed == len(failed)
    assert all(trial.user_attrs["reason"].startswith(f"train {NAME} is nan; the pool's return is ") for trial in failed)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "nsga3"])
def test_a_front_with_infinite_members(tmp_path: Path, sampler: str) -> None:
    wanted = {"objectives": [NAME, "daily_sharpe"], "sampler": sampler, "population_size": 8}
    run, trials, _, _ = search(tmp_path, search=wanted)
    values = {trial.number: trial.values for trial in trials if trial.state is TrialState.COMPLETE}
    assert any(value[0] == math.inf for value in values.values())
    for number in run.front:
        beaten = [
            v
            for v in values.values()
            if v[0] >= values[number][0] and v[1] >= values[number][1] and v != values[number]
        ]
        assert not beaten
    assert run.best_trial in run.front
    assert 0.0 < run.hypervolume <= 1.0


def test_patience_counts_trials_at_infinity_as_no_gain(tmp_path: Path) -> None:
    run, trials, _, _ = search(tmp_path, search={"trials": 200, "patience": 12, "batch": 1})
    first = next(trial.number for trial in trials if trial.value == math.inf)
    assert run.stalled
    assert len(trials) == first + 13


def test_the_overfitting_penalty_of_ratios_is_bounded() -> None:
    experiment = make_experiment(search={"overfitting_penalty": 2.0})

    def value(train: float, validation: float, penalised: Experiment = experiment) -> float:
        (found,) = trial_values(penalised, {"train": {NAME: train}, "validation": {NAME: validation}})
        return found

    assert value(math.inf, math.inf) == 100.0
    assert value(math.inf, 40.0) == 100.0 - 2.0 * 60.0
    assert value(3.0, math.inf) == 3.0
    assert value(3.0, -math.inf) == 3.0 - 2.0 * 103.0
    assert math.isnan(value(math.inf, math.nan))
    metrics = {"train": {NAME: 1.0}, "validation": {NAME: math.nan, "returns": math.nan}}
    assert unfit(experiment, metrics) == (
        f"validation {NAME} is nan; the pool's return is nan: with these parameters its value is not a finite number"
    )
    # Of what has no bound, what is infinitely worse on validation data is the worst.
    returns = make_experiment(objective={"metric": "returns"}, search={"overfitting_penalty": 2.0})
    for train, validation in ((math.inf, 1.0), (1.0, -math.inf), (math.inf, -math.inf)):
        found = trial_values(returns, {"train": {"returns": train}, "validation": {"returns": validation}})
        assert found == (-math.inf,)


def test_the_reason_names_metric_and_periods() -> None:
    experiment = make_experiment(objective={"n_periods": 2, "metric": "daily_sharpe", "constraints": {"sharpe": 1.0}})
    train = {
        "objective": math.nan, "returns": 0.25, "daily_sharpe": 1.0, "sharpe": math.nan,
        "daily_sharpe.period_1": 1.0, "daily_sharpe.period_2": math.nan,
    }  # fmt: skip
    assert unfit(experiment, {"train": train}) == (
        "train objective is nan: daily_sharpe of period_2 and constraint sharpe; the pool's return is 0.25, so the period "
        "is too short for the metric (see docs/metrics.md)"
    )


def test_constraints_are_finite_for_samplers() -> None:
    experiment = make_experiment(objective={"constraints": {"daily_sharpe": 1.0}})
    for value, kept in ((math.inf, True), (-math.inf, False)):
        (found,) = constraint_values(experiment, {"train": {"daily_sharpe": value}}).values()
        assert math.isfinite(found)
        assert (found <= 0.0) == kept


def test_importances_and_pages_know_infinite_trials(tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(40):
        trial = study.ask()
        x, y = trial.suggest_float("x", 0.0, 1.0), trial.suggest_float("y", 0.0, 1.0)
        study.tell(trial, math.inf if x > 0.8 else -math.inf if x < 0.1 else 0.01 * number * y)
    assert sum(math.isinf(trial.value) for trial in study.trials) > 4
    found = importances(study)
    assert found["x"] > 2 * found["y"], "of finite trials alone y would matter most"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pages = [path.stem for path in write_study_pages(study, tmp_path, ["sortino"])]
    assert pages == ["history", "parallel_coordinates", "importances"]
    drawn = dict(_figures(study, ["sortino"]))["history"].data[0].y
    finite = [trial.value for trial in study.trials if math.isfinite(trial.value)]
    assert len(drawn) == 40
    assert max(drawn) == max(finite) + np.ptp(finite)


def test_the_picture_of_a_front_has_infinite_members(tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    study = optuna.create_study(directions=["maximize"] * 2, sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(12):
        trial = study.ask()
        x = trial.suggest_float("x", 0.0, 1.0)
        study.tell(trial, [math.inf if x > 0.7 else x, -math.inf if x > 0.9 else -x])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = dict(_figures(study, ["sortino", "returns"]))["pareto_front"].data
    assert sum(len(group.x) for group in drawn) == 12
    assert all(np.isfinite(np.asarray([*group.x, *group.y], float)).all() for group in drawn)
