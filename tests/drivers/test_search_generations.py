"""Generations: evaluated in one call, with the trials that one after the other would have had, wherever a study is cut off."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pytest
from optuna.trial import TrialState
from search_support import Fake, make_experiment, make_prices

from quantsim.drivers.search import run_search
from quantsim.drivers.search.samplers.generations import batch_width
from quantsim.drivers.search.space import Draw
from quantsim.drivers.search.storage.opened import opened_storage
from quantsim.drivers.search.study import is_void, load_study
from quantsim.drivers.search.workers import worker

SAMPLERS = ("cmaes", "nsga2", "nsga3", "qmc", "random")
N_TRIALS = 40


class Counting(Fake):
    """Some sets, fixed by their values, are not finite; notes how wide each call was."""

    widths: ClassVar[list[int]] = []
    distinct: ClassVar[list[int]] = []
    alone = 0
    interrupt_at: int | None = None

    def evaluate(self, params: Mapping[str, Any]) -> dict[str, dict[str, float]]:
        type(self).alone += 1
        return self.value(params)

    def value(self, params: Mapping[str, Any]) -> dict[str, dict[str, float]]:
        metrics = super().evaluate(params)
        if math.sin(1e3 * float(params["log_k"][0])) > 0.8:
            metrics["train"][self.experiment.objective.metric] = math.nan
        return metrics

    def evaluate_many(self, sets: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        if len(self.widths) == self.interrupt_at:
            type(self).interrupt_at = None
            raise KeyboardInterrupt
        self.widths.append(len(sets["log_k"]))
        self.distinct.append(len(np.unique(np.hstack(list(sets.values())), axis=0)))
        rows = [self.value({name: values[row] for name, values in sets.items()}) for row in range(len(sets["log_k"]))]
        return {
            split: {name: np.array([row[split][name] for row in rows]) for name in table}
            for split, table in rows[0].items()
        }


@pytest.fixture
def evaluator(monkeypatch):
    monkeypatch.setattr(Counting, "widths", [])
    monkeypatch.setattr(Counting, "distinct", [])
    monkeypatch.setattr(Counting, "alone", 0)
    monkeypatch.setattr(Counting, "interrupt_at", None)
    return Counting


def search(store, path, sampler, evaluator, trials=N_TRIALS, **options):
    experiment = make_experiment(search={"sampler": sampler, "population_size": 8})
    return run_search(
        experiment, make_prices(), store, storage=path, trials=trials, make_evaluator=evaluator, **options
    )


def trials_of(path, run):
    """Parameters, state and value of the trials that count, in the order of their numbers."""
    with opened_storage(path) as storage:
        trials = load_study(storage, run.study_name).trials
    return [(trial.params, trial.state, trial.values) for trial in trials if not is_void(trial)]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_trials_are_those_of_one_after_the_other(tmp_path, store, evaluator, monkeypatch, sampler):
    together = trials_of(path := tmp_path / "a.journal", search(store, path, sampler, evaluator))
    assert evaluator.alone == 0
    assert set(evaluator.widths) == {8}
    failed = sum(state is TrialState.FAIL for _, state, _ in together)
    assert 0 < failed < 20
    assert len(together) == N_TRIALS
    monkeypatch.setattr(worker, "batch_width", lambda *_: 1)
    alone = trials_of(path := tmp_path / "b.journal", search(store, path, sampler, evaluator))
    assert alone == together
    assert evaluator.alone == N_TRIALS


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("while_drawing", [False, True])
def test_a_study_cut_off_within_a_generation_goes_on(tmp_path, store, evaluator, monkeypatch, sampler, while_drawing):
    whole = trials_of(path := tmp_path / "a.journal", search(store, path, sampler, evaluator))
    path = tmp_path / "b.journal"
    if while_drawing:
        interrupt_at_draw(monkeypatch, 4 * 12 + 3)  # with half of a trial's parameters
    else:
        evaluator.interrupt_at = len(evaluator.widths) + 2
    with pytest.raises(KeyboardInterrupt):
        search(store, path, sampler, evaluator)
    for trials in (19, N_TRIALS):  # and once in between, where it was asked for no more
        run = search(store, path, sampler, evaluator, trials)
    assert trials_of(path, run) == whole
    assert evaluator.alone == 0


def interrupt_at_draw(monkeypatch, number):
    """Ctrl-C at that draw of a value, counted from 1."""
    suggest, count = Draw.suggest, 0

    def interrupted(self, trial):
        nonlocal count
        count += 1
        if count == number:
            raise KeyboardInterrupt
        return suggest(self, trial)

    monkeypatch.setattr(Draw, "suggest", interrupted)


@pytest.mark.parametrize("sampler", ["nsga2", "qmc"])
def test_a_study_cut_off_again_among_its_repetitions_keeps_their_order(
    tmp_path, store, evaluator, monkeypatch, sampler
):
    whole = trials_of(path := tmp_path / "a.journal", search(store, path, sampler, evaluator))
    path = tmp_path / "b.journal"
    evaluator.interrupt_at = len(evaluator.widths) + 1
    with pytest.raises(KeyboardInterrupt):
        search(store, path, sampler, evaluator)
    with monkeypatch.context() as patch:
        interrupt_at_draw(patch, 4 * 2 + 3)  # two and a half of eight trials are taken from the queue
        with pytest.raises(KeyboardInterrupt):
            search(store, path, sampler, evaluator)
    assert trials_of(path, search(store, path, sampler, evaluator)) == whole


@pytest.mark.parametrize(("sampler", "key"), [("nsga2", "NSGAIISampler"), ("nsga3", "NSGAIIISampler")])
def test_a_trial_cut_off_once_its_parents_are_selected_is_drawn_as_it_was(
    tmp_path, store, evaluator, monkeypatch, sampler, key
):
    whole = trials_of(path := tmp_path / "a.journal", run := search(store, path, sampler, evaluator))
    with opened_storage(path) as storage:
        generations = [trial.system_attrs[f"{key}:generation"] for trial in load_study(storage, run.study_name).trials]
    path = tmp_path / "b.journal"
    with monkeypatch.context() as patch:
        interrupt_at_draw(patch, 4 * generations.index(2) + 2)
        with pytest.raises(KeyboardInterrupt):
            search(store, path, sampler, evaluator)
    assert trials_of(path, search(store, path, sampler, evaluator)) == whole


def test_where_the_call_fails_each_is_evaluated_by_itself(tmp_path, store, evaluator):
    class Fails(evaluator):
        def evaluate_many(self, sets):
            raise MemoryError("too wide")

    run = search(store, tmp_path / "a.journal", "nsga2", Fails)
    assert run.n_trials == Fails.alone == N_TRIALS


def test_twenty_failures_in_a_row_end_it_here_too(tmp_path, store, evaluator):
    class NeverFinite(evaluator):
        def value(self, params):
            metrics = super().value(params)
            metrics["train"][self.experiment.objective.metric] = math.nan
            return metrics

    with pytest.raises(Exception, match=r"\d\d trials .* one after another, .* train daily_log_sharpe is nan"):
        search(store, tmp_path / "a.journal", "random", NeverFinite)


def test_sets_that_were_given_are_evaluated_with_the_first_generation(tmp_path, store, evaluator):
    given = [{"memory_days": 1.0, "k_per_day": 16.0}, {"memory_days": 2.0, "k_per_day": 8.0}]
    search(store, tmp_path / "a.journal", "nsga2", evaluator, trials=8, enqueue=given)
    assert evaluator.widths == [8]


def test_a_set_that_may_have_killed_its_worker_is_evaluated_with_no_other(tmp_path, store, evaluator):
    path = tmp_path / "a.journal"
    name = search(store, path, "nsga2", evaluator, trials=8).study_name
    suspects = [{"memory_days_BTC": 2.0}, {"memory_days_BTC": 3.0}]
    with opened_storage(path) as storage:
        study = load_study(storage, name)
        for trial, changed in zip(study.trials, suspects, strict=False):
            study.enqueue_trial({**trial.params, **changed}, user_attrs={"lost_workers": 1})
    evaluator.distinct.clear()
    search(store, path, "nsga2", evaluator, trials=18)
    assert evaluator.distinct == [1, 1, 8]


def test_batches_are_as_wide_as_generations_where_the_evaluator_takes_them():
    def width(at_most=32, **search):
        return batch_width(make_experiment(search=search).search, 4, at_most)

    assert width(sampler="nsga2", population_size=12) == 12
    assert width(sampler="qmc", population_size=500) == 32
    assert width(1, sampler="cmaes") == 1
    assert width(sampler="cmaes") == 8
    assert width(sampler="tpe") == 1
    assert width(sampler="random", pruner="median") == 1
