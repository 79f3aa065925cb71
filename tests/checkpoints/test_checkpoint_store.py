from __future__ import annotations

import math
import pickle
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import OperationalError
from sqlalchemy.schema import CreateTable

from quantsim.checkpoints import Checkpoint, CheckpointStore, schema, select
from quantsim.checkpoints.database import Database
from quantsim.errors import CheckpointError

NAN, INF = math.nan, math.inf
BEGIN = {"experiment_id": "e1", "data_id": "d1", "driver": "sgd", "config": {}}


def sql(path: Path, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        with connection:
            return connection.execute(statement).fetchall()
    finally:
        connection.close()


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
        ({"driver": "serach"}, "did you mean 'search'"),
        ({"experiment_id": ""}, "experiment_id"),
        ({"data_id": "d" * 129}, "data_id"),
        ({"seed": 2**63}, "seed"),
        ({"config": {"pool": {"fee": np.float32(1)}}}, r"config\.pool\.fee cannot be stored: float32"),
        ({"config": {"list": [0, {1}]}}, r"config\.list\[1\] cannot be stored: set"),
        ({"notes": {1: 2}}, "notes has the key 1"),
    ],
)
def test_what_cannot_be_stored_is_named(store, change, message):
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
    two = store.begin_run(**(BEGIN | {"driver": "hybrid"}))
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

    engine = store._database._engine
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
def test_what_is_no_checkpoint_id(store, text):
    with pytest.raises(CheckpointError, match="form <run id>:<step>:<set>"):
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
    with pytest.raises(CheckpointError, match="is no run id"):
        store.run("%")


def test_no_two_runs_share_the_start_of_their_keys(store, monkeypatch):
    class Fake:
        given = iter(["ab" * 16, "ab" * 6 + "cd" * 10, "cd" * 16])

        @classmethod
        def uuid4(cls):
            return type("Id", (), {"hex": next(cls.given)})

    monkeypatch.setattr("quantsim.checkpoints.store.uuid", Fake)
    assert [store.begin_run(**BEGIN), store.begin_run(**BEGIN)] == ["ab" * 16, "cd" * 16]


def test_file_is_created_with_its_folders_and_settings(store, path):
    assert path.is_file()
    with store._database._engine.connect().execution_options(quantsim_writes=False) as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert pragmas == ["wal", 1, 1]


def test_closed_store_is_one_file_and_can_be_used_again(path):
    store = CheckpointStore.open(path)
    run_id = store.begin_run(**BEGIN)
    store.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert store.run(run_id).run_id == run_id
    store.close()


def test_url_and_path_are_the_same_store(store, path, run_id):
    with CheckpointStore(f"sqlite:///{path}") as other:
        assert other.run(run_id) == store.run(run_id)
        assert repr(other) == f"CheckpointStore('sqlite:///{path}')" == repr(store)


def test_store_can_be_sent_to_another_process(store, run_id):
    with pickle.loads(pickle.dumps(store)) as other:  # noqa: S301 - our own bytes
        assert other.run(run_id) == store.run(run_id)


def test_names_cannot_inject(store, run_id):
    evil = "x'); DROP TABLE runs; --"
    store.append(run_id, [Checkpoint(run_id, 0, 0, "sgd", {evil: (1.0,)}, metrics={"train": {evil: 1.0}})])
    assert store.find_runs(name=evil) == []
    assert store.checkpoints(metrics=[evil])[0].metrics == {"train": {evil: 1.0}}


def test_newer_and_older_schemas_are_refused(store, path):
    store.close()
    for version, word in ((99, "newer"), (0, "older")):
        sql(path, f"UPDATE checkpoint_schema SET version = {version}")  # noqa: S608
        with pytest.raises(CheckpointError, match=rf"cannot open .*checkpoints\.db: it was made by an? {word}"):
            CheckpointStore(path)
    sql(path, "DELETE FROM checkpoint_schema")
    with pytest.raises(CheckpointError, match="not created to its end"):
        CheckpointStore(path)


def test_tables_of_another_program_are_left_alone(tmp_path):
    path = tmp_path / "other.db"
    sql(path, "CREATE TABLE runs (id INTEGER)")
    with pytest.raises(CheckpointError, match="tables named runs that are not a checkpoint store"):
        CheckpointStore(path)
    assert sql(path, "SELECT name FROM sqlite_master") == [("runs",)]


def test_what_is_no_database(tmp_path):
    file = tmp_path / "text.db"
    file.write_text("no database " * 100)
    with pytest.raises(CheckpointError, match="not a database"):
        CheckpointStore(file)
    with pytest.raises(CheckpointError, match="unable to open"):
        CheckpointStore(tmp_path)
    with pytest.raises(CheckpointError, match="cannot make the folder"):
        CheckpointStore(file / "below.db")


@pytest.mark.parametrize("location", [":memory:", "sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory"])
def test_no_store_in_memory(location):
    with pytest.raises(CheckpointError, match="in memory"):
        CheckpointStore(location)


