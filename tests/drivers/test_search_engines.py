"""Engines: threads, and Dask clusters whose workers are killed, come to the same trials; what cannot be run is named."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
from pathlib import Path

import pytest
from search_support import DeadlySet, Fake, OneIsKilled, make_experiment, make_prices
from server_support import trials_of

from quantsim.drivers.search import clusters, engines, run_search
from quantsim.drivers.search.evaluation import Call, run
from quantsim.errors import DriverError

dask = pytest.importorskip("dask", reason="dask is not installed (the extra dask)")
distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed (the extra dask)")

N_TRIALS = 20


def search(store, path, evaluator=Fake, trials=N_TRIALS, **options):
    """The run, and its trials: parameters, state and values."""
    done = run_search(
        make_experiment(), make_prices(), store, storage=path, trials=trials, make_evaluator=evaluator, **options
    )
    found = trials_of(str(path), done.study_name)
    return done, [(trial.params, trial.state, trial.values) for trial in found]


@contextlib.contextmanager
def cluster_of_two():
    """Two workers, each a process with one thread."""
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as found:
        yield found


@pytest.mark.integration
@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_killed_worker_of_a_cluster_does_not_change_the_trials(tmp_path, store, monkeypatch):
    _, wanted = search(store, tmp_path / "here.journal", Fake)
    monkeypatch.setenv("ONE_IS_KILLED", str(tmp_path / "killed"))
    with cluster_of_two() as cluster:
        options = {"backend": "dask", "address": cluster.scheduler_address}
        done, found = search(store, tmp_path / "there.journal", OneIsKilled, **options)
    assert (tmp_path / "killed").exists()
    assert found == wanted
    assert [row.step for row in store.checkpoints(run_id=done.run_id)] == list(range(N_TRIALS))


@pytest.mark.integration
@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_on_a_cluster_of_its_own_a_set_that_kills_every_worker_fails(tmp_path, store, monkeypatch):
    monkeypatch.setenv("TESTS_PROCESS", str(os.getpid()))
    given = [{"memory_days": 2.0, "k_per_day": 5.0}, {"memory_days": 1.0, "k_per_day": 0.5}]
    options = {"backend": "dask", "jobs": 2, "trials": 3, "enqueue": given}
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}):
        done, found = search(store, tmp_path / "there.journal", DeadlySet, **options)
    _, wanted = search(store, tmp_path / "here.journal", DeadlySet, enqueue=given, trials=3)
    assert done.n_failed == 1
    assert [found[0], found[2]] == [wanted[0], wanted[2]]
    failed = trials_of(done.storage, done.study_name)[1]
    assert failed.user_attrs["reason"].startswith("its evaluation ended every worker")


def only_in_the_driver(*parts):
    if multiprocessing.parent_process() is not None:
        raise ArithmeticError("no evaluator here")
    return Fake(*parts)


@pytest.mark.integration
def test_an_error_in_a_worker_is_raised_in_the_driver(tmp_path, store):
    options = {"backend": "dask", "jobs": 1}
    with pytest.raises(ArithmeticError, match="no evaluator here"):
        search(store, tmp_path / "a.journal", only_in_the_driver, **options)
    assert [run.status for run in store.find_runs()] == ["failed"]


def test_a_cluster_that_is_not_there(tmp_path, store, monkeypatch):
    monkeypatch.setattr(clusters, "TIMEOUT_S", 0.5)
    with pytest.raises(DriverError, match=r"no Dask scheduler answers at 127\.0\.0\.1:1"):
        search(store, tmp_path / "a.journal", backend="dask", address="127.0.0.1:1")


def test_a_worker_keeps_the_last_evaluators_that_it_made(monkeypatch):
    monkeypatch.setattr(clusters, "_evaluators", clusters.OrderedDict())
    experiment, prices = make_experiment(), make_prices()
    data, call = pickle.dumps((Fake, experiment, prices, None)), Call((experiment.initial_parameters(),))
    for key in ("a", "b", "c", "b"):
        assert clusters.run_remote(key, call, data) == run(Fake(experiment, prices), call)
    assert [(key, evaluator.calls) for key, evaluator in clusters._evaluators.items()] == [("c", 1), ("b", 2)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "slurm"}, r"backend = 'slurm' must be one of threads, dask, ray"),
        ({"address": "host:8786"}, r"address = 'host:8786' needs a cluster"),
        ({"backend": "dask", "address": "host"}, r"address = 'host' must be HOST:PORT"),
        ({"backend": "dask"}, r"needs the package distributed: pip install 'quantsim\[dask\]'"),
    ],
)
def test_backends_that_cannot_be_are_refused_at_once(tmp_path: Path, store, monkeypatch, options, message):
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DriverError, match=message):
        search(store, tmp_path / "a.journal", None, **options)
