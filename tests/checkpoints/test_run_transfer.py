"""Copies of runs between stores: everything, once, and only what is valid."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from checkpoint_support import BEGIN, fill, sql
from typer.testing import CliRunner

from quantsim.checkpoints import Checkpoint, CheckpointStore
from quantsim.checkpoints.liveness import process_identity
from quantsim.commands.app import app
from quantsim.errors import CheckpointError

NO_PROCESS = {**process_identity(), "pid": 2**22 + 1}


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return tmp_path / "other.db"


def everything(store: CheckpointStore, run_id: str):
    """All that is stored of a run, in a form that compares."""
    entry = store.entry(run_id)
    rows = [store.get(row.checkpoint_id) for row in store.checkpoints(run_id=run_id)]
    returns = {row.key: {split: days.tobytes() for split, days in row.daily_log_returns.items()} for row in rows}
    baselines = {
        name: (one.metrics, {split: days.tobytes() for split, days in one.daily_log_returns.items()})
        for name, one in store.baselines(run_id).items()
    }
    labels = entry.title, entry.note, entry.tags, entry.run_ids, entry.kind
    return store.run(run_id), rows, returns, baselines, store.reports(run_id), store.load_state(run_id), labels


def test_a_copy_has_everything_and_a_second_one_changes_nothing(store, other):
    second, first = (fill(store, group=("folds", position)) for position in (1, 0))
    phase = fill(store, parent=second)
    alone = fill(store)
    store.tag(first, ["a"])
    store.rename(first, "named")
    store.annotate(first, "text")
    copied = store.export_runs(phase, other)
    assert [one.run_id for one in copied.added] == [first]
    with CheckpointStore(other) as target:
        for run_id in (first, second, phase):
            assert everything(target, run_id) == everything(store, run_id)
        assert [one.run_id for one in target.runs()] == [first]
        again = store.export_runs([first, alone], other)
        assert ([one.run_id for one in again.known], [one.run_id for one in again.added]) == ([first], [alone])
        assert len(target.checkpoints()) == 8
    store.delete(first)
    back = store.import_runs(other)
    assert ([one.run_id for one in back.added], [one.run_id for one in back.known]) == ([first], [alone])
    assert store.entry("named").run_ids == (first, second, phase)
    assert [path.name for path in other.parent.glob("other*")] == ["other.db"]


def test_odd_numbers_survive(store, other, run_id):
    odd = np.array([np.nan, -np.inf, 5e-324, 0.1])
    raw = {"w": (float("nan"), float("inf"), 1e-308)}
    row = Checkpoint(run_id, 3, 1, "sgd", raw, metrics={"train": {"m": -np.inf}}, daily_log_returns={"train": odd})
    store.append(run_id, [replace(row, objective=float("nan"))], report={"loss": float("inf")})
    store.finish_run(run_id)
    store.export_runs(run_id, other)
    with CheckpointStore(other) as target:
        assert repr(everything(target, run_id)) == repr(everything(store, run_id))
    assert len(store.import_runs(other).known) == 1


def test_other_content_is_a_conflict_and_replaces_only_on_request(store, other, make):
    run_id = fill(store)
    store.export_runs(run_id, other)
    store.resume_run(run_id)
    store.append(run_id, [make(5, 0, run_id)])
    store.finish_run(run_id)
    before = everything(store, run_id)
    fresh = fill(store)
    with pytest.raises(CheckpointError, match="with other content"):
        store.export_runs([fresh, run_id], other)
    with CheckpointStore(other) as target:
        assert [one.run_id for one in target.runs()] == [run_id]  # nothing was copied
        assert everything(store, run_id) == before
        target.import_runs(store.url, [run_id], replace=True)
        assert everything(target, run_id)[1:3] == before[1:3]


def test_runs_in_progress_are_not_copied_and_killed_ones_are_interrupted(store, other):
    live, killed = (fill(store, status=None, notes=identity) for identity in (process_identity(), NO_PROCESS))
    with pytest.raises(CheckpointError, match="in progress"):
        store.export_runs(live, other)
    store.export_runs(killed, other)
    with CheckpointStore(other) as target:
        run = target.run(killed)
    assert (run.status, run.reason, dict(run.notes)) == ("interrupted", "its process had ended", {})


def test_a_run_that_was_killed_on_another_machine_is_copied_on_request(store, other, tmp_path):
    killed = fill(store, status=None, notes={**NO_PROCESS, "host": "elsewhere"})
    with pytest.raises(CheckpointError, match=r"says so on elsewhere; .*--take-over"):
        store.export_runs(killed, other)
    assert not other.exists()
    with CheckpointStore(tmp_path / "third.db") as third:
        with pytest.raises(CheckpointError, match="--take-over"):
            third.import_runs(store.url)
        assert [one.run_id for one in third.import_runs(store.url, take_over=True).added] == [killed]
        assert third.run(killed).status == "interrupted"
    options = ["runs", "export", killed[:8], "-o", str(other), "--store", store.url]
    assert CliRunner().invoke(app, options).exit_code == 2
    assert CliRunner().invoke(app, [*options, "--take-over"]).exit_code == 0


def test_no_file_is_made_where_there_is_nothing_to_copy(store, other):
    with pytest.raises(CheckpointError, match="no run in"):
        store.export_runs("abc", other)
    with pytest.raises(CheckpointError, match="there is no store"):
        store.import_runs(other)
    assert not other.exists()


def test_a_read_only_source_is_not_written(store, other):
    run_id = fill(store)
    store.export_runs(run_id, other)
    before = other.read_bytes()
    with CheckpointStore.open(other, read_only=True) as source:
        with pytest.raises(CheckpointError, match="is read-only"):
            source.tag(run_id, ["x"])
        assert source.entry(run_id).checkpoints == 2
    assert other.read_bytes() == before
    sql(other, "DROP TABLE run_tags")
    sql(other, "UPDATE checkpoint_schema SET version = 3")
    store.delete(run_id)
    assert len(store.import_runs(other).added) == 1  # an older store, read as it is
    assert sql(other, "SELECT version FROM checkpoint_schema") == [(3,)]
    sql(other, "UPDATE checkpoint_schema SET version = 99")
    with pytest.raises(CheckpointError, match="newer quantsim"):
        store.import_runs(other)


HARM = {
    "a view instead of a table": (
        "ALTER TABLE runs RENAME TO x; CREATE VIEW runs AS SELECT * FROM x",
        "the view 'runs'",
    ),
    "a trigger": (
        "CREATE TRIGGER t AFTER UPDATE ON runs BEGIN DELETE FROM runs; END",
        "the trigger 't'",
    ),
    "an id": ("UPDATE runs SET run_id = '../../etc'", "not 32 hexadecimal digits"),
    "a status": ("UPDATE runs SET status = 'x'", "status 'x'"),
    "a driver": ("UPDATE runs SET driver = 'X; rm'", "driver = 'X; rm'"),
    "parameters": ('UPDATE checkpoints SET raw = \'{"w": ["boom"]}\'', "is not valid"),
    "no JSON": ("UPDATE runs SET config = 'cos\nsystem\n(S''true''\ntR.'", "is not valid"),
    "a table as text": ("UPDATE runs SET config = '\"text\"'", "is not valid"),
    "a split": ("UPDATE metrics SET split = 'other' WHERE split = 'train'", "unknown split"),
    "a number": ("UPDATE metrics SET value = 'many'", "is not valid"),
    "returns": ("UPDATE daily_returns SET log_returns = X'0102'", "is not valid"),
    "a time": ("UPDATE runs SET started_at = 'yesterday'", "is not valid"),
    "a tag": ("INSERT INTO run_tags SELECT run_id, '<script>' FROM runs", "tag"),
    "a note": ("INSERT INTO run_labels SELECT run_id, NULL, char(27) || '[2J' FROM runs", "a note must be"),
    "a state": ("UPDATE states SET step = 'x'", "the step of a state"),
}


@pytest.mark.parametrize("harm", HARM)
def test_content_that_no_store_has_is_refused(store, other, harm):
    store.export_runs(fill(store), other)
    statement, said = HARM[harm]
    for part in statement.split("; ") if harm == "a view instead of a table" else [statement]:
        sql(other, "PRAGMA foreign_keys = OFF")
        sql(other, part)
    with CheckpointStore(other.with_name("target.db")) as target:
        with pytest.raises(CheckpointError, match=said):
            target.import_runs(other)
        assert len(target.runs()) == 0


def test_configurations_are_only_data(store, other, tmp_path):
    run_id = fill(store, config={"pool": {"rule": f"{tmp_path / 'own.py'}:rule"}, "name": "x"})
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    store.export_runs(run_id, other)
    with CheckpointStore(tmp_path / "target.db") as target:
        target.import_runs(other)
        assert json.dumps(target.details(run_id).to_json())
    assert not (tmp_path / "ran").exists()


def test_a_run_of_the_same_short_id_is_refused(store, other):
    run_id = fill(store)
    store.export_runs(run_id, other)
    near = run_id[:8] + "0" * 24
    store.delete(run_id)
    store.add_runs([(replace(CheckpointStore(other).run(run_id), run_id=near), [])])
    with pytest.raises(CheckpointError, match="another run whose id starts with"):
        store.import_runs(other)
    store.begin_run(**BEGIN)
