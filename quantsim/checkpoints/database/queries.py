"""The statements of the checkpoint store that several of its methods need; each runs in the caller's transaction."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, func, insert, select

from quantsim.checkpoints.checkpoint import SHORT_RUN_ID, Checkpoint, Report, Run, RunState
from quantsim.checkpoints.database import schema
from quantsim.checkpoints.database.rows import (
    checkpoint_from_row,
    checkpoint_row,
    join_number,
    metric_rows,
    numbers_from_json,
)
from quantsim.checkpoints.older import renewed
from quantsim.errors import CheckpointError

__all__ = [
    "free_run_id",
    "is_any_run_stored",
    "load_checkpoints",
    "load_reports",
    "load_run",
    "load_state",
    "replace_checkpoints",
    "replace_report",
    "replace_state",
    "run_from_row",
    "stored_extent",
]

_runs, _checkpoints, _metrics = schema.runs, schema.checkpoints, schema.metrics
_states, _reports = schema.states, schema.reports

_BATCH = 500  # rows per statement; every database takes that many bound values


def load_run(connection: Connection, run_id: str) -> Run:
    """Returns the run of that full id, or raises CheckpointError."""
    row = connection.execute(select(_runs).where(_runs.c.run_id == run_id)).one_or_none()
    if row is None:
        raise CheckpointError(f"there is no run {run_id!r}")
    return run_from_row(row)


def run_from_row(row: Row[Any]) -> Run:
    """Returns the run of a row of the table ``runs``; its study in the words of this version."""
    values = dict(row._mapping)
    return Run(**{**values, "config": renewed(values["config"])})


def free_run_id(connection: Connection) -> str:
    """Returns the id of a new run, whose first characters no other has."""
    while True:
        run_id = uuid.uuid4().hex
        taken = select(_runs.c.run_id).where(_runs.c.run_id.startswith(run_id[:SHORT_RUN_ID]))
        if connection.scalars(taken).first() is None:
            return run_id


def is_any_run_stored(connection: Connection, run_ids: Sequence[str]) -> bool:
    """Whether there is a run of one of these ids."""
    for start in range(0, len(run_ids), _BATCH):
        stored = select(_runs.c.run_id).where(_runs.c.run_id.in_(run_ids[start : start + _BATCH]))
        if connection.scalars(stored).first() is not None:
            return True
    return False


def replace_checkpoints(connection: Connection, run_id: str, checkpoints: Sequence[Checkpoint]) -> None:
    """Writes checkpoints of one run in place of stored ones of the same step and set. Portable, so without an upsert."""
    for start in range(0, len(checkpoints), _BATCH):
        _replace_batch(connection, run_id, checkpoints[start : start + _BATCH])


def _replace_batch(connection: Connection, run_id: str, checkpoints: Sequence[Checkpoint]) -> None:
    keys = {(checkpoint.step, checkpoint.parameter_set) for checkpoint in checkpoints}
    stored = select(_checkpoints.c.id, _checkpoints.c.step, _checkpoints.c.parameter_set).where(
        _checkpoints.c.run_id == run_id, _checkpoints.c.step.in_(sorted({step for step, _ in keys}))
    )
    old = [row.id for row in connection.execute(stored) if (row.step, row.parameter_set) in keys]
    if old:
        connection.execute(delete(_metrics).where(_metrics.c.checkpoint_id.in_(old)))
        connection.execute(delete(_checkpoints).where(_checkpoints.c.id.in_(old)))
    connection.execute(insert(_checkpoints), [checkpoint_row(checkpoint) for checkpoint in checkpoints])
    ids = {(row.step, row.parameter_set): row.id for row in connection.execute(stored)}
    metrics = [
        row
        for checkpoint in checkpoints
        for row in metric_rows(checkpoint, ids[checkpoint.step, checkpoint.parameter_set])
    ]
    if metrics:
        connection.execute(insert(_metrics), metrics)


def replace_state(connection: Connection, run_id: str, state: RunState) -> None:
    """Writes the state of a run in place of its earlier one."""
    connection.execute(delete(_states).where(_states.c.run_id == run_id))
    row = {"run_id": run_id, "step": state.step, "blob": state.blob, "created_at": state.created_at}
    connection.execute(insert(_states), row)


def load_state(connection: Connection, run_id: str) -> RunState | None:
    """Returns the state of a run; None if there is none."""
    row = connection.execute(select(_states).where(_states.c.run_id == run_id)).one_or_none()
    return None if row is None else RunState(row.step, row.blob, row.created_at)


def replace_report(
    connection: Connection, run_id: str, step: int, content: Mapping[str, Any], created_at: datetime
) -> None:
    """Writes a report, of JSON values only, in place of one of the same step."""
    connection.execute(delete(_reports).where(_reports.c.run_id == run_id, _reports.c.step == step))
    row = {"run_id": run_id, "step": step, "content": content, "created_at": created_at}
    connection.execute(insert(_reports), row)


def load_reports(connection: Connection, run_id: str) -> list[Report]:
    """Returns the reports of a run, in the order of their steps."""
    query = select(_reports).where(_reports.c.run_id == run_id).order_by(_reports.c.step)
    return [Report(row.step, row.created_at, numbers_from_json(row.content)) for row in connection.execute(query)]


def load_checkpoints(
    connection: Connection, conditions: Sequence[ColumnElement[bool]], names: Collection[str] | None
) -> list[Checkpoint]:
    """Two queries, whatever their number: the checkpoints, and all their metrics."""

    def of_wanted(query: Select[Any]) -> Select[Any]:
        return query.join(_runs, _runs.c.run_id == _checkpoints.c.run_id).where(*conditions)

    values = of_wanted(select(_metrics).join_from(_metrics, _checkpoints))
    if names is not None:
        values = values.where(_metrics.c.name.in_(sorted(names)))
    metrics: dict[int, dict[str, dict[str, float]]] = {}
    for row_id, split, name, value, non_finite in connection.execute(values):
        number = join_number(value, non_finite)
        if number is not None:
            metrics.setdefault(row_id, {}).setdefault(split, {})[name] = number
    rows = of_wanted(select(_checkpoints)).order_by(
        _runs.c.started_at, _checkpoints.c.run_id, _checkpoints.c.step, _checkpoints.c.parameter_set
    )
    return [checkpoint_from_row(row, metrics.get(row.id, {})) for row in connection.execute(rows)]


def stored_extent(connection: Connection, run_id: str) -> str:
    """Returns in words which steps and parameter sets a run has."""
    steps, sets = _checkpoints.c.step, _checkpoints.c.parameter_set
    query = select(func.min(steps), func.max(steps), func.min(sets), func.max(sets))
    low, high, first, last = connection.execute(query.where(_checkpoints.c.run_id == run_id)).one()
    return "none" if low is None else f"steps {low} to {high}, sets {first} to {last}"
