"""The log of a run, and the store of the first schema version, which had none."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import pytest
from checkpoint_support import BEGIN, sql
from sqlalchemy import event

from quantsim.checkpoints import CheckpointStore
from quantsim.checkpoints.database.rows import numbers_from_json, plain_json
from quantsim.errors import CheckpointError

VERSION_1 = (Path(__file__).parent / "version_1.sql").read_text()
OLD_RUN = "dab5d0e8fd284e0b8f1482ede5c13b4f"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A store of version 1."""
    path = tmp_path / "old.db"
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1)
    connection.close()
    return path


def test_reports_come_back_in_the_order_of_their_steps(store, run_id, make):
    contents = {
        50: {"learning_rate": 1 / 3, "alive": [True, False], "reason": "no gain", "none": None, "count": 2**60},
        0: {"progress": {"best": -math.inf, "seconds_left": math.inf}, "norms": [5e-324, math.nan]},
    }
    store.append(run_id, [make(49, 0, run_id), make(50, 1, run_id)], b"state", report=contents[50])
    store.append(run_id, [], state_step=0, report=contents[0])
    reports = store.reports(run_id)
    assert [report.step for report in reports] == [0, 50]
    assert [repr(report.content) for report in reports] == [repr(contents[0]), repr(contents[50])]
    assert store.run(run_id).started_at <= reports[1].created_at <= reports[0].created_at
    assert store.load_state(run_id).step == 50


def test_report_of_the_same_step_takes_the_place_of_the_first(store, run_id):
    other = store.begin_run(**BEGIN)
    for run, value in ((run_id, 1.0), (other, 2.0), (run_id, 3.0)):
        store.append(run, [], state_step=7, report={"loss": value})
    assert [report.content for report in store.reports(run_id)] == [{"loss": 3.0}]
    assert [report.content for report in store.reports(other)] == [{"loss": 2.0}]


def test_checkpoints_state_and_report_are_stored_together_or_not_at_all(store, run_id, make):
    store.append(run_id, [make(0, 0, run_id)], b"first", report={"loss": 1.0})

    def fail(_connection, _cursor, statement, *_):
        if statement.startswith("INSERT INTO reports"):
            raise RuntimeError("power cut")

    engine = store.tables.database._engine
    event.listen(engine, "before_cursor_execute", fail)
    with pytest.raises(RuntimeError, match="power cut"):
        store.append(run_id, [make(1, 0, run_id)], b"second", report={"loss": 0.5})
    event.remove(engine, "before_cursor_execute", fail)
    assert [row.step for row in store.checkpoints(run_id=run_id)] == [0]
    assert store.load_state(run_id).blob == b"first"
    assert [report.step for report in store.reports(run_id)] == [0]


def test_invalid_reports_are_named(store, run_id):
    with pytest.raises(CheckpointError, match=r"report\.norms\[1\] cannot be stored: set has no JSON form"):
        store.append(run_id, [], state_step=0, report={"norms": [0.0, {1}]})
    with pytest.raises(CheckpointError, match="needs state_step"):
        store.append(run_id, [], report={})
    with pytest.raises(CheckpointError, match="there is no run"):
        store.reports("0" * 32)
    store.finish_run(run_id)
    with pytest.raises(CheckpointError, match="is finished, not running"):
        store.append(run_id, [], state_step=0, report={})
    assert store.reports(run_id) == []


def test_passwords_stay_out_of_reports(store, run_id, path):
    store.append(run_id, [], state_step=0, report={"storage": "postgresql://user:secret@host/name"})
    assert "secret" not in str(sql(path, "SELECT content FROM reports"))


def test_text_and_numbers_that_are_finite_stay_as_they_are():
    content = {"a": [0.1, 2, True, None, "infinity", "NaN", ""], "b": {"nan": 1.0}}
    assert numbers_from_json(plain_json(content, "report")) == content


def test_store_of_schema_version_1_keeps_its_rows_and_gets_a_log(old):
    with CheckpointStore(old) as store:
        run = store.run(OLD_RUN)
        rows = store.checkpoints(run_id=OLD_RUN)
        assert (run.name, run.status, run.version) == ("first try", "running", "0.1.0")
        assert [row.objective for row in rows] == [0.25, 1.25]
        assert rows[1].metrics == {"train": {"returns": 1.25, "sharpe": math.inf}}
        assert store.load_state(OLD_RUN).blob == b"\x00state"
        assert store.reports(OLD_RUN) == []
        store.append(OLD_RUN, [], state_step=2, report={"loss": math.inf})
    with CheckpointStore(old) as store:
        assert [report.content for report in store.reports(OLD_RUN)] == [{"loss": math.inf}]
    assert sql(old, "SELECT version FROM checkpoint_schema") == [(4,)]


def test_upgraded_store_has_the_tables_of_a_new_one(old, tmp_path):
    def tables(path: Path) -> dict[str, str]:
        found = sql(path, "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        return {str(name): " ".join(str(text).split()) for name, text in found}

    for path in (old, tmp_path / "new.db"):
        CheckpointStore(path).close()
    assert tables(old) == tables(tmp_path / "new.db")


def test_upgrade_that_is_cut_off_leaves_the_store_as_it_was(old, monkeypatch):
    def fail(_table):
        raise RuntimeError("power cut")

    before = sql(old, "SELECT name FROM sqlite_master")
    with monkeypatch.context() as patched:
        patched.setattr("quantsim.checkpoints.database.schema.insert", fail)  # its last statement
        with pytest.raises(RuntimeError, match="power cut"):
            CheckpointStore(old)
    assert sql(old, "SELECT name FROM sqlite_master") == before
    assert sql(old, "SELECT version FROM checkpoint_schema") == [(1,)]


def test_two_processes_upgrade_at_once(old, script):
    opening = f"""
from quantsim.checkpoints import CheckpointStore
with CheckpointStore({str(old)!r}) as store:
    print(len(store.reports({OLD_RUN!r})))
"""
    for process in [script(opening), script(opening)]:
        out, err = process.communicate(timeout=60)
        assert (out, err, process.returncode) == ("0\n", "", 0)
    assert sql(old, "SELECT version FROM checkpoint_schema") == [(4,)]
