"""A store whose file disappears under a run, and one that can only be read."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import pytest
from checkpoint_support import BEGIN

from quantsim.checkpoints import CheckpointStore
from quantsim.errors import CheckpointError

NOBODY = 65534

GONE = r"checkpoints\.db no longer exists: its file was removed or replaced while it was in use"


def remove_file(path):
    path.unlink()


def remove_folder(path):
    shutil.rmtree(path.parent)


def replace_file(path):
    other = path.with_name("other.db")
    with CheckpointStore(other):
        pass
    other.replace(path)


@pytest.mark.parametrize("take_away", [remove_file, remove_folder, replace_file])
def test_a_store_that_is_gone_is_an_error(store, path, run_id, make, take_away):
    store.append(run_id, [make(0, run_id=run_id)])
    take_away(path)
    for use in (
        lambda: store.append(run_id, [make(1, run_id=run_id)]),
        lambda: store.finish_run(run_id),
        lambda: store.checkpoints(run_id=run_id),
        lambda: store.begin_run(**BEGIN),
    ):
        with pytest.raises(CheckpointError, match=GONE):
            use()
    store.close()
    with pytest.raises(CheckpointError, match=GONE):
        store.finish_run(run_id)
    if take_away is not replace_file:
        assert not path.exists()  # no empty one is made in its place


def test_a_write_after_the_file_was_removed_is_an_error(store, path, run_id, monkeypatch):
    def write_and_remove(connection):
        connection.exec_driver_sql("UPDATE runs SET name = 'x'")
        path.unlink()

    with pytest.raises(CheckpointError, match=GONE):
        store.tables.database.transact(write_and_remove, write=True)


def test_a_relative_path_stays_the_same_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with CheckpointStore("checkpoints.db") as store:
        run_id = store.begin_run(**BEGIN)
        store.close()
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert store.run(run_id).run_id == run_id
    assert list((tmp_path / "elsewhere").iterdir()) == []


@contextlib.contextmanager
def read_only_mount(folder):
    """The folder as a medium that cannot be written, where this process may mount."""
    target = folder.with_name("mounted")
    target.mkdir()

    def call(*arguments):
        return shutil.which("mount") and subprocess.run(arguments, capture_output=True, check=False).returncode == 0

    if not call("mount", "--bind", folder, target):
        pytest.skip("mounting is not allowed here")
    try:
        if not call("mount", "-o", "remount,ro,bind", target):
            pytest.skip("mounting read-only is not allowed here")
        yield target
    finally:
        assert call("umount", target)


@contextlib.contextmanager
def no_permission(folder):
    """The folder as one that this process may only read; as root, it is somebody else meanwhile."""
    # pytest's folders are closed to others.
    with tempfile.TemporaryDirectory() as name:
        target = Path(name) / "store"
        shutil.copytree(folder, target)
        for path, mode in ((Path(name), 0o755), *((file, 0o444) for file in target.iterdir()), (target, 0o555)):
            path.chmod(mode)
        root = os.geteuid() == 0
        if root:
            os.seteuid(NOBODY)
        try:
            yield target
        finally:
            if root:
                os.seteuid(0)
            target.chmod(0o755)


@pytest.fixture(params=[read_only_mount, no_permission])
def read_only(request):
    return request.param


@pytest.fixture
def filled(store, run_id, make, path):
    store.append(run_id, [make(0, run_id=run_id, train=1.0)])
    return path


def test_a_store_that_was_closed_can_be_read(read_only, store, filled, run_id):
    store.close()
    with read_only(filled.parent) as folder, CheckpointStore(folder / filled.name) as reader:
        assert reader.find_runs()[0].run_id == run_id
        assert reader.checkpoints()[0].metrics == {"train": {"m": 1.0}}
        with pytest.raises(CheckpointError, match=r"checkpoints\.db is read-only: it can be read, but not written"):
            reader.begin_run(**BEGIN)
        assert [file.name for file in folder.iterdir()] == [filled.name]


def test_a_store_that_is_being_written_can_be_read(read_only, store, filled, run_id, make):
    with read_only(filled.parent) as folder, CheckpointStore(folder / filled.name) as reader:
        assert len(reader.checkpoints()) == 1
        if read_only is read_only_mount:  # the other is a copy
            store.append(run_id, [make(1, run_id=run_id)])
            assert len(reader.checkpoints()) == 2
        store.close()  # SQLite keeps files open as long as this process has the same one open elsewhere


def test_rows_that_only_the_log_has_are_not_left_out(read_only, store, filled, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{filled}{suffix}", copy)
    with read_only(copy) as folder, pytest.raises(CheckpointError, match=r"newest rows are in checkpoints\.db-wal"):
        CheckpointStore(folder / filled.name)


def test_a_store_of_an_older_version_that_cannot_be_written_is_read(read_only, store, filled, run_id):
    store.close()
    connection = sqlite3.connect(filled)
    for table in ("reports", "daily_returns", "baselines", "run_groups", "run_labels", "run_parents", "run_tags"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("UPDATE checkpoint_schema SET version = 1")
    connection.commit()
    connection.close()
    with read_only(filled.parent) as folder, CheckpointStore(folder / filled.name) as reader:
        assert reader.checkpoints()[0].metrics == {"train": {"m": 1.0}}
        assert reader.resolve(f"{run_id}:0:0").daily_log_returns == {}
        assert reader.daily_log_returns([run_id], "train").missing == 1
        assert (reader.baselines(run_id), reader.runs_of_group("g"), reader.reports(run_id)) == ({}, [], [])
        with pytest.raises(CheckpointError, match="is read-only: it can be read, but not written"):
            reader.begin_run(**BEGIN)


def test_a_store_where_none_can_be_made(read_only, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with read_only(empty) as folder:
        with pytest.raises(CheckpointError, match="unable to open"):
            CheckpointStore(folder / "checkpoints.db")
        with pytest.raises(CheckpointError, match="cannot make the folder"):
            CheckpointStore(folder / "deep" / "checkpoints.db")
