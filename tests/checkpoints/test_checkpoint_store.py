from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest
from checkpoint_support import BEGIN, check_equal_checkpoints, sql
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from quantsim.checkpoints import Checkpoint, select
from quantsim.errors import CheckpointError

NAN, INF = math.nan, math.inf


def same(left: float, right: float) -> bool:
    return (math.isnan(left) and math.isnan(right)) or left == right


def test_run_comes_back_as_it_was_given(store):
    run_id = store.begin_run(
        experiment_id="e1",
        data_id="d1",
        driver="search",
        config={"pool": {"tokens": ["ETH", "BTC"], "fee": 0.003}, "dates": ("a", None), "cap": INF},
        name="first",
        seed=2**63 - 1,
        notes={"warmup_days": 30},
    )
    run = store.run(run_id)
    assert len(run_id) == 32
    assert run.config == {"pool": {"tokens": ["ETH", "BTC"], "fee": 0.003}, "dates": ["a", None], "cap": "inf"}
    assert (run.run_id, run.experiment_id, run.data_id, run.driver) == (run_id, "e1", "d1", "search")
    assert (run.name, run.seed, run.notes) == ("first", 2**63 - 1, {"warmup_days": 30})
    assert (run.status, run.reason, run.finished_at) == ("running", None, None)
    assert run.version
    assert run.started_at == run.updated_at
    assert run.started_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"driver": "d" * 17}, "must be 1 to 16 of a-z"),
        ({"experiment_id": ""}, "experiment_id"),
        ({"data_id": "d" * 129}, "data_id"),
        ({"seed": 2**63}, "seed"),
        ({"config": {"pool": {"fee": np.float32(1)}}}, r"config\.pool\.fee cannot be stored: float32"),
        ({"config": {"list": [0, {1}]}}, r"config\.list\[1\] cannot be stored: set"),
        ({"notes": {1: 2}}, "notes has the key 1"),
    ],
)
def test_values_that_cannot_be_stored_are_named(store, change, message):
    with pytest.raises(CheckpointError, match=message):
        store.begin_run(**(BEGIN | change))
    assert store.find_runs() == []


def test_checkpoint_comes_back_as_it_was_given(store, run_id):
    given_one = Checkpoint(
        run_id,
        7,
        2,
        "search",
        raw={"w": (0.1, 1 / 3, 5e-324, 1.7976931348623157e308), "bad": (NAN, INF, -INF), "none": ()},
        human={"memory_days": (12.5, NAN)},
        metrics={"train": {"m": 0.1, "n": NAN}, "validation": {"m": INF}, "test": {"m": -INF, "n": 5e-324}},
        objective=NAN,
    )
    store.append(run_id, [given_one])
    (read,) = store.checkpoints(run_id=run_id)
    assert (read.run_id, read.step, read.parameter_set, read.driver) == (run_id, 7, 2, "search")
    assert read.created_at == given_one.created_at
    # repr tells every float from every other, and is the same for any two NaN
    assert repr(read.raw) == repr(given_one.raw)
    assert repr(read.human) == repr(given_one.human)
    assert read.metrics.keys() == given_one.metrics.keys()
    for split, values in given_one.metrics.items():
        assert read.metrics[split].keys() == values.keys()
        assert all(same(read.metrics[split][name], value) for name, value in values.items())
    assert math.isnan(read.objective)


def test_non_finite_numbers_are_null_and_named(store, run_id, path, make):
    store.append(run_id, [make(run_id=run_id, train=NAN, test=1.5, validation=-INF, objective=INF)])
    rows = sql(path, "SELECT split, value, non_finite FROM metrics ORDER BY split")
    assert rows == [("test", 1.5, None), ("train", None, "nan"), ("validation", None, "-inf")]
    assert sql(path, "SELECT objective, objective_non_finite FROM checkpoints") == [(None, "inf")]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.floats(), min_size=1, max_size=4),
    metrics=st.dictionaries(st.text(min_size=1, max_size=8), st.floats(), max_size=4),
    objective=st.none() | st.floats(),
)
def test_every_float_comes_back(store, run_id, values, metrics, objective):
    metrics = {name: value for name, value in metrics.items() if "\x00" not in name and name.isprintable()}
    store.append(run_id, [Checkpoint(run_id, 0, 0, "sgd", {"w": values}, {}, {"train": metrics}, objective)])
    (read,) = store.checkpoints(run_id=run_id)
    assert repr(read.raw["w"]) == repr(tuple(values))
    stored = read.metrics.get("train", {})
    assert stored.keys() == metrics.keys()
    assert all(same(stored[name], value) for name, value in metrics.items())
    assert read.objective is objective if objective is None else same(read.objective, objective)


def test_rows_of_equal_parameters_are_found(store):
    check_equal_checkpoints(store, **BEGIN)