def test_empty_location_and_timeout():
    with pytest.raises(CheckpointError, match="empty"):
        CheckpointStore("")
    with pytest.raises(CheckpointError, match="lock_timeout_s"):
        CheckpointStore("x.db", lock_timeout_s=0)


SECRET = "hunter2secret"  # noqa: S105 - the point of the tests below


@pytest.mark.parametrize(
    "url",
    [
        f"nosuchdialect://ann:{SECRET}@host/db",
        f"postgresql+nosuchdriver://ann:{SECRET}@host/db",
        f"postgresql://ann:{SECRET}@host:notaport/db",
        f"postgresql+nosuchdriver:///db?user=ann&password={SECRET}",
        f"sqlite://ann:{SECRET}@host/x.db",
        f"://ann:{SECRET}@host",
    ],
)
def test_password_is_in_no_error(url, monkeypatch):
    monkeypatch.setattr(Path, "mkdir", lambda *_args, **_options: None)
    with pytest.raises(CheckpointError) as caught:
        CheckpointStore(url)
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in str(error)
        assert SECRET not in "".join(getattr(error, "__notes__", []))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_password_in_the_words_of_the_driver_is_redacted(path):
    database = Database(path, 1.0)
    database.url = database.url.set(password=SECRET)

    def work(_connection):
        raise OperationalError("SELECT", None, sqlite3.OperationalError(f"login with {SECRET} failed"))

    with pytest.raises(CheckpointError, match=r"login with \*\*\* failed") as caught:
        database.transact(work, write=False)
    database.close()
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_password_is_not_stored(store, path):
    url = f"postgresql://ann:{SECRET}@host/db"
    run_id = store.begin_run(**(BEGIN | {"config": {"store": [url]}, "notes": {"at": url}, "name": url}))
    store.finish_run(run_id, "failed", f"cannot reach {url}")
    store.close()
    assert SECRET.encode() not in path.read_bytes()
    run = store.run(run_id)
    assert run.config == {"store": ["postgresql://ann:***@host/db"]}
    assert run.reason == "cannot reach postgresql://ann:***@host/db"
    store.close()


def test_password_is_not_in_repr(monkeypatch):
    monkeypatch.setattr(CheckpointStore, "_prepare", lambda _self: None)
    store = CheckpointStore("sqlite:///x.db?uri=true&password=" + SECRET)
    assert SECRET not in repr(store)
    assert "***" in repr(store)
    assert SECRET in str(store._database.__reduce__())  # it must work where it arrives


def test_lock_that_stays_is_a_clear_error(store, run_id, path, make, monkeypatch):
    monkeypatch.setattr("quantsim.checkpoints.database._BUSY_TIMEOUT_S", 0.05)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        with CheckpointStore(path, lock_timeout_s=0.2) as hasty:
            with pytest.raises(CheckpointError, match=r"is locked by another process, .* within 0\.2 s"):
                hasty.append(run_id, [make(run_id=run_id)])
            assert hasty.checkpoints(run_id=run_id) == []  # readers do not wait
            holder.execute("ROLLBACK")
            hasty.append(run_id, [make(run_id=run_id)])
    finally:
        holder.close()
    assert len(store.checkpoints(run_id=run_id)) == 1


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect(), mysql.dialect()], ids=lambda d: d.name)
def test_tables_have_a_form_in_every_database(dialect):
    tables = {name: str(CreateTable(table).compile(dialect=dialect)) for name, table in schema.metadata.tables.items()}
    assert "DOUBLE" in tables["metrics"]
    assert "BLOB(4294967295)" in tables["states"] or dialect.name != "mysql"
    assert ("WITHOUT ROWID" in tables["metrics"]) == (dialect.name == "sqlite")
    assert "TIMESTAMP" not in "".join(tables.values())


def test_store_knows_neither_jax_nor_optuna():
    code = (
        "import sys, quantsim.checkpoints.store\n"
        "known = [n for n in sys.modules if n.split('.')[0] in ('jax', 'optuna')]\n"
        "ours = {'quantsim', 'quantsim.errors', 'quantsim.checkpoints'}\n"
        "print(known, [n for n in sys.modules if n.startswith('quantsim.') and n not in ours "
        "and not n.startswith('quantsim.checkpoints.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"


class ServerError(Exception):
    def __init__(self, *args, sqlstate=None):
        super().__init__(*args)
        self.sqlstate = sqlstate


@pytest.mark.parametrize("original", [ServerError("deadlock", sqlstate="40P01"), ServerError(1213, "Deadlock found")])
def test_deadlocks_of_servers_are_tried_again(path, original):
    calls: list[int] = []

    def work(_connection):
        calls.append(1)
        if len(calls) < 3:
            raise OperationalError("UPDATE", None, original)
        return "done"

    database = Database(path, 10.0)
    assert database.transact(work, write=True) == "done"
    database.close()
    assert len(calls) == 3
