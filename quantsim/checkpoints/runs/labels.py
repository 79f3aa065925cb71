"""Labels of runs: tags, notes and names that users give. Each function returns the entry with the new labels."""

from __future__ import annotations

from collections.abc import Iterable

from quantsim.checkpoints.checkpoint import SHORT_RUN_ID
from quantsim.checkpoints.database import labels as label_table
from quantsim.checkpoints.database.tables import Tables
from quantsim.checkpoints.runs.checked import checked_note, checked_tags, checked_title
from quantsim.checkpoints.runs.entries import RunEntry
from quantsim.checkpoints.runs.keys import find_entry
from quantsim.errors import CheckpointError

__all__ = ["annotate_run", "rename_run", "tag_run"]


def tag_run(tables: Tables, key: str, add: Iterable[str], remove: Iterable[str]) -> RunEntry:
    """Adds and removes tags; see :meth:`CheckpointStore.tag`."""
    added, gone = checked_tags(add), checked_tags(remove)
    if both := sorted(set(added) & set(gone)):
        raise CheckpointError(f"tag {both[0]!r} is to be added and removed: do one of them")
    entry = find_entry(tables, key)
    tables.write(label_table.change_tags, entry.run_ids, added, gone)
    return find_entry(tables, entry.run_id)


def annotate_run(tables: Tables, key: str, note: str | None) -> RunEntry:
    """Sets or removes the note; see :meth:`CheckpointStore.annotate`."""
    text = None if note is None else checked_note(note)
    entry = find_entry(tables, key)
    tables.write(lambda connection: label_table.set_label(connection, entry.run_ids, note=text))
    return find_entry(tables, entry.run_id)


def rename_run(tables: Tables, key: str, name: str | None) -> RunEntry:
    """Gives or removes a name; see :meth:`CheckpointStore.rename`."""
    title = None if name is None else checked_title(name)
    entry = find_entry(tables, key)
    if title is not None:
        others = set(tables.read(label_table.titled, title)) - set(entry.run_ids)
        if others:
            raise CheckpointError(f"the name {title!r} is that of run {min(others)[:SHORT_RUN_ID]}: give another one")
    tables.write(lambda connection: label_table.set_label(connection, entry.run_ids, title=title))
    return find_entry(tables, entry.run_id)
