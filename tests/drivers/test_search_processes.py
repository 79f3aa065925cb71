"""The search driver in processes that are killed; once with the real evaluator; and the examples of its page."""

from __future__ import annotations

import doctest
import os
import time
from pathlib import Path

import numpy as np
import pytest
import search_support
from search_support import make_experiment
from server_support import check_that_a_killed_search_goes_on

from quantsim import CheckpointStore, Evaluator, Prices
from quantsim.drivers.search import run_search


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@pytest.mark.parametrize("suffix", [".journal", ".db"])
def test_a_killed_search_loses_nothing_and_resumes(tmp_path, suffix):
    check_that_a_killed_search_goes_on(str(tmp_path / f"study{suffix}"), tmp_path)


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


def test_series_in_memory_reach_the_evaluator(tmp_path):
    times = np.arange("2024-01-01", "2024-01-09", dtype="datetime64[h]")
    prices = Prices.from_arrays(times, 100.0 + np.arange(2.0 * times.size).reshape(-1, 2) % 7, search_support.TOKENS)
    series = {"swap_fee": np.full(times.size, 0.01)}
    experiment = make_experiment(series={"swap_fee": "given"})
    with CheckpointStore(tmp_path / "checkpoints.db") as store:
        run = run_search(experiment, prices, store, series=series, trials=2, jobs=2)
        (row, _), stored = store.checkpoints(run_id=run.run_id), store.run(run.run_id)
    evaluator = Evaluator(experiment, prices, series)
    assert stored.data_id == evaluator.data_id != prices.identity
    assert row.metrics == evaluator.evaluate(row.params)


def test_the_documentation_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = Path(__file__).parents[2] / "docs" / "search.md"
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert tried > 5
    assert failed == 0
