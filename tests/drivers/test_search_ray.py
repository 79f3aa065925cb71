"""A search on a Ray cluster of this machine."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from search_support import SlowFake, make_experiment, make_prices

from quantsim import CheckpointStore
from quantsim.drivers.search import run_search
from quantsim.drivers.search.storage.opened import opened_storage
from quantsim.drivers.search.workers.claims import claims_of

if importlib.util.find_spec("ray") is None:
    pytest.skip("ray is not installed (the extra ray)", allow_module_level=True)


@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_on_a_cluster_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))  # workers import the evaluator by name
    addresses = set()

    def look(_):
        import ray

        if ray.is_initialized():  # the last report comes when the cluster has ended
            addresses.update(node["NodeManagerAddress"] for node in ray.nodes())

    with CheckpointStore(tmp_path / "checkpoints.db") as store:
        options = {"jobs": 2, "trials": 8, "backend": "ray", "make_evaluator": SlowFake, "progress": look}
        run = run_search(make_experiment(), make_prices(), store, **options)
        steps = [row.step for row in store.checkpoints(run_id=run.run_id)]
    with opened_storage(run.storage) as storage:
        trials = optuna.load_study(storage=storage, study_name=run.study_name).trials
    done = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    assert (run.n_trials, run.n_failed, len(done)) == (8, 0, 8)
    assert steps == [trial.number for trial in done]
    assert all(trial.state.is_finished() for trial in trials)
    assert os.getpid() not in {mark["pid"] for trial in done for mark in claims_of(trial).values()}
    assert addresses == {"127.0.0.1"}
    assert "RAY_USAGE_STATS_ENABLED" not in os.environ
