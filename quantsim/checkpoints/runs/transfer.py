"""Copies runs from one store to another: whole entries, in one transaction, and none twice.

The content of the source is read as data: rows are checked like those of a driver, and nothing of it is run or unpickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert

from quantsim.baseline import Baseline
from quantsim.checkpoints.checkpoint import SHORT_RUN_ID, SPLITS, STATUSES, Checkpoint, Report, Run, RunState
from quantsim.checkpoints.database import baselines as baseline_table
from quantsim.checkpoints.database import checkpoints as checkpoint_table
from quantsim.checkpoints.database import labels as label_table
from quantsim.checkpoints.database import runs as run_table
from quantsim.checkpoints.database import states as state_table
from quantsim.checkpoints.database.location import file_of, read_location
from quantsim.checkpoints.database.rows import plain_json, run_row
from quantsim.checkpoints.database.schema import run_groups, run_parents
from quantsim.checkpoints.database.summaries import find_facts
from quantsim.checkpoints.liveness import process_identity
from quantsim.checkpoints.returns import with_returns
from quantsim.checkpoints.runs.checked import checked_note, checked_tags, checked_title
from quantsim.checkpoints.runs.deletion import check_at_rest
from quantsim.checkpoints.runs.entries import RunEntry, RunList, entries_of
from quantsim.errors import CheckpointError

if TYPE_CHECKING:
    from quantsim.checkpoints.store import CheckpointStore

__all__ = ["Copied", "copy_runs", "export_runs", "opened_source"]

_RUN_ID = re.compile(r"[0-9a-f]{32}")
_LONGEST_GROUP, _LONGEST_VERSION = 64, 64


@dataclass(frozen=True)
class Copied:
    """What was copied.

    Attributes:
        added: the entries that the store got, or whose missing runs it got.
        known: the entries that it had already.
    """

    added: RunList
    known: RunList


@dataclass(frozen=True)
class _Content:
    """Everything that is stored of a run."""

    run: Run
    checkpoints: tuple[Checkpoint, ...]
    baselines: Mapping[str, Baseline]
    reports: tuple[Report, ...]
    state: RunState | None
    group: tuple[str, int] | None
    parent: str | None
    title: str
    note: str
    tags: tuple[str, ...]

    def digest(self) -> str:
        """Returns a hash of the study and its results, without labels, states and times of writing."""
        run, found = self.run, hashlib.sha256()
        for part in (run.experiment_id, run.data_id, run.driver, run.seed, run.started_at, self.group, self.parent):
            found.update(f"{part!r}\n".encode())
        for row in self.checkpoints:
            found.update(repr((row.step, row.parameter_set, row.driver, row.raw, row.human, row.objective)).encode())
            found.update(
                repr([(split, sorted(table.items())) for split, table in sorted(row.metrics.items())]).encode()
            )
            for split in sorted(row.daily_log_returns):
                found.update(split.encode() + row.daily_log_returns[split].tobytes())
        for name, one in sorted(self.baselines.items()):
            for split in sorted(one.daily_log_returns):
                found.update(f"{name} {split}".encode() + one.daily_log_returns[split].tobytes())
        return found.hexdigest()


def opened_source(location: str | os.PathLike[str]) -> CheckpointStore:
    """Opens a store to copy from, without writing to it or next to it.

    Raises:
        CheckpointError: there is no store, a newer version made it, or it has views or triggers, which stores do not have.
    """
    from quantsim.checkpoints.store import CheckpointStore

    with contextlib.suppress(ValueError):  # opening the store reports it
        path = file_of(read_location(location))
        if path is not None and not path.is_file():
            raise CheckpointError(f"there is no store {os.fspath(location)} to copy from: the file does not exist")
    source = CheckpointStore.open(location, read_only=True)
    try:
        foreign = source.tables.read(_programs)
    except BaseException:
        source.close()
        raise
    if foreign:
        source.close()
        raise CheckpointError(
            f"{source.location} has {', '.join(foreign)}, which no store has: it may have been made to do harm, and is not read"
        )
    return source


def _programs(connection: Connection) -> list[str]:
    """Returns the views and triggers of an SQLite file: statements that its maker wrote."""
    if connection.dialect.name != "sqlite":
        return []
    found = connection.exec_driver_sql("SELECT type, name FROM sqlite_master WHERE type IN ('view', 'trigger')")
    return [f"the {kind} {name!r}" for kind, name in found]


def export_runs(
    source: CheckpointStore, location: str | os.PathLike[str], keys: Sequence[str], *, take_over: bool
) -> Copied:
    """Copies entries to the store at a location, which is created if it does not exist; see :func:`copy_runs`."""
    from quantsim.checkpoints.store import CheckpointStore

    for key in keys:
        check_at_rest(source.entry(key), "copied", take_over=take_over)  # before a file is created
    with CheckpointStore(location) as target:
        return copy_runs(source, target, keys, take_over=take_over)


def copy_runs(
    source: CheckpointStore,
    target: CheckpointStore,
    keys: Sequence[str] | None = None,
    *,
    replacing: bool = False,
    take_over: bool = False,
) -> Copied:
    """Copies entries with everything that is stored of them, in one transaction. What the target has already is not copied.

    A run whose process was killed becomes interrupted, because nobody can tell elsewhere. The identity of its process is left
    out.

    Args:
        source: the store to copy from.
        target: the store to copy to.
        keys: keys of the entries; None for all.
        replacing: whether to replace runs that the target has with other content.
        take_over: whether to copy runs that say "running" on another machine, because their processes have ended.

    Raises:
        CheckpointError: there is no such run, one is in progress, the content is not valid, or the target has a run of the same
            id with other content; nothing is copied.
    """
    with _naming_invalid_content(source):
        found = source.runs() if keys is None else [source.entry(key) for key in dict.fromkeys(keys)]
    entries = list({entry.run_id: entry for entry in found}.values())
    for entry in entries:
        check_at_rest(entry, "copied", take_over=take_over)
    new, known, gone = list[_Content](), set[str](), list[str]()
    stored = {run.run_id for run in target.find_runs()}
    for content in (content for entry in entries for content in _contents(source, entry)):
        run_id = content.run.run_id
        if run_id in stored:
            if _content_of(target, run_id).digest() == content.digest():
                known.add(run_id)
                continue
            _check_replaced(target, run_id, replacing=replacing)
            gone.append(run_id)
        elif any(other.startswith(run_id[:SHORT_RUN_ID]) for other in stored):
            raise CheckpointError(f"{target.location} has another run whose id starts with {run_id[:SHORT_RUN_ID]}")
        new.append(content)
    if new:
        target.tables.write(_store_all, sorted(new, key=lambda one: one.parent is not None), gone)
    added = [entry for entry in entries if not known.issuperset(entry.run_ids)]
    return Copied(RunList(added), RunList(entry for entry in entries if known.issuperset(entry.run_ids)))


def _check_replaced(target: CheckpointStore, run_id: str, *, replacing: bool) -> None:
    if not replacing:
        raise CheckpointError(
            f"{target.location} has run {run_id[:SHORT_RUN_ID]} with other content, such as fewer steps: replacing=True "
            "(--replace) takes the given one instead"
        )
    check_at_rest(target.entry(run_id), "replaced")


def _contents(source: CheckpointStore, entry: RunEntry) -> Iterator[_Content]:
    """Yields the content of the runs of an entry, each checked."""
    for run_id in entry.run_ids:
        with _naming_invalid_content(source):
            content = _checked(_content_of(source, run_id))
        yield content


@contextlib.contextmanager
def _naming_invalid_content(source: CheckpointStore) -> Iterator[None]:
    """Converts errors while reading values that no store has."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise CheckpointError(f"the content of {source.location} is not valid: {error}") from error