def test_nan_from_the_store_never_wins(store, run_id, make):
    store.append(run_id, [make(0, run_id=run_id, train=NAN), make(1, run_id=run_id, train=-1.0)])
    assert select(store.checkpoints(run_id=run_id), "best_train", "m").checkpoint.step == 1


def test_same_step_again_takes_its_place(store, run_id, path, make):
    store.append(run_id, [make(0, index, run_id=run_id, train=1.0, test=1.0) for index in (0, 1)], state=b"a")
    store.append(run_id, [make(0, 1, run_id=run_id, train=2.0)], state=b"b")
    first, second = store.checkpoints(run_id=run_id)
    assert first.metrics == {"train": {"m": 1.0}, "test": {"m": 1.0}}
    assert second.metrics == {"train": {"m": 2.0}}
    assert sql(path, "SELECT count(*) FROM metrics") == [(3,)]
    assert store.load_state(run_id).blob == b"b"


def test_same_checkpoint_twice_in_one_append_is_refused(store, run_id, make):
    with pytest.raises(CheckpointError, match="twice"):
        store.append(run_id, [make(0, run_id=run_id), make(0, run_id=run_id)])
    assert store.checkpoints(run_id=run_id) == []


def test_many_at_once(store, run_id, make):
    rows = [make(step, index, run_id=run_id, train=float(step)) for step in range(400) for index in range(3)]
    store.append(run_id, rows)
    assert store.checkpoints(run_id=run_id) == rows
    store.append(run_id, rows)
    assert len(store.checkpoints(run_id=run_id)) == len(rows)


def test_append_is_all_or_nothing(store, run_id, make, path):
    store.append(run_id, [make(0, run_id=run_id, train=1.0)], state=b"zero")
    sql(path, "CREATE TRIGGER no_state BEFORE INSERT ON states BEGIN SELECT RAISE(ABORT, 'refused here'); END")
    with pytest.raises(CheckpointError, match="refused here"):
        store.append(run_id, [make(0, run_id=run_id, train=2.0), make(1, run_id=run_id, train=2.0)], state=b"one")
    assert [row.metrics for row in store.checkpoints(run_id=run_id)] == [{"train": {"m": 1.0}}]
    assert store.load_state(run_id).blob == b"zero"


def test_state(store, run_id, make):
    assert store.load_state(run_id) is None
    blob = bytes(range(256)) * 1000
    store.append(run_id, [make(4, run_id=run_id), make(5, run_id=run_id)], state=blob)
    state = store.load_state(run_id)
    assert (state.step, state.blob) == (5, blob)
    store.append(run_id, [make(6, run_id=run_id)])
    assert store.load_state(run_id) == state
    store.append(run_id, [], state=b"", state_step=9)
    assert (store.load_state(run_id).step, store.load_state(run_id).blob) == (9, b"")
    with pytest.raises(CheckpointError, match="state_step"):
        store.append(run_id, [], state=b"x")
    with pytest.raises(CheckpointError, match="no run"):
        store.load_state("0" * 32)


def test_finish_and_resume(store, run_id, make):
    ended = store.finish_run(run_id, "interrupted", "Ctrl-C")
    assert (ended.status, ended.reason) == ("interrupted", "Ctrl-C")
    assert ended.finished_at == ended.updated_at >= ended.started_at
    with pytest.raises(CheckpointError, match="is interrupted, not running; call resume_run"):
        store.append(run_id, [make(run_id=run_id)])
    resumed = store.resume_run(run_id)
    assert (resumed.status, resumed.reason, resumed.finished_at) == ("running", None, None)
    store.append(run_id, [make(run_id=run_id)])
    assert store.run(run_id).updated_at >= resumed.updated_at
    assert store.finish_run(run_id).status == "finished"


@pytest.mark.parametrize("status", ["running", "finishd"])
def test_a_run_ends_in_a_known_way(store, run_id, status):
    with pytest.raises(CheckpointError, match="a run cannot end as"):
        store.finish_run(run_id, status)


def test_unknown_run(store, make):
    missing = "0" * 32
    for call in (store.resume_run, store.finish_run):
        with pytest.raises(CheckpointError, match="no run"):
            call(missing)
    with pytest.raises(CheckpointError, match="no run"):
        store.append(missing, [make(run_id=missing)])
    with pytest.raises(CheckpointError, match="no run"):
        store.checkpoints(run_id=missing)
    with pytest.raises(CheckpointError, match="cannot be appended to run"):
        store.append(missing, [make(run_id="other")])


def test_find_runs(store):
    first = store.begin_run(**BEGIN)
    second = store.begin_run(**(BEGIN | {"data_id": "d2", "name": "two"}))
    third = store.begin_run(**(BEGIN | {"driver": "search"}))
    store.finish_run(first)
    found = [run.run_id for run in store.find_runs(experiment_id="e1")]
    assert found == [third, second, first]
    assert [run.run_id for run in store.find_runs(experiment_id="e1", data_id="d1", driver="sgd")] == [first]
    assert [run.run_id for run in store.find_runs(status="running")] == [third, second]
    assert [run.run_id for run in store.find_runs(name="two")] == [second]
    assert store.find_runs(experiment_id="e2") == []


