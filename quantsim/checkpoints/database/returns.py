"""Statements on daily log returns of checkpoints. Each runs in the caller's transaction.

Returns are stored as bytes, float64, little-endian. Their mantissas are random, so compression would gain about 5 %.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, delete, func, insert, select

from quantsim.array_types import FloatArray
from quantsim.checkpoints.checkpoint import Checkpoint
from quantsim.checkpoints.database.runs import load
from quantsim.checkpoints.database.schema import checkpoints, daily_returns, is_stored
from quantsim.checkpoints.returns import ReturnsTable
from quantsim.errors import CheckpointError

__all__ = ["bytes_of", "delete_returns", "find_returns", "insert_returns", "returns_of", "values_of"]


_STORED = np.dtype("<f8")


def bytes_of(values: FloatArray) -> bytes:
    """Returns the bytes of an array, (m,)."""
    return np.asarray(values, _STORED).tobytes()


def values_of(blob: bytes) -> FloatArray:
    """Undoes :func:`bytes_of`; the array is read-only."""
    return np.frombuffer(blob, _STORED).astype(np.float64, copy=False)


def insert_returns(connection: Connection, rows: Sequence[tuple[int, Checkpoint]]) -> None:
    """Writes the returns of checkpoints, each with the number of its row."""
    values = [
        {"checkpoint_id": row_id, "split": split, "log_returns": bytes_of(returns)}
        for row_id, checkpoint in rows
        for split, returns in checkpoint.daily_log_returns.items()
    ]
    if values:
        connection.execute(insert(daily_returns), values)


def delete_returns(connection: Connection, row_ids: Sequence[int]) -> None:
    """Deletes the returns of checkpoints by the numbers of their rows."""
    connection.execute(delete(daily_returns).where(daily_returns.c.checkpoint_id.in_(row_ids)))


def returns_of(connection: Connection, row_id: int) -> dict[str, FloatArray]:
    """Returns the daily log returns of one checkpoint by the number of its row: split → (D-1,)."""
    if not is_stored(connection, daily_returns):
        return {}
    query = select(daily_returns.c.split, daily_returns.c.log_returns).where(daily_returns.c.checkpoint_id == row_id)
    return {split: values_of(blob) for split, blob in connection.execute(query)}


def find_returns(connection: Connection, run_ids: Sequence[str], split: str) -> ReturnsTable:
    """Returns the daily log returns of all checkpoints of runs on a split.

    Raises:
        CheckpointError: there is no such run, or the runs have different numbers of days.
    """
    ids, rows, n_checkpoints = list[str](), list[FloatArray](), 0
    for run_id in dict.fromkeys(run_ids):
        load(connection, run_id)
        of_run = select(func.count()).select_from(checkpoints).where(checkpoints.c.run_id == run_id)
        n_checkpoints += connection.scalar(of_run) or 0
        for row in _of_run(connection, run_id, split):
            ids.append(f"{run_id}:{row.step}:{row.parameter_set}")
            rows.append(values_of(row.log_returns))
    lengths = sorted({row.size for row in rows})
    if len(lengths) > 1:
        raise CheckpointError(
            f"these runs have {lengths[0]} and {lengths[-1]} daily returns on {split}: take runs of equal periods"
        )
    values = np.stack(rows) if rows else np.empty((0, 0))
    return ReturnsTable(split, tuple(ids), values, n_checkpoints - len(rows))


def _of_run(connection: Connection, run_id: str, split: str) -> Iterator[Any]:
    if not is_stored(connection, daily_returns):
        return
    query = (
        select(checkpoints.c.step, checkpoints.c.parameter_set, daily_returns.c.log_returns)
        .join_from(daily_returns, checkpoints)
        .where(checkpoints.c.run_id == run_id, daily_returns.c.split == split)
        .order_by(checkpoints.c.step, checkpoints.c.parameter_set)
    )
    yield from connection.execute(query)
