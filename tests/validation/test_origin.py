"""Where a selected set came from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from validation_support import STUDY, returns_of, store_run

from quantsim import CheckpointStore
from quantsim.checkpoints import Checkpoint
from quantsim.validation.lineage import with_sources
from quantsim.validation.origin import Origin, origin_of


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path / "checkpoints.db")


def run_of(store: CheckpointStore, *changes: str, n_trials: int = 40, **options: Any) -> str:
    return store_run(store, *returns_of(0, n_trials=n_trials), STUDY.override(changes), **options)


def origin(store: CheckpointStore, run_id: str, step: int, parameter_set: int = 0) -> Origin:
    return origin_of(store, store.get(f"{run_id}:{step}:{parameter_set}"), store.run(run_id))


def test_the_first_trials_of_tpe_are_random_in_whole_batches(store: CheckpointStore):
    run_id = run_of(store, "search.n_startup_trials=20", "search.batch=8")
    assert origin(store, run_id, 23) == Origin("random", "trial 23, one of the first 24, which are drawn at random")
    assert origin(store, run_id, 24) == Origin("sampler", "trial 24, proposed by the sampler 'tpe'")


@pytest.mark.parametrize(
    ("sampler", "first", "second"),
    [
        ("random", "random", "random"),
        ("qmc", "random", "random"),
        ("nsga2", "random", "sampler"),
        ("cmaes", "sampler", "sampler"),
    ],
)
def test_samplers_differ_in_what_is_random(store: CheckpointStore, sampler: str, first: str, second: str):
    run_id = run_of(store, f"search.sampler={sampler}", "search.population_size=10")
    assert [origin(store, run_id, step).kind for step in (9, 10)] == [first, second]


def test_sets_of_gradient_training(store: CheckpointStore):
    run_id = run_of(store, driver="sgd", n_sets=4)
    assert origin(store, run_id, 0, 2).kind == "start"
    assert origin(store, run_id, 5, 2) == Origin("gradient", "gradient step 5 of parameter set 2")


def test_trials_that_were_given_name_where_they_came_from_and_bring_its_trials(store: CheckpointStore):
    gradients = run_of(store, driver="sgd", n_sets=4)
    run = store.run(gradients)
    search = store.begin_run(experiment_id=run.experiment_id, data_id=run.data_id, driver="search", config=run.config)
    tuned = store.get(f"{gradients}:5:2")
    rows = [
        Checkpoint(search, step, 0, "search", tuned.raw if step == 3 else {"log_k": (99.0 + step,)}) for step in (3, 4)
    ]
    store.append(search, rows, state_step=5, report={"given": [3, 4]})
    found = origin(store, search, 3)
    assert found == Origin("gradient", f"trial 3, from gradient step 5 of parameter set 2 of run {gradients[:8]}")
    assert origin(store, search, 4) == Origin("start", "trial 4, a given start")
    assert [run.run_id for run in with_sources(store, [store.run(search)])] == [search, gradients]
    assert [run.run_id for run in with_sources(store, [store.run(gradients)])] == [gradients]


def test_a_trial_that_was_made_of_the_active_parameters_of_a_gradient_step_is_its_copy(store: CheckpointStore):
    gradients = run_of(store, driver="sgd", n_sets=2)
    human = dict.fromkeys(("initial_weights", "memory_days", "k_per_day"), (1.5, 2.5))
    step = replace(store.get(f"{gradients}:3:1"), human={**human, "unused": (1.0,)})
    store.resume_run(gradients)
    store.append(gradients, [step])
    run = store.run(gradients)
    search = store.begin_run(experiment_id=run.experiment_id, data_id=run.data_id, driver="search", config=run.config)
    copy = Checkpoint(search, 7, 0, "search", {**step.raw, "log_k": (8.0, 8.0)}, {**human, "unused": (2.0,)})
    store.append(search, [copy], report={"given": [7]})
    assert origin(store, search, 7).kind == "gradient"
    assert [run.run_id for run in with_sources(store, [store.run(search)])] == [search, gradients]


def test_two_trainings_from_the_parameters_of_the_study_are_no_source_of_each_other(store: CheckpointStore):
    first, second = (store.run(run_of(store, driver="sgd", n_sets=4)) for _ in range(2))
    assert [run.run_id for run in with_sources(store, [second])] == [second.run_id]
    assert [run.run_id for run in with_sources(store, [first])] == [first.run_id]