def test_filters_of_checkpoints(store, make):
    one = store.begin_run(**BEGIN)
    two = store.begin_run(**(BEGIN | {"driver": "search"}))
    other = store.begin_run(**(BEGIN | {"experiment_id": "e2", "data_id": "d2"}))
    store.append(one, [make(1, run_id=one), make(0, 1, run_id=one), make(0, 0, run_id=one)])
    store.append(two, [make(0, run_id=two, driver="search"), make(1, run_id=two, driver="sgd")])
    store.append(other, [make(0, run_id=other)])

    def keys(**wanted: str) -> list[tuple[str, int, int]]:
        return [(row.run_id, row.step, row.parameter_set) for row in store.checkpoints(**wanted)]

    assert keys(run_id=one) == [(one, 0, 0), (one, 0, 1), (one, 1, 0)]
    assert keys(experiment_id="e1", driver="sgd") == [*keys(run_id=one), (two, 1, 0)]
    assert keys(driver="search") == [(two, 0, 0)]
    assert keys(data_id="d2") == [(other, 0, 0)]
    assert keys(experiment_id="e1", data_id="d2") == []
    assert len(keys()) == 6


def test_only_wanted_metrics_are_loaded(store, run_id):
    metrics = {"train": {"a": 1.0, "b": 2.0}, "test": {"b": 3.0}}
    store.append(run_id, [Checkpoint(run_id, 0, 0, "sgd", {}, metrics=metrics)])
    assert store.checkpoints(metrics=["a"])[0].metrics == {"train": {"a": 1.0}}
    assert store.checkpoints(metrics=[])[0].metrics == {}
    assert store.checkpoints()[0].metrics == metrics


def test_number_of_queries_does_not_grow(store, run_id, make):
    store.append(run_id, [make(step, run_id=run_id, train=1.0, test=1.0) for step in range(50)])
    statements: list[str] = []

    def listen(_connection, _cursor, statement, *_rest):
        if statement.startswith("SELECT"):
            statements.append(statement)

    engine = store.tables.database._engine
    event.listen(engine, "before_cursor_execute", listen)
    assert len(store.checkpoints(experiment_id="e1")) == 50
    assert len(statements) == 2


def test_get_and_resolve(store, run_id, make):
    row = make(12, 3, run_id=run_id, train=1.0)
    store.append(run_id, [row])
    assert store.get(row.checkpoint_id) == row
    assert store.resolve(row.key) == row
    assert store.resolve(f" {run_id[:5].upper()}:12:3 ") == row
    with pytest.raises(CheckpointError, match="no run"):
        store.get(row.key)
    with pytest.raises(CheckpointError, match=r"no checkpoint at step 12, set 4; it has steps 12 to 12, sets 3 to 3"):
        store.resolve(f"{run_id}:12:4")
    with pytest.raises(CheckpointError, match="it has none"):
        store.resolve(f"{store.begin_run(**BEGIN)}:0:0")


@pytest.mark.parametrize("text", ["", "abc", "abc:1", "xyz:1:2", "abc:-1:2", "abc:1:2:3", "%:1:2"])
def test_invalid_checkpoint_ids_are_refused(store, text):
    with pytest.raises(CheckpointError, match="form is <run id>:<step>:<set>"):
        store.resolve(text)


def test_run_by_its_start(store, path, make):
    first, second = (store.begin_run(**BEGIN) for _ in range(2))
    sql(path, f"UPDATE runs SET run_id = '{'ab' * 16}' WHERE run_id = '{first}'")  # noqa: S608
    sql(path, f"UPDATE runs SET run_id = '{'ac' * 16}' WHERE run_id = '{second}'")  # noqa: S608
    assert store.run("abab").run_id == "ab" * 16
    with pytest.raises(CheckpointError, match=f"several runs .*{'ab' * 16}, {'ac' * 16}; give more"):
        store.run("a")
    with pytest.raises(CheckpointError, match="no run in sqlite"):
        store.run("b")
    with pytest.raises(CheckpointError, match="is not a run id"):
        store.run("%")


def test_no_two_runs_share_the_start_of_their_keys(store, monkeypatch):
    class Fake:
        given = iter(["ab" * 16, "ab" * 6 + "cd" * 10, "cd" * 16])

        @classmethod
        def uuid4(cls):
            return type("Id", (), {"hex": next(cls.given)})

    monkeypatch.setattr("quantsim.checkpoints.database.runs.uuid", Fake)
    assert [store.begin_run(**BEGIN), store.begin_run(**BEGIN)] == ["ab" * 16, "cd" * 16]
