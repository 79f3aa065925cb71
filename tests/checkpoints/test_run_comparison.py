"""Two results side by side: what differs, what compares, and the paired difference of daily returns."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from run_support import DAYS

from quantsim.checkpoints import Baseline, Checkpoint, CheckpointStore
from quantsim.checkpoints.picking import pick
from quantsim.errors import SelectionError
from quantsim.statistics import paired_interval

N_DAYS = {split: (end - start).days - 1 for split, (start, end) in DAYS.periods.splits().items()}


@pytest.fixture
def store(tmp_path):
    with CheckpointStore(tmp_path / "checkpoints.db") as opened:
        yield opened


def kept(store: CheckpointStore, study=DAYS, data_id: str = "d", seed: int = 0, held: int = 0, **options: Any) -> str:
    """A finished run with two sets, the second of which has the better validation value."""
    run_id = store.begin_run(
        experiment_id=study.identity,
        data_id=data_id,
        name=study.name,
        driver=options.pop("driver", "sgd"),
        config=study.model_dump(mode="json"),
        **options,
    )
    random = np.random.default_rng(seed)
    days = {split: (end - start).days - 1 for split, (start, end) in study.periods.splits().items()}
    rows = [
        Checkpoint(
            run_id,
            step,
            0,
            "sgd",
            {"w": (float(step),)},
            {"memory_days": (10.0 + step, 12.0)},
            {split: {study.objective.name: step + seed + index / 8} for index, split in enumerate(days)},
            daily_log_returns={split: 0.02 * random.standard_normal(n) for split, n in days.items()},
        )
        for step in range(2)
    ]
    store.append(run_id, rows)
    holding = np.random.default_rng(held)
    returns = {split: holding.standard_normal(n) for split, n in days.items()}
    store.set_baselines(run_id, {"hodl": Baseline("hodl", {split: {} for split in days}, returns)})
    store.finish_run(run_id)
    return run_id


def test_runs_of_one_study_compare_on_every_split(store):
    first, second = kept(store), kept(store, seed=5)
    found = store.compare(first[:8], second)
    assert (found.differences, found.cautions) == ((), ())
    assert found.parameters == {"memory_days": ((11.0, 12.0), (11.0, 12.0))}
    assert [pair.split for pair in found.splits] == ["train", "validation", "test"]
    for pair in found.splits:
        one, other = (side.checkpoints[0].daily_log_returns[pair.split] for side in (found.first, found.second))
        expected = paired_interval(lambda days: 365.0 * days.mean(axis=-1), one, other)
        assert pair.difference == expected
        assert (pair.n_days, pair.same_data, pair.reason) == (N_DAYS[pair.split], True, "")
        assert [b - a for a, b in pair.metrics.values()] == [5.0]
    assert json.dumps(found.to_json(), allow_nan=False)


def test_the_compared_set_is_the_one_that_drivers_select(store):
    run_id, other = kept(store), kept(store, seed=1)
    picked = pick(store, "best_validation", run=run_id).selection.checkpoint
    found = store.compare(run_id, other)
    assert (found.first.checkpoints[0].key, found.first.method) == (picked.key, "best_validation")
    named = store.compare(f"{run_id[:8]}:0:0", f"{run_id}:1:0")
    assert [side.label for side in (named.first, named.second)] == [f"{run_id[:8]}:0:0", picked.key]
    with pytest.raises(SelectionError, match="are the same result"):
        store.compare(run_id, picked.key)
    empty = store.begin_run(experiment_id="e", data_id="d", driver="sgd", config={})
    with pytest.raises(SelectionError, match="has no checkpoint yet"):
        store.compare(run_id, empty)


def test_costs_objectives_and_other_keys_are_marked(store):
    costly = DAYS.override(["fees.swap_fee=0.01", "objective.n_periods=2", "sgd.steps=7", "search.trials=9"])
    found = store.compare(kept(store), kept(store, costly))
    assert {one.key: (one.first, one.second, one.decides) for one in found.differences} == {
        "fees.swap_fee": (0.0, 0.01, "metrics"),
        "objective.n_periods": (1, 2, "objective"),
        "sgd.steps": (DAYS.sgd.steps, 7, "run"),
        "search.trials": (DAYS.search.trials, 9, "nothing"),
    }
    assert len(found.cautions) == 2
    assert "costs differ (fees.swap_fee)" in found.cautions[0]
    assert "objectives differ" in found.cautions[1]
    assert all(pair.difference is not None for pair in found.splits)


def test_other_dates_and_prices_are_not_paired(store):
    longer = DAYS.override(["periods.train_start=2018-03-01"])
    found = store.compare(kept(store), kept(store, longer))
    assert [(pair.split, pair.reason, pair.difference is None) for pair in found.splits] == [
        ("train", "the dates differ", True),
        ("validation", "", False),
        ("test", "", False),
    ]
    assert found.cautions == ("on train, metrics and daily returns do not compare: the dates differ",)
    other = store.compare(kept(store), kept(store, data_id="e", held=1))
    assert {pair.reason for pair in other.splits} == {"the prices differ"}
    assert "train, validation, test" in other.cautions[0]
    assert [one.key for one in other.differences] == ["prices"]


def test_prices_of_other_lengths_are_the_same_where_holding_is(store):
    found = store.compare(kept(store), kept(store, data_id="of more days"))
    assert found.cautions == ()
    assert all(pair.same_data for pair in found.splits)


def test_folds_compare_with_folds_on_all_test_days(store):
    one, other = (
        [kept(store, seed=seed + 3 * fold, group=(name, fold)) for fold in range(2)]
        for name, seed in (("a", 1), ("b", 2))
    )
    found = store.compare(one[0], other[1])
    (pair,) = found.splits
    assert (pair.split, pair.n_days) == ("test", 2 * N_DAYS["test"])
    assert [b - a for a, b in pair.metrics.values()] == [1.0, 1.0]
    alone = kept(store)
    with pytest.raises(SelectionError, match="compare folds with folds"):
        store.compare(one[0], alone)
    assert store.compare(f"{one[0]}:1:0", alone).splits[-1].same_data
    three = [kept(store, group=("c", fold)) for fold in range(3)]
    assert store.compare(one[0], three[0]).splits[0].reason == "they have different folds"