def _content_of(store: CheckpointStore, run_id: str) -> _Content:
    facts = store.tables.read(find_facts, [run_id])
    (entry,) = entries_of(facts)
    run = facts.runs[0]
    rows = store.checkpoints(run_id=run_id)
    return _Content(
        run,
        tuple(with_returns(store, [run], rows, SPLITS)),
        store.baselines(run_id),
        tuple(store.reports(run_id)),
        store.load_state(run_id),
        facts.groups.get(run_id),
        facts.parents.get(run_id),
        entry.title,
        entry.note,
        entry.tags,
    )


def _checked(content: _Content) -> _Content:
    """Returns the content of a run as it is stored elsewhere; raises CheckpointError if it is not valid."""
    run = content.run
    identity = process_identity().keys()
    if not _RUN_ID.fullmatch(run.run_id) or not (content.parent is None or _RUN_ID.fullmatch(content.parent)):
        raise CheckpointError("an id is not 32 hexadecimal digits")
    if run.status not in STATUSES or len(run.version) > _LONGEST_VERSION:
        raise CheckpointError(f"the status {run.status!r} or the version {run.version[:80]!r} is not valid")
    if content.group is not None and not 0 < len(content.group[0]) <= _LONGEST_GROUP:
        raise CheckpointError("the id of its group is not valid")
    steps = [report.step for report in content.reports] + ([] if content.state is None else [content.state.step])
    if not all(isinstance(step, int) and step >= 0 for step in steps):
        raise CheckpointError("the step of a state or a report is not a whole number from 0")
    left_out = {*identity, "storage"}  # the study there is another one, or none
    notes = {name: value for name, value in dict(run.notes).items() if name not in left_out}
    kept = replace(run, notes=notes, config=dict(run.config))
    if run.status == "running":
        kept = replace(kept, status="interrupted", reason="its process had ended", finished_at=run.updated_at)
    return replace(
        content,
        run=kept,
        title=checked_title(content.title) if content.title else "",
        note=checked_note(content.note) if content.note else "",
        tags=tuple(checked_tags(content.tags)),
    )


def _store_all(connection: Connection, contents: Sequence[_Content], gone: Sequence[str]) -> None:
    run_table.delete_runs(connection, gone)
    run_table.add_runs(connection, [_row(content.run) for content in contents])
    for content in contents:
        _store(connection, content)


def _row(run: Run) -> dict[str, Any]:
    return {**run_row(run), "reason": None if run.reason is None else str(run.reason)}


def _store(connection: Connection, content: _Content) -> None:
    run_id = content.run.run_id
    checkpoint_table.replace(connection, run_id, content.checkpoints)
    baseline_table.replace_baselines(connection, run_id, baseline_table.baseline_rows(run_id, content.baselines))
    for report in content.reports:
        plain = plain_json(report.content, "report")
        state_table.replace_report(connection, run_id, report.step, plain, report.created_at)
    if content.state is not None:
        state_table.replace_state(connection, run_id, content.state)
    if content.group is not None:
        group_id, position = content.group
        connection.execute(insert(run_groups).values(run_id=run_id, group_id=group_id, position=position))
    if content.parent is not None:
        connection.execute(insert(run_parents).values(run_id=run_id, parent_id=content.parent))
    label_table.set_label(connection, [run_id], title=content.title or None, note=content.note or None)
    label_table.change_tags(connection, [run_id], content.tags, ())
