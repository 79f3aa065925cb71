"""Where a store is, how it is opened, what it refuses, and that passwords stay out of sight."""

from __future__ import annotations

import pickle
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from checkpoint_support import BEGIN, sql
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import OperationalError
from sqlalchemy.schema import CreateTable

from quantsim.checkpoints import Checkpoint, CheckpointStore
from quantsim.checkpoints.database import schema
from quantsim.checkpoints.database.engine import Database
from quantsim.checkpoints.database.location import path_or_url, read_location
from quantsim.checkpoints.liveness import process_identity
from quantsim.errors import CheckpointError, DriverError
from quantsim.storages.opened import opened_storage


def test_file_is_created_with_its_folders_and_settings(store, path):
    assert path.is_file()
    with store.tables.database._engine.connect().execution_options(quantsim_writes=False) as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert pragmas == ["wal", 1, 1]


def test_closed_store_is_one_file_and_can_be_used_again(path):
    store = CheckpointStore(path)
    run_id = store.begin_run(**BEGIN)
    store.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert store.run(run_id).run_id == run_id
    store.close()


def test_open_refuses_a_missing_store(path):
    with pytest.raises(CheckpointError, match=r"checkpoints\.db does not exist; run `quantsim sgd`"):
        CheckpointStore.open(path)
    assert not path.parent.exists()
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(CheckpointError, match=r"checkpoints\.db is empty"):
        CheckpointStore.open(path)
    assert path.stat().st_size == 0
    with CheckpointStore(path) as made, CheckpointStore.open(str(path)) as opened:
        assert opened.location == made.location


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
    with pytest.raises(CheckpointError, match="creation of the store was interrupted"):
        CheckpointStore(path)


def test_tables_of_another_program_are_left_alone(tmp_path):
    path = tmp_path / "other.db"
    sql(path, "CREATE TABLE runs (id INTEGER)")
    with pytest.raises(CheckpointError, match="tables named runs that are not a checkpoint store"):
        CheckpointStore(path)
    assert sql(path, "SELECT name FROM sqlite_master") == [("runs",)]


def test_a_file_that_is_not_a_database_is_refused(tmp_path):
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
    monkeypatch.setattr("quantsim.checkpoints.database.tables.ensure_schema", lambda _database, **_: None)
    store = CheckpointStore("sqlite:///x.db?uri=true&password=" + SECRET)
    assert SECRET not in repr(store)
    assert "***" in repr(store)
    assert SECRET in store.url
    assert SECRET in str(store.tables.database.__reduce__())  # it must work where it arrives


def test_lock_that_stays_is_a_clear_error(store, run_id, path, make, monkeypatch):
    monkeypatch.setattr("quantsim.checkpoints.database.engine._BUSY_TIMEOUT_S", 0.05)
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


def test_store_imports_neither_jax_nor_optuna():
    code = (
        "import sys, quantsim.checkpoints.store\n"
        "known = [n for n in sys.modules if n.split('.')[0] in ('jax', 'optuna')]\n"
        "names = ('array_types', 'baseline', 'checkpoints', 'errors', 'json_values', 'ranking')\n"
        "ours = {'quantsim', *('quantsim.' + name for name in names)}\n"
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


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("postgresql:/ann:s3cret@host/db", "write postgresql://..."),
        ("postgresql:ann:s3cret@host/db", "write postgresql://..."),
        ("postgres//ann:s3cret@host/db", "write postgres://..."),
        ("mysql+pymysql:/ann:s3cret@host/db", "write mysql+pymysql://..."),
        ("sqlite:/results.db", "write sqlite://..."),
        ("sqlite:results.db", "write sqlite://..."),
        ("sqlite://results.db", "sqlite:///FILE"),
        ("http:/host/db", "write http://..."),
        ("http://ann:s3cret@host/db", "names an unknown database: known: mariadb, mysql, postgresql, sqlite"),
        ("postgres://ann:s3cret@host/db", "did you mean 'postgresql'?"),
        ("://", "its URL cannot be read"),
        (" ", "it is empty"),
        ("a\0b.db", "it contains a zero byte"),
    ],
)
def test_malformed_urls_are_refused_and_no_file_is_created(tmp_path, monkeypatch, location, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=re.escape(said)) as caught:
        CheckpointStore(location)
    assert "s3cret" not in str(caught.value)
    with pytest.raises(DriverError, match=re.escape(said.partition(":")[0])) as caught, opened_storage(location):
        pass
    assert "s3cret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("location", ["C:/results.db", "run:1.db", "sqlite/results.db", "./postgresql:x.db"])
def test_paths_that_only_begin_like_urls_are_paths(location):
    assert read_location(location) == Path(location)


@pytest.mark.parametrize("name", ["plain.db", "my study.db", "größe.db", "100%41.db"])
def test_a_location_is_shown_as_users_write_it(tmp_path: Path, name: str):
    with CheckpointStore(tmp_path / name) as store:
        shown = path_or_url(store.location)
        run_id = store.begin_run(**BEGIN)
    assert shown == str(tmp_path / name)
    with CheckpointStore.open(shown) as store:
        assert store.run(run_id[:8]).run_id == run_id


@pytest.mark.parametrize("location", ["postgresql://ann@host/a%20b", "sqlite://", "runs.db"])
def test_other_locations_are_shown_as_they_are(location: str):
    assert path_or_url(location) == location


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runs SET config = '{'",
        "UPDATE runs SET config = 'null'",
        "UPDATE runs SET notes = '[1]'",
        "UPDATE runs SET started_at = 'no time'",
        "UPDATE checkpoints SET objective = 'abc'",
        """UPDATE checkpoints SET raw = '{"a": "b"}'""",
    ],
)
def test_content_that_no_store_has_is_an_error_that_names_the_store(store, path, make, statement: str):
    store.append(run_id := store.begin_run(**BEGIN), [make(0, 0, run_id)])
    sql(path, statement)
    with pytest.raises(CheckpointError, match=f"the content of checkpoint store .*{path.name} is not valid"):
        store.runs(), store.checkpoints()


@pytest.mark.parametrize("pid", ["x", 10**20])
def test_a_process_id_that_no_process_has_is_that_of_a_dead_one(store, pid):
    run_id = store.begin_run(**{**BEGIN, "notes": {**process_identity(), "pid": pid}})
    assert store.entry(run_id).status == "interrupted"
