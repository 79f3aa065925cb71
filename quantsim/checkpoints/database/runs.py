"""Statements on the table of runs. Each runs in the caller's transaction."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update

from quantsim.checkpoints.checkpoint import SHORT_RUN_ID, Run
from quantsim.checkpoints.database.schema import is_stored, run_groups, run_parents, runs
from quantsim.checkpoints.older import renewed
from quantsim.errors import CheckpointError

__all__ = [
    "BATCH",
    "add_run",
    "add_runs",
    "any_stored",
    "delete_runs",
    "find",
    "groups",
    "load",
    "newest",
    "of_group",
    "of_rows",
    "set_values",
    "touch_running",
    "with_prefix",
]

BATCH = 500  # rows per statement; all databases accept so many bound values


def load(connection: Connection, run_id: str) -> Run:
    """Returns the run with this full id; raises CheckpointError if there is none."""
    row = connection.execute(select(runs).where(runs.c.run_id == run_id)).one_or_none()
    if row is None:
        raise CheckpointError(f"there is no run {run_id!r}")
    return _from_row(row)


def find(connection: Connection, criteria: Mapping[str, str | None], in_groups: bool = True) -> list[Run]:
    """Returns the runs whose columns match all values that are not None, the newest first; members of groups on request."""
    query = select(runs).order_by(runs.c.started_at.desc(), runs.c.run_id)
    for column, value in criteria.items():
        if value is not None:
            query = query.where(runs.c[column] == value)
    if not in_groups and is_stored(connection, run_groups):
        query = query.where(runs.c.run_id.not_in(select(run_groups.c.run_id)))
    return [_from_row(row) for row in connection.execute(query)]


def of_rows(connection: Connection, conditions: Iterable[ColumnElement[bool]] = ()) -> list[Run]:
    """Returns the runs that meet all conditions, the newest first."""
    query = select(runs).where(*conditions).order_by(runs.c.started_at.desc(), runs.c.run_id)
    return [_from_row(row) for row in connection.execute(query)]


def newest(connection: Connection) -> str | None:
    """Returns the id of the run that started last; None if there is none."""
    return connection.scalars(select(runs.c.run_id).order_by(runs.c.started_at.desc(), runs.c.run_id).limit(1)).first()


def delete_runs(connection: Connection, run_ids: Sequence[str]) -> None:
    """Deletes runs with everything that belongs to them."""
    for start in range(0, len(run_ids), BATCH):
        connection.execute(delete(runs).where(runs.c.run_id.in_(run_ids[start : start + BATCH])))


def with_prefix(connection: Connection, prefix: str, most: int) -> list[Run]:
    """Returns at most ``most`` runs whose ids start with the prefix, ordered by id."""
    query = select(runs).where(runs.c.run_id.startswith(prefix)).order_by(runs.c.run_id).limit(most)
    return [_from_row(row) for row in connection.execute(query)]


def of_group(connection: Connection, group_id: str) -> list[Run]:
    """Returns the runs of a group, ordered by position."""
    if not is_stored(connection, run_groups):
        return []
    query = select(runs).join_from(run_groups, runs).where(run_groups.c.group_id == group_id)
    return [_from_row(row) for row in connection.execute(query.order_by(run_groups.c.position, runs.c.started_at))]


def parts_of(connection: Connection, run_id: str) -> list[Run]:
    """Returns the runs that are a part of a run, the oldest first."""
    if not is_stored(connection, run_parents):
        return []
    query = select(runs).join_from(run_parents, runs, runs.c.run_id == run_parents.c.run_id)
    return [
        _from_row(row)
        for row in connection.execute(query.where(run_parents.c.parent_id == run_id).order_by(runs.c.started_at))
    ]


def groups(connection: Connection) -> list[str]:
    """Returns the ids of all groups of runs, the one with the newest run first."""
    if not is_stored(connection, run_groups):
        return []
    started = func.max(runs.c.started_at)
    query = select(run_groups.c.group_id).join_from(run_groups, runs).group_by(run_groups.c.group_id)
    return list(connection.scalars(query.order_by(started.desc(), run_groups.c.group_id)))


def add_run(
    connection: Connection, row: Mapping[str, Any], group: tuple[str, int] | None = None, parent: str | None = None
) -> str:
    """Writes a new run under an id whose first characters are unique, and returns the id.

    Args:
        connection: connection of the transaction.
        row: columns of the run.
        group: group of the run and its position in it; None for none.
        parent: id of the run that this one is a part of; None for none.

    Raises:
        CheckpointError: there is no such parent.
    """
    if parent is not None:
        load(connection, parent)
    while True:
        run_id = uuid.uuid4().hex
        taken = select(runs.c.run_id).where(runs.c.run_id.startswith(run_id[:SHORT_RUN_ID]))
        if connection.scalars(taken).first() is None:
            connection.execute(insert(runs).values({**row, "run_id": run_id}))
            if group is not None:
                at = {"run_id": run_id, "group_id": group[0], "position": group[1]}
                connection.execute(insert(run_groups).values(at))
            if parent is not None:
                connection.execute(insert(run_parents).values(run_id=run_id, parent_id=parent))
            return run_id


def add_runs(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes runs under given ids."""
    connection.execute(insert(runs), rows)


def any_stored(connection: Connection, run_ids: Sequence[str]) -> bool:
    """Whether a run with one of these ids exists."""
    for start in range(0, len(run_ids), BATCH):
        stored = select(runs.c.run_id).where(runs.c.run_id.in_(run_ids[start : start + BATCH]))
        if connection.scalars(stored).first() is not None:
            return True
    return False


def set_values(connection: Connection, run_id: str, values: Mapping[str, Any]) -> Run:
    """Writes columns of a run, and returns it; raises CheckpointError if there is none."""
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(**values))
    return load(connection, run_id)


def touch_running(connection: Connection, run_id: str, now: Any) -> None:
    """Writes the time of the last write of a running run. On a server this also locks its row, so that writers wait.

    Raises:
        CheckpointError: there is no such run, or it is not running.
    """
    running = update(runs).where(runs.c.run_id == run_id, runs.c.status == "running")
    if connection.execute(running.values(updated_at=now)).rowcount == 0:
        run = load(connection, run_id)
        raise CheckpointError(f"run {run_id} is {run.status}, not running; call resume_run first")


def _from_row(row: Row[Any]) -> Run:
    """Returns the run of a row, with its study migrated to this version."""
    values = dict(row._mapping)
    return Run(**{**values, "config": renewed(values["config"]), "notes": dict(values["notes"] or {})})
