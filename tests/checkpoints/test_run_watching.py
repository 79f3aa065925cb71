"""A live run is followed by what it stores, until it ends."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from checkpoint_support import BEGIN

from quantsim.checkpoints import Checkpoint, CheckpointStore
from quantsim.checkpoints.liveness import process_identity
from quantsim.checkpoints.runs import watching
from quantsim.errors import CheckpointError

STUDY = {"name": "study", "objective": {"metric": "m"}, "search": {"trials": 99}, "sgd": {"steps": 50}}
NO_PROCESS = {**process_identity(), "pid": 2**22 + 1}


def begun(store, driver="search", notes=None, **options):
    notes = {**process_identity(), **(notes or {})}
    return store.begin_run(**{**BEGIN, "config": STUDY, "driver": driver, "notes": notes, **options})


def rows(run_id, *steps, driver="search"):
    now = datetime.now(UTC)
    return [
        Checkpoint(
            run_id,
            step,
            0,
            driver,
            {},
            metrics={"validation": {"m": float(step)}},
            created_at=now + timedelta(seconds=step - 100),
        )
        for step in steps
    ]


def test_a_search_is_followed_to_its_end_by_a_reader(store, path):
    run_id = begun(store, notes={"trials": 10})
    acts = iter(
        [
            lambda: store.append(run_id, rows(run_id, 0, 1)),
            lambda: None,
            lambda: store.append(run_id, rows(run_id, 3)),
            lambda: store.finish_run(run_id),
        ]
    )
    with CheckpointStore.open(path, read_only=True) as reader:
        seen = list(reader.watch(sleep=lambda _: next(acts)()))
    assert [(one.done, one.total, one.is_over) for one in seen] == [
        (0, 10, False),
        (2, 10, False),
        (4, 10, False),
        (4, 10, True),
    ]
    assert [one.text() for one in seen[::3]] == ["no result yet", "best validation m 3"]
    assert [math.isfinite(one.seconds_left) for one in seen] == [False, True, True, True]
    assert seen[3].seconds_left == 0.0
    assert seen[2].seconds_left == pytest.approx(6.0, abs=0.5)  # a trial takes a second
    assert seen[3].to_json()["status"] == "finished"


def test_a_killed_run_ends_the_watch(store):
    run_id = begun(store, driver="sgd", notes=NO_PROCESS)
    (seen,) = store.watch(run_id, sleep=pytest.fail)
    assert (seen.is_over, seen.entry.status, seen.total, seen.unit) == (True, "interrupted", 50, "step")


def test_there_is_nothing_to_watch(store):
    store.finish_run(begun(store))
    with pytest.raises(CheckpointError, match="no run is in progress"):
        list(store.watch())
    with pytest.raises(CheckpointError, match="no run in"):
        list(store.watch("abc"))


def test_phases_of_a_hybrid_run_are_one_watch(store, monkeypatch):
    search = begun(store, notes={"study": "study-hybrid-0123abcd", "trials": 2})
    phase = []
    acts = iter(
        [
            lambda: (store.append(search, rows(search, 0, 1)), store.finish_run(search)),
            lambda: phase.append(begun(store, driver="sgd", parent=search)),
            lambda: store.append(phase[0], rows(phase[0], 0, 25, driver="sgd")),
            lambda: (store.finish_run(phase[0]), monkeypatch.setattr(watching, "_GRACE_S", 0.0)),
        ]
    )
    seen = list(store.watch(search, sleep=lambda _: next(acts)()))
    assert [(one.unit, one.done, one.is_over) for one in seen] == [
        ("trial", 0, False),
        ("trial", 2, False),
        ("step", 0, False),
        ("step", 25, False),
        ("step", 25, True),
    ]
    assert seen[3].text() == "fine-tuning, best validation m 25"
