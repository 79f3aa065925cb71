"""Deletes runs, and refuses what is done with whole runs while one of them is in progress."""

from __future__ import annotations

from collections.abc import Sequence

from quantsim.checkpoints.database import runs as run_table
from quantsim.checkpoints.database.tables import Tables
from quantsim.checkpoints.liveness import is_elsewhere
from quantsim.checkpoints.runs.entries import RunEntry, RunList
from quantsim.checkpoints.runs.keys import find_entries, find_entry
from quantsim.errors import CheckpointError

__all__ = ["check_at_rest", "delete_entries"]


def delete_entries(tables: Tables, keys: Sequence[str], *, take_over: bool) -> RunList:
    """Deletes runs with everything that belongs to them; see :meth:`CheckpointStore.delete`."""
    entries = {entry.run_id: entry for entry in (find_entry(tables, key) for key in keys)}
    for entry in entries.values():
        check_at_rest(entry, "deleted", take_over=take_over)
    tables.write(run_table.delete_runs, [run_id for entry in entries.values() for run_id in entry.run_ids])
    if not find_entries(tables, status="running"):
        tables.database.compact()
    return RunList(entries.values())


def check_at_rest(entry: RunEntry, action: str, *, take_over: bool = False) -> None:
    """Raises CheckpointError if one of the runs of an entry is in progress.

    Args:
        entry: the entry.
        action: what shall be done with it, for the message.
        take_over: whether a run on another machine counts as ended.
    """
    for one in entry.members:
        if one.status != "running" or (take_over and is_elsewhere(one.run)):
            continue
        remedy = "wait for its end, or stop it"
        if is_elsewhere(one.run):
            where = one.run.notes.get("host", "an unknown machine")
            remedy = f"it says so on {where}; if its process has ended, repeat with take_over=True (--take-over)"
        raise CheckpointError(f"run {entry.key} is in progress and cannot be {action}: {remedy}")
