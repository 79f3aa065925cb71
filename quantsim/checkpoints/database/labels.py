"""Statements on what users say of runs: titles, notes and tags. Each runs in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from quantsim.checkpoints.database.schema import is_stored, run_labels, run_tags

__all__ = ["change_tags", "set_label", "titled"]


def titled(connection: Connection, title: str) -> list[str]:
    """Returns the ids of the runs with this title."""
    if not is_stored(connection, run_labels):
        return []
    query = select(run_labels.c.run_id).where(run_labels.c.title == title).order_by(run_labels.c.run_id)
    return list(connection.scalars(query))


def set_label(connection: Connection, run_ids: Sequence[str], **values: str | None) -> None:
    """Sets columns of the labels of runs: ``title`` or ``note``; None removes one."""
    stored = {row.run_id: row for row in connection.execute(select(run_labels).where(run_labels.c.run_id.in_(run_ids)))}
    rows: list[dict[str, Any]] = []
    for run_id in run_ids:
        known = stored.get(run_id)
        row = {"title": None, "note": None} if known is None else {"title": known.title, "note": known.note}
        rows.append({"run_id": run_id, **row, **values})
    connection.execute(delete(run_labels).where(run_labels.c.run_id.in_(run_ids)))
    kept = [row for row in rows if row["title"] or row["note"]]
    if kept:
        connection.execute(insert(run_labels), kept)


def change_tags(connection: Connection, run_ids: Sequence[str], add: Collection[str], remove: Collection[str]) -> None:
    """Adds and removes tags of runs; removing comes first."""
    gone = {*add, *remove}
    if gone:
        connection.execute(delete(run_tags).where(run_tags.c.run_id.in_(run_ids), run_tags.c.tag.in_(sorted(gone))))
    rows = [{"run_id": run_id, "tag": tag} for run_id in run_ids for tag in sorted(set(add))]
    if rows:
        connection.execute(insert(run_tags), rows)
