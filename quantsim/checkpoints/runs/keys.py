"""Finds runs by what users call them: the first characters of an id, the key of a checkpoint, a given name, or "newest"."""

from __future__ import annotations

import re

from quantsim.checkpoints.checkpoint import SHORT_RUN_ID, STATUSES, Run, parse_checkpoint_id
from quantsim.checkpoints.database import labels as label_table
from quantsim.checkpoints.database import runs as run_table
from quantsim.checkpoints.database.summaries import find_facts, of_whole
from quantsim.checkpoints.database.tables import Tables
from quantsim.checkpoints.runs.checked import NEWEST
from quantsim.checkpoints.runs.entries import RunEntry, RunList, entries_of
from quantsim.errors import CheckpointError, nearest

__all__ = ["find_entries", "find_entry", "find_named", "find_run"]

_RUN_ID = re.compile(r"[0-9a-f]{1,32}")


def find_run(tables: Tables, run_id: str) -> Run:
    """Returns the run with this id, or the only run whose id starts with it; raises CheckpointError if there is none."""
    prefix = run_id.strip().lower()
    if not _RUN_ID.fullmatch(prefix):
        raise CheckpointError(f"{run_id!r} is not a run id: run ids are 32 hexadecimal digits, or the first of them")
    found = tables.read(run_table.with_prefix, prefix, 6)
    if not found:
        raise CheckpointError(f"no run in {tables.location} has an id that starts with {prefix!r}")
    if len(found) > 1:
        ids = ", ".join(row.run_id for row in found[:5]) + (", ..." if len(found) > 5 else "")
        raise CheckpointError(f"several runs have ids that start with {prefix!r}: {ids}; give more of the id")
    return found[0]


def find_named(tables: Tables, key: str) -> Run:
    """Returns the single run that a key names; raises CheckpointError if no run matches, several do, or it has folds."""
    if re.fullmatch("[0-9a-f]{32}", key):
        return find_run(tables, key)
    run_id, text = _named_run_id(tables, key), key.strip()
    if run_id.startswith(text.lower()) or ":" in text:
        return find_run(tables, run_id)
    if folds := find_entry(tables, run_id).folds:
        keys = ", ".join(fold.run.key for fold in folds)
        raise CheckpointError(f"{key} has {len(folds)} folds, a run each: name one of {keys}")
    return find_run(tables, run_id)


def find_entry(tables: Tables, key: str) -> RunEntry:
    """Returns the entry of the run that a key names; raises CheckpointError if no run matches, or several do."""
    run_ids = tables.read(of_whole, _named_run_id(tables, key))
    (found,) = entries_of(tables.read(find_facts, run_ids))
    return found


def find_entries(
    tables: Tables,
    study: str | None = None,
    driver: str | None = None,
    tag: str | None = None,
    status: str | None = None,
) -> RunList:
    """Returns the entries that match all given values; see :meth:`CheckpointStore.runs`."""
    if status is not None and status not in STATUSES:
        raise CheckpointError(f"unknown status {status!r}; {nearest(status, STATUSES)}")
    return RunList(
        entry
        for entry in entries_of(tables.read(find_facts))
        if (study is None or study in (entry.study, entry.title))
        and (driver is None or driver == entry.driver)
        and (tag is None or tag in entry.tags)
        and (status is None or status == entry.status)
    )


def _named_run_id(tables: Tables, key: str) -> str:
    """Returns the full id of the run that a key names."""
    text = key.strip()
    if text == NEWEST:
        if (run_id := tables.read(run_table.newest)) is None:
            raise CheckpointError(f"{tables.location} has no run yet: run `quantsim optuna` or `quantsim sgd` first")
        return run_id
    if ":" in text:
        return find_run(tables, parse_checkpoint_id(text)[0]).run_id
    named = tables.read(label_table.titled, text)
    if named and set(named) <= set(tables.read(of_whole, named[0])):
        return named[0]
    if named:
        keys = ", ".join(run_id[:SHORT_RUN_ID] for run_id in named)
        raise CheckpointError(f"several runs are named {text!r}: name one by its id, {keys}")
    try:
        return find_run(tables, text).run_id
    except CheckpointError as error:
        raise CheckpointError(f"{error}, and none has this name; `quantsim runs` lists the runs") from error
