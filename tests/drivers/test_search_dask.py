"""Searches on a Dask cluster: one on this machine for the search alone, and one there is."""

from __future__ import annotations

import multiprocessing
import os

import optuna
import pytest
from optuna.trial import TrialState
from search_support import DyingWorker, Fake, make_experiment, make_prices

from quantsim.drivers.search import run_search
from quantsim.drivers.search.storage.opened import opened_storage
from quantsim.drivers.search.workers import clusters
from quantsim.drivers.search.workers.claims import claims_of
from quantsim.errors import DriverError

distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed (the extra dask)")


def check_whole(run, store, n_trials):
    """Every trial once, none of them run by this process; returns the processes."""
    with opened_storage(run.storage) as storage:
        trials = optuna.load_study(storage=storage, study_name=run.study_name).trials
    done = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    assert (run.n_trials, run.n_failed, len(done)) == (n_trials, 0, n_trials)
    assert all(trial.state.is_finished() for trial in trials)
    assert [row.step for row in store.checkpoints(run_id=run.run_id)] == [trial.number for trial in done]
    pids = {mark["pid"] for trial in done for mark in claims_of(trial).values()}
    assert os.getpid() not in pids
    return pids


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_on_a_cluster_of_its_own_where_workers_are_killed(store):
    run = run_search(
        make_experiment(), make_prices(), store, jobs=2, trials=5, backend="dask", make_evaluator=DyingWorker
    )
    assert len(check_whole(run, store, 5)) >= 2


def test_on_a_cluster_there_is(store):
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        run = run_search(
            make_experiment(), make_prices(), store, trials=6, backend="dask", address=address, make_evaluator=Fake
        )
        assert len(check_whole(run, store, 6)) == 1
        with pytest.raises(ArithmeticError, match="no evaluator here"):
            run_search(
                make_experiment(),
                make_prices(),
                store,
                trials=8,
                backend="dask",
                address=address,
                make_evaluator=only_in_the_driver,
            )
    assert store.run(run.run_id).status == "failed"


def only_in_the_driver(experiment, prices):
    if multiprocessing.parent_process() is not None:
        raise ArithmeticError("no evaluator here")
    return Fake(experiment, prices)


def test_a_cluster_that_is_not_there(store, monkeypatch):
    monkeypatch.setattr(clusters, "TIMEOUT_S", 0.5)
    with pytest.raises(DriverError, match=r"no Dask scheduler answers at 127\.0\.0\.1:1"):
        run_search(
            make_experiment(),
            make_prices(),
            store,
            backend="dask",
            address="127.0.0.1:1",
            make_evaluator=Fake,
        )
