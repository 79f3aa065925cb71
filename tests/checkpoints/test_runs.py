"""Stored runs as things: listed, labelled and deleted as wholes, in any database."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from checkpoint_support import (
    BEGIN,
    STUDY,
    check_copies_comparisons_and_watches,
    check_labels_and_wholes,
    check_migration_of_version_3,
    fill,
    sql,
)
from sqlalchemy import event

from quantsim.checkpoints import Checkpoint, CheckpointStore
from quantsim.checkpoints.liveness import process_identity
from quantsim.errors import CheckpointError

VERSION_1 = (Path(__file__).parent / "version_1.sql").read_text()
NO_PROCESS = {**process_identity(), "pid": 2**22 + 1}


def test_labels_and_wholes_in_sqlite(store, tmp_path):
    check_labels_and_wholes(store, **BEGIN)
    check_migration_of_version_3(store, **BEGIN)
    check_copies_comparisons_and_watches(store, tmp_path)


def test_list_has_the_newest_first_with_counts_and_the_best(store):
    first, second = fill(store), fill(store, 3, driver="search", config={**STUDY, "name": "other"})
    found = store.runs()
    assert [one.run_id for one in found] == [second, first]
    assert (found[0].name, found[0].driver, found[0].status, found[0].checkpoints) == ("other", "search", "finished", 3)
    assert (found[0].head.objective, found[0].head.best, found[0].head.last_step) == (
        "m",
        {"train": 9.0, "validation": 2.0},
        2,
    )
    frame = found.to_frame()
    assert frame.loc[first[:8], ["name", "checkpoints", "best_validation"]].tolist() == ["study", 2, 1.0]
    assert [one["key"] for one in found.to_json()] == [second[:8], first[:8]]
    assert "other (search, finished)" in repr(found)


def test_filters_of_the_list(store):
    first = fill(store)
    second = fill(store, driver="search", config={**STUDY, "name": "other"}, status="failed")
    store.tag(first, ["keep"])
    store.rename(first, "the good one")
    for wanted, ids in (
        ({"study": "study"}, [first]),
        ({"study": "the good one"}, [first]),
        ({"driver": "search"}, [second]),
        ({"tag": "keep"}, [first]),
        ({"status": "failed"}, [second]),
        ({"status": "finished", "driver": "search"}, []),
    ):
        assert [one.run_id for one in store.runs(**wanted)] == ids
    with pytest.raises(CheckpointError, match="unknown status 'done'"):
        store.runs(status="done")


def test_infinite_values_are_the_best_and_the_combined_objective_counts(store, run_id):
    metrics = ({"m": 1.0, "objective": float("inf")}, {"m": 2.0, "objective": float("nan")})
    rows = [Checkpoint(run_id, step, 0, "sgd", {}, metrics={"train": one}) for step, one in enumerate(metrics)]
    store.append(run_id, rows)
    (entry,) = store.runs()
    assert (entry.head.objective, entry.head.best) == ("objective", {"train": float("inf")})


def test_number_of_queries_does_not_grow_with_runs(store):
    queries = []
    engine = store.tables.database._engine
    event.listen(engine, "before_cursor_execute", lambda *arguments: queries.append(arguments[2]))
    counts = []
    for _ in range(2):
        fill(store)
        fill(store, group=("folds", len(counts)))
        queries.clear()
        entries = store.runs()
        store.entry(entries[0].key)
        counts.append(len([one for one in queries if one.startswith("SELECT")]))
    assert counts[0] == counts[1]


def test_a_killed_run_is_interrupted_and_a_live_one_running(store):
    killed = fill(store, status=None, notes=NO_PROCESS)
    live = fill(store, status=None, notes=process_identity())
    assert {one.run_id: one.status for one in store.runs()} == {killed: "interrupted", live: "running"}
    assert store.run(killed).status == "running"


def test_lists_and_details_are_shown_without_what_computes(store, path):
    run_id = fill(store)
    store.close()
    code = (
        "import sys\nfrom quantsim.checkpoints.store import CheckpointStore\nfrom quantsim.report import run_tables\n"
        f"store = CheckpointStore.open({str(path)!r}, migrate=False)\n"
        f"run_tables.runs_table(store.runs()); run_tables.metrics_table(found := store.details({run_id!r}), "
        "found.results[0].checkpoint)\n"
        "heavy = {'jax', 'optuna', 'pandas', 'scipy', 'pyarrow', 'arch', 'quantsim.config'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("key", ["", "xyz", "12", "0123:1:0", "nobody"])
def test_keys_that_name_no_run_are_refused(store, key):
    with pytest.raises(CheckpointError):
        store.entry(key)


def test_a_run_is_found_by_id_checkpoint_and_name(store):
    run_id = fill(store)
    store.rename(run_id, "abc")  # hexadecimal digits, too
    for key in (run_id, run_id[:8], f"{run_id[:8]}:1:0", "abc"):
        assert store.entry(key).run_id == store.run(key).run_id == run_id
    assert store.run("newest").run_id == run_id


def test_a_name_of_a_walk_forward_is_not_that_of_a_single_run(store):
    folds = [fill(store, name=f"study-fold-{place}", group=("g", place)) for place in range(2)]
    store.rename(folds[0], "walked")
    with pytest.raises(CheckpointError, match=f"walked has 2 folds, .* name one of {folds[0][:8]}, {folds[1][:8]}"):
        store.run("walked")
    assert [store.run(fold).run_id for fold in folds] == folds


def test_names_notes_and_tags_are_checked(store):
    first, second = fill(store), fill(store)
    store.rename(first, "  good ")
    assert store.entry(first).name == "good"
    store.rename(first, "good")
    for name, said in (
        ("good", "is that of run"),
        ("", "one line of 1 to 200"),
        ("a\nb", "one line"),
        ("x" * 201, "200"),
    ):
        with pytest.raises(CheckpointError, match=said):
            store.rename(second, name)
    for tag in ("", "-x", "a b", "x" * 65, "a,b"):
        with pytest.raises(CheckpointError, match="must be 1 to 64 letters"):
            store.tag(second, [tag])
    with pytest.raises(CheckpointError, match="added and removed"):
        store.tag(second, ["a"], remove=["a"])
    for text in (" ", "x" * 10_001, "\x1b[31m"):
        with pytest.raises(CheckpointError, match="a note must be"):
            store.annotate(second, text)
    store.annotate(second, "see postgresql://ann:secret@host/db\nand more")
    assert store.entry(second).note == "see postgresql://ann:***@host/db\nand more"
    assert store.rename(first, None).name == "study"


def test_the_name_by_which_drivers_find_a_run_stays(store):
    run_id = fill(store, name="study-fold-1", group=("g", 1))
    store.rename(run_id, "mine")
    assert [run.name for run in store.find_runs(name="study-fold-1")] == ["study-fold-1"]


def test_deleting_leaves_nothing_of_the_run_and_gives_space_back(store, path):
    kept, gone = fill(store), fill(store, 300)
    store.tag(gone, ["old"])
    store.close()
    before = path.stat().st_size
    assert [one.run_id for one in store.delete(gone[:8])] == [gone]
    store.close()
    assert path.stat().st_size < before - 50_000
    tables = ("runs", "checkpoints", "states", "reports", "baselines", "run_tags")
    assert {table: sql(path, f"SELECT DISTINCT run_id FROM {table}") for table in tables} == {  # noqa: S608
        **{table: [(kept,)] for table in tables},
        "run_tags": [],
    }
    assert sql(path, "SELECT count(*) FROM metrics") == [(4,)]
    assert sql(path, "SELECT count(*) FROM daily_returns") == [(2,)]
    assert len(store.checkpoints(run_id=kept)) == 2


def test_runs_in_progress_are_not_deleted_and_neither_is_anything_with_them(store):
    done, live = fill(store), fill(store, status=None, notes=process_identity())
    elsewhere = fill(store, status=None, notes={"pid": 1, "host": "far"})
    for key, said in ((live, "wait for its end"), (elsewhere, "take_over=True")):
        with pytest.raises(CheckpointError, match=said):
            store.delete([done, key])
    with pytest.raises(CheckpointError, match="in progress"):
        store.delete(live, take_over=True)
    assert len(store.runs()) == 3
    store.delete(elsewhere, take_over=True)
    assert {one.run_id for one in store.runs()} == {done, live}


def test_reading_does_not_migrate_an_older_store(tmp_path):
    path = tmp_path / "old.db"
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1)
    connection.close()
    with CheckpointStore.open(path, migrate=False) as store:
        (entry,) = store.runs()
        assert (entry.name, entry.checkpoints, entry.tags) == ("first try", 2, ())
        assert sql(path, "SELECT version FROM checkpoint_schema") == [(1,)]
        store.tag(entry.key, ["old"])
        assert store.runs()[0].tags == ("old",)
    assert sql(path, "SELECT version FROM checkpoint_schema") == [(4,)]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_read_only_store_is_listed_and_not_labelled(store, path, monkeypatch):
    run_id = fill(store)
    store.close()
    monkeypatch.setattr("quantsim.checkpoints.database.sqlite_file._is_writable", lambda _: False)
    with CheckpointStore.open(path, migrate=False) as reader:
        assert reader.entry(run_id).checkpoints == 2
        with pytest.raises(CheckpointError, match="is read-only"):
            reader.tag(run_id, ["x"])
