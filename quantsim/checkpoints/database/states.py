"""Statements on states and reports of runs. Each runs in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from quantsim.checkpoints.checkpoint import Report, RunState
from quantsim.checkpoints.database import runs as run_table
from quantsim.checkpoints.database.rows import numbers_from_json
from quantsim.checkpoints.database.schema import is_stored, reports, states

__all__ = ["load_reports", "load_state", "replace_report", "replace_state"]


def replace_state(connection: Connection, run_id: str, state: RunState) -> None:
    """Replaces the state of a run."""
    connection.execute(delete(states).where(states.c.run_id == run_id))
    row = {"run_id": run_id, "step": state.step, "blob": state.blob, "created_at": state.created_at}
    connection.execute(insert(states), row)


def load_state(connection: Connection, run_id: str) -> RunState | None:
    """Returns the state of a run; None if there is none. Raises CheckpointError if there is no such run."""
    run_table.load(connection, run_id)
    row = connection.execute(select(states).where(states.c.run_id == run_id)).one_or_none()
    return None if row is None else RunState(row.step, row.blob, row.created_at)


def replace_report(
    connection: Connection, run_id: str, step: int, content: Mapping[str, Any], created_at: datetime
) -> None:
    """Writes a report of JSON values, replacing one of the same step."""
    connection.execute(delete(reports).where(reports.c.run_id == run_id, reports.c.step == step))
    row = {"run_id": run_id, "step": step, "content": content, "created_at": created_at}
    connection.execute(insert(reports), row)


def load_reports(connection: Connection, run_id: str) -> list[Report]:
    """Returns the reports of a run, in the order of their steps. Raises CheckpointError if there is no such run."""
    run_table.load(connection, run_id)
    if not is_stored(connection, reports):
        return []
    query = select(reports).where(reports.c.run_id == run_id).order_by(reports.c.step)
    return [Report(row.step, row.created_at, numbers_from_json(row.content)) for row in connection.execute(query)]
