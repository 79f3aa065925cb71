"""Searches and checkpoint stores on a MariaDB server: several writers, a server that goes away, and values to the last bit."""

from __future__ import annotations

import math
import random
import struct
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import mysql_support
import optuna
import pytest
from checkpoint_support import (
    check_copies_comparisons_and_watches,
    check_equal_checkpoints,
    check_labels_and_wholes,
    check_migration_of_version_3,
    check_returns_baselines_and_groups,
)
from optuna.exceptions import StorageInternalError
from search_support import Fake, make_experiment, make_prices
from server_support import check_that_a_server_that_goes_away_is_waited_for, trials_of
from sqlalchemy.exc import DBAPIError, OperationalError

from quantsim import CheckpointStore
from quantsim.checkpoints import Checkpoint, select
from quantsim.drivers.search import run_search
from quantsim.errors import CheckpointError, DriverError
from quantsim.storages.opened import opened_storage
from quantsim.storages.patient import is_transient

BEGIN = {"experiment_id": "e1", "data_id": "d1", "driver": "sgd", "config": {}}

WRITER = """
import sys
from quantsim.checkpoints import Checkpoint, CheckpointStore

with CheckpointStore(sys.argv[1]) as store:
    own = store.begin_run(experiment_id="e1", data_id="d1", driver="sgd", config={})
    print("open", flush=True)
    shared = sys.stdin.readline().strip()
    for step in range(25):
        for run_id, index in ((own, 0), (shared, int(sys.argv[2]))):
            row = Checkpoint(run_id, step, index, "sgd", {"w": (step + 0.5,)}, metrics={"train": {"m": step, "M": index}})
            store.append(run_id, [row], state=b"s", report={"by": index})
    store.finish_run(own)
"""


pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("mariadb")]


@pytest.fixture(scope="module")
def server():
    with mysql_support.server() as found:
        yield found


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(level)


def test_processes_that_find_an_empty_database_at_once_all_open_it(server):
    server.run("create database fresh")

    def opened(dialect):
        url = server.url("fresh", dialect)
        begun.wait()
        with CheckpointStore(url) as store, opened_storage(url) as storage:
            return store.find_runs(), storage.get_all_studies()

    begun = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(opened, ("mysql", "mysql+pymysql", "mariadb", "mariadb+pymysql"))) == [([], [])] * 4


def test_a_store_that_another_process_is_creating_is_waited_for(server, monkeypatch):
    server.run("create database begun", "create table begun.checkpoint_schema (version int primary key)")
    finish = threading.Timer(0.3, server.run, ["drop table begun.checkpoint_schema"])
    finish.start()
    with CheckpointStore(server.url("begun")) as store:
        assert store.find_runs() == []
    finish.join()
    monkeypatch.setattr("quantsim.checkpoints.database.schema._CREATION_PAUSES_S", ())
    server.run("delete from begun.checkpoint_schema")
    with pytest.raises(CheckpointError, match="creation of the store was interrupted"):
        CheckpointStore(server.url("begun"))


def test_a_server_that_goes_away_is_waited_for(server, store, caplog):
    check_that_a_server_that_goes_away_is_waited_for(server, store, caplog)


def test_trials_are_those_of_a_journal_file(server, store, tmp_path):
    experiment = make_experiment()
    found = []
    for storage, name in ((tmp_path / "s.journal", "twice"), (server.url(), "twice"), (server.url(), "Twice")):
        run_search(experiment, make_prices(), store, trials=8, storage=storage, study_name=name, make_evaluator=Fake)
        trials = trials_of(str(storage), name)
        found.append([(trial.number, trial.params, trial.values, trial.user_attrs["metrics"]) for trial in trials])
    assert len(found[0]) == 8
    assert found[1] == found[0]
    assert found[2] == found[0]
    with opened_storage(server.url()) as storage:
        names = [study.study_name for study in storage.get_all_studies()]
    assert {"twice", "Twice"} <= set(names)


