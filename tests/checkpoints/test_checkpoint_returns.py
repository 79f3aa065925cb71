"""Daily returns of checkpoints, baselines of runs, and groups of runs."""

from __future__ import annotations

import numpy as np
import pytest
from checkpoint_support import BEGIN, check_returns_baselines_and_groups, sql

from quantsim.checkpoints import Baseline, CheckpointStore
from quantsim.errors import CheckpointError

DAYS = 560


def returns(seed: int, n_days: int = DAYS) -> np.ndarray:
    return 0.01 * np.random.default_rng(seed).standard_normal(n_days - 1)


def test_returns_come_back_bit_for_bit_in_the_order_of_steps_and_sets(store, run_id, make):
    other = store.begin_run(**BEGIN)
    odd = np.array([np.nan, np.inf, -0.0, 5e-324])
    store.append(run_id, [make(2, 0, run_id, daily_log_returns={"train": odd, "test": odd[:2]})])
    rows = [make(1, index, run_id, daily_log_returns={"train": returns(index, 5)}) for index in (1, 0)]
    store.append(run_id, rows)
    store.append(other, [make(0, 0, other, daily_log_returns={"train": returns(9, 5)})])
    table = store.daily_log_returns([other, run_id], "train")
    assert table.checkpoint_ids == (f"{other}:0:0", f"{run_id}:1:0", f"{run_id}:1:1", f"{run_id}:2:0")
    expected = np.stack([returns(9, 5), returns(0, 5), returns(1, 5), odd])
    assert table.values.tobytes() == expected.tobytes()
    assert (table.split, table.missing) == ("train", 0)
    table = store.daily_log_returns([other, run_id], "test")
    assert (table.values.shape, table.missing) == ((1, 2), 3)
    found = store.resolve(f"{run_id}:2:0").daily_log_returns
    assert {split: values.tobytes() for split, values in found.items()} == {
        "train": odd.tobytes(),
        "test": odd[:2].tobytes(),
    }
    assert store.checkpoints(run_id=other)[0].daily_log_returns == {}


def test_writing_a_step_again_replaces_its_returns(store, run_id, make):
    store.append(run_id, [make(0, 0, run_id, daily_log_returns={"train": returns(0), "test": returns(0)})])
    store.append(run_id, [make(0, 0, run_id, daily_log_returns={"train": returns(1)})])
    assert np.array_equal(store.daily_log_returns([run_id], "train").values, [returns(1)])
    assert store.daily_log_returns([run_id], "test").missing == 1


def test_returns_of_a_checkpoint_take_eight_bytes_a_day(store, run_id, make, path):
    store.append(run_id, [make(step, 0, run_id) for step in range(100)])
    store.close()
    before = path.stat().st_size
    with CheckpointStore(path) as opened:
        opened.append(
            run_id, [make(step, 0, run_id, daily_log_returns={"train": returns(step)}) for step in range(100)]
        )
    assert (path.stat().st_size - before) / 100 < 8 * DAYS * 1.25  # pages and an index


def test_returns_of_runs_on_periods_of_different_lengths_are_refused(store, run_id, make):
    other = store.begin_run(**BEGIN)
    store.append(run_id, [make(0, 0, run_id, daily_log_returns={"train": returns(0, 5)})])
    store.append(other, [make(0, 0, other, daily_log_returns={"train": returns(0, 7)})])
    with pytest.raises(CheckpointError, match="have 4 and 6 daily returns on train: take runs of equal periods"):
        store.daily_log_returns([run_id, other], "train")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"tset": returns(0)}, "unknown split 'tset'"), ({"test": np.zeros((2, 2))}, r"shape \(D-1,\), not \(2, 2\)")],
)
def test_wrong_returns_are_refused(make, wrong, message):
    with pytest.raises(CheckpointError, match=message):
        make(0, daily_log_returns=wrong)


def test_unknown_splits_and_runs_are_refused(store, run_id):
    with pytest.raises(CheckpointError, match="unknown split 'tset'"):
        store.daily_log_returns([run_id], "tset")
    for read in (lambda: store.daily_log_returns(["0" * 32], "test"), lambda: store.baselines("0" * 32)):
        with pytest.raises(CheckpointError, match="there is no run"):
            read()
    with pytest.raises(CheckpointError, match="there is no run"):
        store.set_baselines("0" * 32, {})


def test_baselines_come_back_and_are_replaced(store, run_id):
    assert store.baselines(run_id) == {}
    metrics = {"train": {"returns": 0.5, "calmar": np.inf}, "test": {"returns": np.nan}}
    first = Baseline("hodl", metrics, {"train": returns(0), "test": returns(1, 1)})
    store.set_baselines(run_id, {"hodl": first, "study": first})
    store.set_baselines(run_id, {"hodl": first})
    (found,) = store.baselines(run_id).values()
    assert (found.name, repr(found.metrics["train"]), repr(found.metrics["test"])) == (
        "hodl",
        repr(metrics["train"]),
        repr({"returns": float("nan")}),
    )
    assert all(np.array_equal(found.daily_log_returns[split], first.daily_log_returns[split]) for split in metrics)


def test_returns_baselines_and_groups_in_sqlite(store):
    check_returns_baselines_and_groups(store, **BEGIN)


def test_runs_of_a_group_are_ordered_by_position(store, run_id):
    second, first = (store.begin_run(**BEGIN, group=("folds", position)) for position in (1, 0))
    store.begin_run(**BEGIN, group=("others", 0))
    assert [run.run_id for run in store.runs_of_group("folds")] == [first, second]
    assert store.runs_of_group("none") == []
    with pytest.raises(CheckpointError, match="id of a group must have 1 to 64 characters"):
        store.begin_run(**BEGIN, group=("x" * 65, 0))


def test_a_store_that_could_not_be_migrated_is_before_it_is_written(store, filled_version_2, make, monkeypatch):
    def fail(*_):
        raise CheckpointError("permission denied")

    with monkeypatch.context() as patched:
        patched.setattr("quantsim.checkpoints.database.schema.create_schema", fail)
        reader = CheckpointStore(filled_version_2)
    (row,) = reader.checkpoints()
    assert reader.daily_log_returns([row.run_id], "train").missing == 1
    assert sql(filled_version_2, "SELECT version FROM checkpoint_schema") == [(2,)]
    reader.append(row.run_id, [make(1, 0, row.run_id, daily_log_returns={"train": returns(0)})])
    assert reader.daily_log_returns([row.run_id], "train").values.shape == (1, DAYS - 1)
    assert sql(filled_version_2, "SELECT version FROM checkpoint_schema") == [(4,)]
    reader.close()


@pytest.fixture
def filled_version_2(store, run_id, make, path):
    store.append(run_id, [make(0, 0, run_id, train=1.0)])
    store.close()
    for table in ("daily_returns", "baselines", "run_groups", "run_labels", "run_parents", "run_tags"):
        sql(path, f"DROP TABLE {table}")
    sql(path, "UPDATE checkpoint_schema SET version = 2")
    return path
