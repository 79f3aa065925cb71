"""The search driver across processes: kills, workers, and workers that are killed; and once with the real evaluator."""

from __future__ import annotations

import doctest
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import optuna
import pytest
import search_support
from optuna.trial import TrialState
from search_support import DyingAtOnce, DyingWorker, Fake, make_experiment, make_prices

from quantsim import CheckpointStore, Evaluator, Prices
from quantsim.drivers.search import run_search
from quantsim.drivers.search.storage.opened import opened_storage
from quantsim.drivers.search.workers import parallel
from quantsim.errors import DriverError


def trials_of(storage_path, study_name=None):
    with opened_storage(storage_path) as storage:
        return optuna.load_study(storage=storage, study_name=study_name).trials


def completed(trials):
    return {trial.number: trial.params for trial in trials if trial.state is TrialState.COMPLETE}


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@pytest.mark.parametrize("suffix", [".journal", ".db"])
def test_a_killed_search_loses_nothing_and_goes_on(tmp_path, suffix):
    path = tmp_path / f"study{suffix}"
    command = [sys.executable, search_support.__file__, str(tmp_path), suffix]
    for at_least in (5, 12):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                told = int(line)
                if told >= at_least:
                    break
            process.send_signal(signal.SIGKILL)
    before = completed(trials_of(path))
    assert len(before) >= told

    with CheckpointStore(tmp_path / "checkpoints.db") as store:
        n_trials = len(before) + 5
        run = run_search(make_experiment(), make_prices(), store, storage=path, trials=n_trials, make_evaluator=Fake)
        after = completed(trials_of(path))
        rows = store.checkpoints(run_id=run.run_id)
        assert len(store.find_runs()) == 1
        whole = run_search(
            make_experiment(),
            make_prices(),
            store,
            storage=tmp_path / "whole.journal",
            trials=n_trials,
            make_evaluator=Fake,
        )
    assert before.items() <= after.items()
    assert (run.n_trials, run.n_failed, len(after)) == (n_trials, 0, n_trials)
    assert [row.step for row in rows] == sorted(after)
    assert list(after.values()) == list(completed(trials_of(whole.storage)).values())  # as if it had not been killed


def test_two_workers_run_each_trial_once(tmp_path):
    events = []
    with CheckpointStore(tmp_path / "checkpoints.db") as store:
        run = run_search(
            make_experiment(), make_prices(), store, jobs=2, trials=11, make_evaluator=Fake, progress=events.append
        )
        rows = store.checkpoints(run_id=run.run_id)
    done = completed(trials_of(run.storage))
    assert (run.n_trials, run.n_failed, len(done)) == (11, 0, 11)
    assert [row.step for row in rows] == list(done)
    assert len({tuple(params.values()) for params in done.values()}) == 11
    assert (events[-1].finished, events[-1].best_value) == (11, run.best_value)


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_killed_workers_are_replaced_and_their_trials_run_again(tmp_path, caplog):
    with CheckpointStore(tmp_path / "checkpoints.db") as store:
        run = run_search(make_experiment(), make_prices(), store, jobs=2, trials=7, make_evaluator=DyingWorker)
        rows = store.checkpoints(run_id=run.run_id)
    trials = trials_of(run.storage)
    done = completed(trials)
    assert (run.n_trials, run.n_failed, len(done)) == (7, 0, 7)
    assert [row.step for row in rows] == list(done)
    assert all(trial.state.is_finished() for trial in trials)
    tried = [trial for trial in trials if trial.params]
    lost = [trial for trial in tried if trial.user_attrs.get("reason") == "the process that ran it is gone"]
    assert lost
    again = {trial.user_attrs["retry_of"]: trial.params for trial in tried if "retry_of" in trial.user_attrs}
    assert all(again[trial.number] == trial.params for trial in lost)
    assert "a worker process died" in caplog.text


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_search_whose_workers_all_die_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "SPARE_DEATHS", 0)
    with CheckpointStore(tmp_path / "checkpoints.db") as store:
        with pytest.raises(DriverError, match=r"3 worker processes died, .* perhaps with fewer jobs"):
            run_search(make_experiment(), make_prices(), store, jobs=2, make_evaluator=DyingAtOnce)
        (stored,) = store.find_runs(status="failed")
        run = run_search(make_experiment(), make_prices(), store, make_evaluator=Fake)
        assert run.run_id == stored.run_id
        assert len(store.checkpoints(run_id=run.run_id)) == run.n_trials == 12


def test_with_the_real_evaluator(tmp_path):
    times = np.arange("2024-01-01", "2024-01-09", dtype="datetime64[h]")
    walk = np.random.default_rng(0).normal(0, 0.01, (times.size, 2)).cumsum(axis=0)
    prices = Prices.from_arrays(times, 100 * np.exp(walk), search_support.TOKENS)
    experiment = make_experiment(search={"trials": 6})
    begun = time.monotonic()
    with CheckpointStore(tmp_path / "checkpoints.db") as store:
        run = run_search(experiment, prices, store)
        row = store.resolve(f"{run.run_id}:{run.best_trial}:0")
        assert Path(run.storage).is_file()
    assert run.seconds <= time.monotonic() - begun
    metrics = Evaluator(experiment, prices).evaluate(row.params)
    assert row.metrics == metrics
    assert row.objective == run.best_value == metrics["train"]["daily_log_sharpe"]


def test_the_documentation_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = Path(__file__).parents[2] / "docs" / "search.md"
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert tried > 5
    assert failed == 0
