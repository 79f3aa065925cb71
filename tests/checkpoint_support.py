"""What several tests of the store use."""

from __future__ import annotations

import math
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, update

from quantsim.checkpoints import Baseline, Checkpoint, CheckpointStore
from quantsim.checkpoints.database import schema

BEGIN = {"experiment_id": "e1", "data_id": "d1", "driver": "sgd", "config": {}}
STUDY = {"name": "study", "objective": {"metric": "m"}}


def sql(path: Path, statement: str) -> list[tuple[object, ...]]:
    """Runs a statement on an SQLite file, past the store."""
    connection = sqlite3.connect(path)
    try:
        with connection:
            return connection.execute(statement).fetchall()
    finally:
        connection.close()


def fill(store: CheckpointStore, n_rows: int = 2, *, status: str | None = "finished", **begin: Any) -> str:
    """Stores a run with everything that a run can have."""
    run_id = store.begin_run(**{**BEGIN, "config": STUDY, **begin})
    rows = [
        Checkpoint(
            run_id,
            step,
            0,
            "sgd",
            {"w": (float(step),)},
            metrics={"train": {"m": 9.0 - step}, "validation": {"m": float(step)}},
            daily_log_returns={"train": np.full(3, 0.1)},
        )
        for step in range(n_rows)
    ]
    store.append(run_id, rows, state=b"state", state_step=n_rows, report={"loss": 1.0})
    store.set_baselines(run_id, {"hodl": Baseline("hodl", {"train": {"m": 0.5}}, {"train": np.zeros(3)})})
    if status is not None:
        store.finish_run(run_id, status)
    return run_id


def check_equal_checkpoints(store: CheckpointStore, **begin: Any) -> None:
    """That a store, in whatever database, finds the rows with the parameters of another one, and these alone."""
    numbers = (1.5, -3e-300, 7e299, 0.1 + 0.2)
    given = {
        "same": {"log_k": numbers, "pair.fast.logit_lamb": (1.0,)},
        "rounded": {"log_k": (1.5, 0.0, 7e299, 0.3), "pair.fast.logit_lamb": (1.0 + 1e-12,)},
        "other": {"log_k": (1.5, -3e-300, 7e299, 0.3001), "pair.fast.logit_lamb": (1.0,)},
        "longer": {"log_k": (*numbers, 1.0), "pair.fast.logit_lamb": (1.0,)},
        "more": {"log_k": numbers, "pair.fast.logit_lamb": (1.0,), "w": (1.0,)},
        "lost": {"log_k": (math.nan, *numbers[1:]), "pair.fast.logit_lamb": (1.0,)},
        "endless": {"log_k": (-math.inf, *numbers[1:]), "pair.fast.logit_lamb": (1.0,)},
        "nothing": {},
    }
    run_id, elsewhere = (store.begin_run(**{**begin, "data_id": data_id}) for data_id in ("equal", "elsewhere"))
    rows = {name: Checkpoint(run_id, step, 0, "sgd", raw) for step, (name, raw) in enumerate(given.items())}
    store.append(run_id, list(rows.values()))
    store.append(elsewhere, [replace(rows["same"], run_id=elsewhere)])
    found = {name: [each.step for each in store.equal_checkpoints(row, data_id="equal")] for name, row in rows.items()}
    alone = {name: [row.step] for name, row in rows.items()}
    assert found == {**alone, "same": [0, 1], "rounded": [0, 1], "lost": []}


def check_returns_baselines_and_groups(store: CheckpointStore, **begin: Any) -> None:
    """That a store, in whatever database, keeps daily returns and baselines bit for bit, and knows groups of runs."""
    odd = np.array([np.nan, -np.inf, -0.0, 5e-324, 0.1])
    second, first = (store.begin_run(**begin, group=("folds", position)) for position in (1, 0))
    for index in range(2):  # the second time they replace the first
        rows = [
            Checkpoint(first, step, 0, "sgd", {}, daily_log_returns={"train": odd * (1.0 + step + index)})
            for step in (1, 0)
        ]
        store.append(first, rows)
        store.set_baselines(first, {"hodl": Baseline("hodl", {"train": {"m": (0.5, -np.inf)[index]}}, {"train": odd})})
    table = store.daily_log_returns([second, first], "train")
    assert table.checkpoint_ids == (f"{first}:0:0", f"{first}:1:0")
    assert table.values.tobytes() == np.stack([2.0 * odd, 3.0 * odd]).tobytes()
    assert store.daily_log_returns([first], "test").missing == 2
    (baseline,) = store.baselines(first).values()
    assert (baseline.metrics, baseline.daily_log_returns["train"].tobytes()) == (
        {"train": {"m": -np.inf}},
        odd.tobytes(),
    )
    assert [run.run_id for run in store.runs_of_group("folds")] == [first, second]