def test_a_study_comes_back_as_it_was_written_and_one_of_optuna_s_own_stays(server):
    server.run("create database older")
    url = server.url("older")
    older = optuna.storages.RDBStorage(server.url("older", "mysql+pymysql"))
    study = optuna.create_study(storage=older, study_name="Older")
    study.tell(study.ask(), 0.1)
    older.remove_session()
    older.engine.dispose()

    edges = (5e-324, 2.2250738585072014e-308, 0.1, 1 / 3, 1.7976931348623157e308)
    long = {"κ": "y" * 200_000, "nan": math.nan}
    with opened_storage(url) as storage:
        study = optuna.create_study(storage=storage, study_name="Größe λ", directions=["maximize"] * len(edges))
        trial = study.ask()
        drawn = {name: trial.suggest_float(name, 5e-324, 1.0, log=True) for name in ("x", "X", "λ")}
        trial.set_user_attr("m", 1)
        trial.set_user_attr("M", long)
        study.tell(trial, edges)
        infinite = study.ask()
        study.tell(infinite, [math.inf, -math.inf, *edges[2:]])
    first, second = trials_of(url, "Größe λ")
    assert (first.params, first.values) == (drawn, list(edges))
    assert first.user_attrs["m"] == 1
    assert repr(first.user_attrs["M"]) == repr(long)
    assert second.values == [math.inf, -math.inf, *edges[2:]]
    assert 0 < first.duration.total_seconds() < 30
    assert first.duration.microseconds > 0  # the server's own choice is whole seconds
    assert [trial.value for trial in trials_of(url, "Older")] == [0.1]


def test_a_row_that_another_holds_is_waited_for(server, store, caplog):
    import pymysql

    server.run("set global innodb_lock_wait_timeout = 1")
    address = {"host": "127.0.0.1", "port": server.port, "user": "ann", "password": "hunter2", "database": "studies"}
    with opened_storage(server.url()) as storage, CheckpointStore(server.url(dialect="mariadb")) as checkpoints:
        study = optuna.create_study(storage=storage, study_name="held")
        run_id = checkpoints.begin_run(**BEGIN)
        trial = study.ask()
        holder = pymysql.connect(**address)
        with holder.cursor() as cursor:
            cursor.execute("select * from trials for update")
            cursor.execute("select * from runs for update")
        release = threading.Timer(1.2, holder.rollback)
        release.start()
        try:
            with caplog.at_level("INFO"), ThreadPoolExecutor(2) as pool:
                told = pool.submit(study.tell, trial, 1.0)
                written = pool.submit(checkpoints.append, run_id, [Checkpoint(run_id, 0, 0, "sgd", {})])
                assert (told.result().value, written.result()) == (1.0, None)
        finally:
            release.join()
            holder.close()
            server.run("set global innodb_lock_wait_timeout = 50")
        assert len(checkpoints.checkpoints(run_id=run_id)) == 1
    assert "does not answer (OperationalError: (1205" in caplog.text
    assert "is busy, waiting" in caplog.text


@pytest.mark.parametrize(
    ("code", "passing"),
    [
        *((code, True) for code in (1020, 1040, 1053, 1205, 1213, 2006, 2013)),
        *((code, False) for code in (1045, 1142, 1146, 1153, 1406)),
    ],
)
def test_only_transient_errors_are_retried(code, passing):
    pymysql = pytest.importorskip("pymysql", reason="pymysql is not installed (the extra mysql)")
    cause = DBAPIError.instance("select 1", {}, pymysql.err.OperationalError(code, "said so"), pymysql.err.Error)
    error = StorageInternalError("as Optuna wraps it")
    error.__cause__ = cause
    assert isinstance(cause, OperationalError)
    assert is_transient(error) == passing


def test_a_driver_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr("quantsim.checkpoints.database.servers.importlib.util.find_spec", lambda _name: None)
    url = "mariadb://ann:hunter2@host/db"
    needs = r"mariadb://ann:\*\*\*@host/db needs the package pymysql: pip install 'quantsim\[mysql\]'"
    with pytest.raises(CheckpointError, match=f"checkpoint store {needs}"):
        CheckpointStore(url)
    with pytest.raises(DriverError, match=f"study storage {needs}"), opened_storage(url):
        pass


def random_floats(count):
    draw = random.Random(0)  # noqa: S311 - guards nothing
    edges = [5e-324, -2.2250738585072014e-308, 1.7976931348623157e308, 0.1, 1 / 3, 0.0, math.nan, math.inf, -math.inf]
    return edges + [struct.unpack("d", draw.randbytes(8))[0] for _ in range(count)]


def told(row):
    """All that a checkpoint says, where the text of a float tells it from every other and NaN is equal to NaN."""
    splits = {split: sorted(table.items()) for split, table in sorted(row.metrics.items())}
    return repr((row.run_id, row.step, row.parameter_set, row.raw, row.human, splits, row.objective, row.created_at))


