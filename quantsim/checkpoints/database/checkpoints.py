"""Statements on checkpoints and their metrics. Each runs in the caller's transaction."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace as replaced
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, func, insert, select

from quantsim.checkpoints.checkpoint import ROUNDING, Checkpoint
from quantsim.checkpoints.database import schema
from quantsim.checkpoints.database.returns import delete_returns, insert_returns, returns_of
from quantsim.checkpoints.database.rows import checkpoint_from_row, checkpoint_row, join_number, metric_rows
from quantsim.checkpoints.database.runs import BATCH, load
from quantsim.errors import CheckpointError

__all__ = ["equal_to", "find", "get", "replace"]

_runs, _checkpoints, _metrics = schema.runs, schema.checkpoints, schema.metrics

_MOST_COMPARED = 50  # numbers in one statement, whose length is limited
_IN_PATHS = re.compile(r"[\w.]+")  # names that need no quotes in the JSON paths of all databases


def replace(connection: Connection, run_id: str, checkpoints: Sequence[Checkpoint]) -> None:
    """Writes checkpoints of one run, replacing those of the same step and set. Portable, so without an upsert."""
    for start in range(0, len(checkpoints), BATCH):
        _replace_batch(connection, run_id, checkpoints[start : start + BATCH])


def _replace_batch(connection: Connection, run_id: str, checkpoints: Sequence[Checkpoint]) -> None:
    keys = {(checkpoint.step, checkpoint.parameter_set) for checkpoint in checkpoints}
    stored = select(_checkpoints.c.id, _checkpoints.c.step, _checkpoints.c.parameter_set).where(
        _checkpoints.c.run_id == run_id, _checkpoints.c.step.in_(sorted({step for step, _ in keys}))
    )
    old = [row.id for row in connection.execute(stored) if (row.step, row.parameter_set) in keys]
    if old:
        delete_returns(connection, old)
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
    insert_returns(connection, [(ids[one.step, one.parameter_set], one) for one in checkpoints])


def find(
    connection: Connection,
    run_id: str | None = None,
    experiment_id: str | None = None,
    data_id: str | None = None,
    driver: str | None = None,
    names: Collection[str] | None = None,
) -> list[Checkpoint]:
    """Returns the checkpoints that match all given values, with the metrics of these names (None: all)."""
    wanted = {
        _checkpoints.c.run_id: run_id,
        _runs.c.experiment_id: experiment_id,
        _runs.c.data_id: data_id,
        _checkpoints.c.driver: driver,
    }
    if run_id is not None:
        load(connection, run_id)
    return _load(connection, [column == value for column, value in wanted.items() if value is not None], names)


def get(connection: Connection, run_id: str, step: int, parameter_set: int) -> Checkpoint:
    """Returns one checkpoint with its daily log returns; raises CheckpointError if there is none."""
    at = (
        _checkpoints.c.run_id == run_id,
        _checkpoints.c.step == step,
        _checkpoints.c.parameter_set == parameter_set,
    )
    found = _load(connection, at, None)
    if found:
        row_id = connection.scalars(select(_checkpoints.c.id).where(*at)).one()
        return replaced(found[0], daily_log_returns=returns_of(connection, row_id))
    load(connection, run_id)
    stored = _extent(connection, run_id)
    raise CheckpointError(f"run {run_id} has no checkpoint at step {step}, set {parameter_set}; it has {stored}")


def equal_to(connection: Connection, checkpoint: Checkpoint, data_id: str) -> list[Checkpoint]:
    """Returns the checkpoints on these prices with the same raw parameters up to rounding, oldest first, without metrics.

    The database compares, so that no other rows are read.
    """
    query = (
        select(_checkpoints)
        .join(_runs, _runs.c.run_id == _checkpoints.c.run_id)
        .where(_runs.c.data_id == data_id, *_near(checkpoint))
        .order_by(_checkpoints.c.created_at, _checkpoints.c.id)
    )
    rows = (checkpoint_from_row(row, {}) for row in connection.execute(query))
    return [row for row in rows if row.has_parameters_of(checkpoint)]


def _near(checkpoint: Checkpoint) -> Iterator[ColumnElement[bool]]:
    """Yields conditions that all rows with the same parameters meet."""
    numbers = (
        (name, index, value)
        for name, values in checkpoint.raw.items()
        for index, value in enumerate(values)
        if math.isfinite(value) and _IN_PATHS.fullmatch(name)
    )
    for name, index, value in itertools.islice(numbers, _MOST_COMPARED):
        width = 2.0 * ROUNDING * (1.0 + abs(value))
        yield _checkpoints.c.raw[(name, index)].as_float().between(value - width, value + width)


def _load(
    connection: Connection, conditions: Sequence[ColumnElement[bool]], names: Collection[str] | None
) -> list[Checkpoint]:
    """Loads checkpoints and their metrics, with two queries."""

    def filtered(query: Select[Any]) -> Select[Any]:
        return query.join(_runs, _runs.c.run_id == _checkpoints.c.run_id).where(*conditions)

    values = filtered(select(_metrics).join_from(_metrics, _checkpoints))
    if names is not None:
        values = values.where(_metrics.c.name.in_(sorted(names)))
    metrics: dict[int, dict[str, dict[str, float]]] = {}
    for row_id, split, name, value, non_finite in connection.execute(values):
        number = join_number(value, non_finite)
        if number is not None:
            metrics.setdefault(row_id, {}).setdefault(split, {})[name] = number
    rows = filtered(select(_checkpoints)).order_by(
        _runs.c.started_at, _checkpoints.c.run_id, _checkpoints.c.step, _checkpoints.c.parameter_set
    )
    return [checkpoint_from_row(row, metrics.get(row.id, {})) for row in connection.execute(rows)]


def _extent(connection: Connection, run_id: str) -> str:
    """Describes the steps and parameter sets of a run."""
    steps, sets = _checkpoints.c.step, _checkpoints.c.parameter_set
    query = select(func.min(steps), func.max(steps), func.min(sets), func.max(sets))
    low, high, first, last = connection.execute(query.where(_checkpoints.c.run_id == run_id)).one()
    return "none" if low is None else f"steps {low} to {high}, sets {first} to {last}"