def check_labels_and_wholes(store: CheckpointStore, **begin: Any) -> None:
    """That a store, in whatever database, labels and deletes groups and the phases of hybrid runs as a whole."""
    before = {entry.run_id for entry in store.runs()}
    second, first = (store.begin_run(**begin, group=("whole", position)) for position in (1, 0))
    phase = store.begin_run(**begin, parent=first)
    alone = store.begin_run(**begin)
    for run_id in (first, second, phase, alone):
        store.append(run_id, [Checkpoint(run_id, 0, 0, "sgd", {"w": (1.0,)}, metrics={"train": {"m": 1.0}})])
        store.finish_run(run_id)
    entries = {entry.run_id: entry for entry in store.runs() if entry.run_id not in before}
    assert {run_id: entry.run_ids for run_id, entry in entries.items()} == {
        first: (first, second, phase),
        alone: (alone,),
    }
    assert (entries[first].kind, entries[first].driver, entries[first].checkpoints) == ("folds", "hybrid", 3)
    store.tag(phase, ["b", "a", "c"])
    store.tag(second, ["a"], remove=["c"])
    store.rename(second, "Größe 'x'; --")
    labelled = store.annotate("Größe 'x'; --", "über\nzwei Zeilen")
    assert (labelled.run_id, labelled.tags, labelled.note) == (first, ("a", "b"), "über\nzwei Zeilen")
    assert store.annotate(first, None).note == ""
    assert [entry.run_id for entry in store.delete(phase)] == [first]
    assert {entry.run_id for entry in store.runs()} == {*before, alone}
    store.delete(alone)


def check_migration_of_version_3(store: CheckpointStore, **begin: Any) -> None:
    """That a store of schema 3, in whatever database, is read as it is, and gets the tables of labels before a write."""
    tables = [schema.run_labels, schema.run_parents, schema.run_tags]

    def as_version_3(connection: Connection) -> None:
        schema.metadata.drop_all(connection, tables=tables)
        connection.execute(update(schema.schema_version).values(version=3))

    run_id = store.begin_run(**begin)
    store.finish_run(run_id)
    store.tables.database.write(as_version_3)
    with CheckpointStore.open(store.url, migrate=False) as older:
        assert older.entry(run_id).tags == ()
        assert not older.tables.read(schema.has_schema)
        assert older.tag(run_id, ["new"]).tags == ("new",)
        assert older.tables.read(schema.has_schema)
    store.tables.database.write(as_version_3)
    CheckpointStore(store.url).close()
    assert store.annotate(run_id, "text").note == "text"
    store.delete(run_id)


def check_copies_comparisons_and_watches(store: CheckpointStore, folder: Path) -> None:
    """That a store, in whatever database, copies runs to a file and back, compares them, and shows how they ended."""
    first, second = fill(store, 3), fill(store)
    store.tag(first, ["kept"])
    before = [store.get(row.checkpoint_id) for row in store.checkpoints(run_id=first)]
    file = folder / "copied.db"
    assert len(store.export_runs([first, second], file).added) == 2
    store.delete([first, second])
    assert len(store.import_runs(file).added) == 2
    assert len(store.import_runs(file).known) == 2
    after = [store.get(row.checkpoint_id) for row in store.checkpoints(run_id=first)]
    assert after == before
    assert [row.daily_log_returns["train"].tobytes() for row in after] == [
        row.daily_log_returns["train"].tobytes() for row in before
    ]
    assert store.entry(first).tags == ("kept",)
    assert store.compare(first, second).splits[0].metrics == {"m": (7.0, 8.0)}
    with CheckpointStore.open(store.url, read_only=True) as reader:
        (seen,) = reader.watch(first)
    assert (seen.done, seen.is_over, seen.current.best) == (2, True, {"train": 9.0, "validation": 2.0})
    store.delete([first, second])
