"""A search on a Ray cluster of this machine."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest
from search_support import Fake, SlowFake, make_experiment, make_prices
from server_support import trials_of

from quantsim.drivers.search import run_search

pytestmark = pytest.mark.integration

if importlib.util.find_spec("ray") is None:
    pytest.skip("ray is not installed (the extra ray)", allow_module_level=True)


@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_on_a_cluster_of_its_own(tmp_path, store, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))  # workers import the evaluator by name
    addresses, found = set(), []

    def look(_):
        import ray

        addresses.update(node["NodeManagerAddress"] for node in ray.nodes())

    for name, options in (
        ("there", {"jobs": 2, "backend": "ray", "make_evaluator": SlowFake, "progress": look}),
        ("here", {"make_evaluator": Fake}),
    ):
        path = tmp_path / f"{name}.journal"
        run = run_search(make_experiment(), make_prices(), store, trials=16, storage=path, **options)
        assert len(store.checkpoints(run_id=run.run_id)) == 16
        found.append([(trial.params, trial.values) for trial in trials_of(str(path), run.study_name)])
    assert found[0] == found[1]
    assert addresses == {"127.0.0.1"}
    assert "RAY_USAGE_STATS_ENABLED" not in os.environ
