"""Several processes on one file, and processes that are killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import threading
import time

import pytest
from checkpoint_support import BEGIN

from quantsim.checkpoints import CheckpointStore

WRITER = """
import sys
from quantsim.checkpoints import Checkpoint, CheckpointStore

path, steps = sys.argv[1], int(sys.argv[2])
with CheckpointStore(path) as store:
    run_id = store.begin_run(experiment_id="e1", data_id="d1", driver="sgd", config={})
    for step in range(steps):
        rows = [
            Checkpoint(run_id, step, index, "sgd", {"w": (step + 0.5,)}, metrics={"train": {"m": step, "n": index}})
            for index in range(3)
        ]
        store.append(run_id, rows, state=str(step).encode())
        print(run_id, step, flush=True)
    store.finish_run(run_id)
"""

FORKER = """
import os, sys
from quantsim.checkpoints import Checkpoint, CheckpointStore

store = CheckpointStore(sys.argv[1])
run_id = store.begin_run(experiment_id="e1", data_id="d1", driver="sgd", config={})
store.append(run_id, [Checkpoint(run_id, 0, 0, "sgd", {})])
children = []
for child in (1, 2):
    pid = os.fork()
    if pid == 0:
        for step in range(20):
            store.append(run_id, [Checkpoint(run_id, step, child, "sgd", {})])
        store.close()
        os._exit(0)
    children.append(pid)
for step in range(20):
    store.append(run_id, [Checkpoint(run_id, step, 0, "sgd", {})])
assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)
print(len(store.checkpoints(run_id=run_id)))
store.close()
"""


def is_sound(path) -> bool:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        connection.close()


def test_processes_write_at_once(path, script):
    # None of them finds the file: they also create it at once.
    processes = [script(WRITER, path, 40) for _ in range(4)]
    outcomes = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], outcomes
    with CheckpointStore(path) as store:
        runs = store.find_runs(status="finished")
        assert len(runs) == 4
        for run in runs:
            rows = store.checkpoints(run_id=run.run_id)
            assert [(row.step, row.parameter_set) for row in rows] == [(s, i) for s in range(40) for i in range(3)]
            assert all(row.metrics == {"train": {"m": row.step, "n": row.parameter_set}} for row in rows)
            assert store.load_state(run.run_id).step == 39
    assert is_sound(path)


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
def test_kill_loses_no_committed_step(path, script, make):
    writer = script(WRITER, path, 10**6)
    assert writer.stdout is not None
    for _ in range(30):
        writer.stdout.readline()
    writer.send_signal(signal.SIGKILL)
    # Not communicate(), which would miss the lines that readline() has buffered.
    *whole, _ = writer.stdout.read().split("\n")  # the last line may be cut off
    said = [29, *(int(line.split()[1]) for line in whole)]
    writer.wait()
    with CheckpointStore(path) as store:
        (run,) = store.find_runs()
        assert run.status == "running"
        rows = store.checkpoints(run_id=run.run_id)
        steps = sorted({row.step for row in rows})
        assert steps in (list(range(said[-1] + 1)), list(range(said[-1] + 2)))  # killed before it could say so
        assert len(rows) == 3 * len(steps)
        assert all(set(row.metrics["train"]) == {"m", "n"} for row in rows)
        state = store.load_state(run.run_id)
        assert state.step == steps[-1] == int(state.blob)

        store.resume_run(run.run_id)
        again = [make(state.step, 0, run_id=run.run_id), make(state.step + 1, 0, run_id=run.run_id)]
        store.append(run.run_id, again, state=b"on")
        assert len(store.checkpoints(run_id=run.run_id)) == len(rows) + 1
    assert is_sound(path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
def test_store_works_after_a_fork(path, script):
    process = script(FORKER, path)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output.strip()) == (0, "60"), errors
    assert is_sound(path)


def test_threads_write_at_once(store, make):
    failures: list[BaseException] = []

    def write(index: int) -> None:
        try:
            run_id = store.begin_run(**BEGIN)
            for step in range(15):
                store.append(run_id, [make(step, index, run_id=run_id, train=1.0)])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(store.checkpoints()) == 60


def test_writer_waits_for_the_lock(store, path, make, monkeypatch):
    monkeypatch.setattr("quantsim.checkpoints.database.engine._BUSY_TIMEOUT_S", 0.02)
    run_id = store.begin_run(**BEGIN)
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.2, lambda: holder.execute("COMMIT"))
    release.start()
    started = time.monotonic()
    try:
        with CheckpointStore(path) as patient:
            patient.append(run_id, [make(run_id=run_id)])
    finally:
        release.join()
        holder.close()
    assert time.monotonic() - started > 0.15
    assert len(store.checkpoints()) == 1