def test_a_store_returns_the_stored_values(server):
    values = random_floats(500)
    report = {"loss": values[:12], "rate": {"b": 1.0, "a": 2}, "text": "Größe λ 😀"}
    config = {"z": 1, "a": [0.1, None, "λ"], "A": True}
    with CheckpointStore(server.url()) as store:
        run_id = store.begin_run(
            **(BEGIN | {"config": config, "name": "Größe λ", "seed": -(2**63), "notes": {"n": "é"}})
        )
        rows = [
            Checkpoint(
                run_id,
                step,
                3_000_000_000,
                "sgd",
                raw={"λ": (value, 0.5), "b": (), "B": (-0.0,)},
                human={"memory_days": (value, math.inf)},
                metrics={"train": {"m": value, "M": -1.0, "é": 0.5, "e": 1.5}, "validation": {"m": float(step)}},
                objective=value,
            )
            for step, value in enumerate(values)
        ]
        store.append(run_id, rows, state=bytes(range(256)) * 4096, report=report)
        store.finish_run(run_id, "interrupted", "x" * 100_000)

    with CheckpointStore(server.url(dialect="mariadb+pymysql")) as store:
        read = store.checkpoints(run_id=run_id)
        assert [told(row) for row in read] == [told(row) for row in rows]
        assert repr(store.reports(run_id)[0].content) == repr(report)
        run = store.run(run_id[:12])
        assert (run.seed, run.name, run.notes, len(run.reason)) == (-(2**63), "Größe λ", {"n": "é"}, 100_000)
        assert list(run.config.items()) == list(config.items())
        assert store.find_runs(name="größe λ") == []
        assert store.find_runs(name="Größe λ") == [run]
        assert [
            row.step for row in store.checkpoints(run_id=run_id, metrics=["M"]) if "m" in row.metrics["train"]
        ] == []
        picked = select(read, "best_validation", "m").checkpoint
        assert store.resolve(picked.key) == picked
        assert picked.step == len(values) - 1
        state = store.load_state(run_id)
        assert (state.step, state.blob) == (len(values) - 1, bytes(range(256)) * 4096)
        assert store.resume_run(run_id).status == "running"


def test_rows_of_equal_parameters_are_found(tmp_path, server):
    with CheckpointStore(server.url()) as store:
        check_equal_checkpoints(store, **BEGIN)
        check_returns_baselines_and_groups(store, **BEGIN)
        check_labels_and_wholes(store, **BEGIN)
        check_migration_of_version_3(store, **BEGIN)
        check_copies_comparisons_and_watches(store, tmp_path)


def test_a_store_reconnects_after_its_server_restarts(server):
    with CheckpointStore(server.url()) as store:
        run_id = store.begin_run(**BEGIN)
        store.append(run_id, [Checkpoint(run_id, 0, 0, "sgd", {}, metrics={"train": {"m": 1.0}})])
        server.stop()
        with pytest.raises(CheckpointError, match=r"checkpoint store mysql://ann:\*\*\*@.*Can't connect") as caught:
            store.append(run_id, [Checkpoint(run_id, 1, 0, "sgd", {})])
        assert "hunter2" not in str(caught.value)
        server.start()
        with pytest.raises(CheckpointError, match="is larger than its max_allowed_packet"):
            store.append(run_id, [], state=bytes(2**24), state_step=0)
        store.append(run_id, [Checkpoint(run_id, step, 0, "sgd", {}) for step in (0, 1)], state=b"s")
        assert [(row.step, row.metrics) for row in store.checkpoints(run_id=run_id)] == [(0, {}), (1, {})]
        assert store.load_state(run_id).step == 1


def test_processes_create_a_store_and_write_to_it_at_once(server, tmp_path):
    server.run("create database written")
    script, url = tmp_path / "writer.py", server.url("written")
    script.write_text(WRITER)
    command = [sys.executable, "-W", "error", str(script), url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([*command, str(index)], **pipes) for index in (1, 2)]
    try:
        assert [writer.stdout.readline() for writer in writers] == ["open\n"] * 2
        with CheckpointStore(url) as store:
            shared = store.begin_run(**BEGIN)
            for writer in writers:
                writer.stdin.write(f"{shared}\n")
                writer.stdin.flush()
            said = [writer.communicate(timeout=60)[1] for writer in writers]
            assert said == ["", ""]
            runs = store.find_runs(status="finished")
            assert len(runs) == 2
            rows = store.checkpoints(run_id=shared)
            assert [(row.step, row.parameter_set) for row in rows] == [(s, i) for s in range(25) for i in (1, 2)]
            assert all(row.metrics["train"] == {"m": row.step, "M": row.parameter_set} for row in rows)
            assert all(len(store.checkpoints(run_id=run.run_id)) == 25 for run in runs)
            assert [report.step for report in store.reports(shared)] == list(range(25))
    finally:
        for writer in writers:
            writer.kill()
            print(writer.communicate()[1])
