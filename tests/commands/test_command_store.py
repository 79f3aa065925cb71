"""Commands whose store disappears under them, or can only be read."""

from __future__ import annotations

import pytest
from command_support import SMALL_SEARCH, SMALL_SGD, invoke
from published_support import gradient_entry, result_file

from quantsim.checkpoints import CheckpointStore
from quantsim.checkpoints.database.sqlite_file import SqliteFile


@pytest.mark.parametrize("arguments", [("sgd", *SMALL_SGD), ("optuna", *SMALL_SEARCH)], ids=["sgd", "optuna"])
def test_a_run_whose_store_is_removed_has_not_succeeded(tmp_path, monkeypatch, arguments):
    store = tmp_path / "checkpoints.db"
    append, calls = CheckpointStore.append, []

    def remove_then_append(self, *arguments, **options):
        calls.append(1)
        if len(calls) == 2:
            store.unlink()
        append(self, *arguments, **options)

    monkeypatch.setattr(CheckpointStore, "append", remove_then_append)
    result = invoke(*arguments, "--store", store, "--quiet")
    assert result.exit_code == 2, result.output
    assert "checkpoints.db no longer exists: its file was removed or replaced" in result.stderr
    assert not store.exists()


def test_a_store_that_can_only_be_read(tmp_path, monkeypatch):
    store = tmp_path / "checkpoints.db"
    file = result_file(tmp_path / "run_0123.json", gradient_entry(0, [1.0, 2.0]))
    assert invoke("import", file, "--store", store).exit_code == 0
    monkeypatch.setattr(SqliteFile, "is_read_only", True)
    assert invoke("select", "--method", "best_objective", "--store", store).exit_code == 0
    exported = invoke("export", "best_objective", "--store", store)
    assert exported.exit_code == 0, exported.output
    # The bundled prices do not reach to the dates of this study: the parameters are exported all the same.
    assert "no replay" in exported.stderr
    assert "lies outside bundled" in exported.stderr
    for command in (("import", file), ("sgd", *SMALL_SGD), ("optuna", *SMALL_SEARCH)):
        result = invoke(*command, "--store", store)
        assert result.exit_code == 2
        assert "is read-only: it can be read, but not written" in result.stderr
