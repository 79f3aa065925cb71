"""Converts values to table rows and back: non-finite numbers, JSON values, checkpoints."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from quantsim.checkpoints.checkpoint import Checkpoint, Run, check_driver
from quantsim.checkpoints.redact import redact
from quantsim.errors import CheckpointError

__all__ = [
    "checkpoint_from_row",
    "checkpoint_row",
    "join_number",
    "metric_rows",
    "numbers_from_json",
    "plain_json",
    "run_row",
    "split_number",
]

Parameters = Mapping[str, Sequence[float]]

_NON_FINITE = ("nan", "inf", "-inf")


def split_number(value: float | None) -> tuple[float | None, str | None]:
    """Returns (value, None) for a finite number, else (None, "nan" | "inf" | "-inf").

    Example:
        >>> split_number(float("-inf"))
        (None, '-inf')
    """
    if value is None or math.isfinite(value):
        return value, None
    return None, str(float(value))


def join_number(value: float | None, non_finite: str | None) -> float | None:
    """Undoes :func:`split_number`."""
    if non_finite is not None:
        return float(non_finite)
    return None if value is None else float(value)


def plain_json(value: Any, where: str) -> Any:
    """Returns a copy with JSON values only: tuples become lists, non-finite floats text, and passwords in URLs are redacted.

    Args:
        value: the value to store.
        where: its place, for messages, such as ``config``.

    Raises:
        CheckpointError: a part has no JSON form; the message says where.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        finite, non_finite = split_number(value)
        return finite if non_finite is None else non_finite
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise CheckpointError(f"{where} has the key {key!r}; keys must be text")
        return {key: plain_json(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(item, f"{where}[{index}]") for index, item in enumerate(value)]
    raise CheckpointError(f"{where} cannot be stored: {type(value).__name__} has no JSON form; give a plain value")


def numbers_from_json(stored: Any) -> Any:
    """Restores the non-finite floats that :func:`plain_json` wrote as text. Equal text of other origin is converted, too.

    Example:
        >>> numbers_from_json({"loss": [0.5, "nan", "-inf"]})
        {'loss': [0.5, nan, -inf]}
    """
    if isinstance(stored, dict):
        return {key: numbers_from_json(value) for key, value in stored.items()}
    if isinstance(stored, list):
        return [numbers_from_json(value) for value in stored]
    return float(stored) if stored in _NON_FINITE else stored


def run_row(run: Run) -> dict[str, Any]:
    """Returns the row of a run.

    Raises:
        CheckpointError: a value cannot be stored; the message names it.
    """
    check_driver(run.driver)
    for what, value in (("experiment_id", run.experiment_id), ("data_id", run.data_id)):
        if not 0 < len(value) <= 128:
            raise CheckpointError(f"{what} must be a hash of at most 128 characters, not {value!r}")
    if run.seed is not None and not -(2**63) <= run.seed < 2**63:
        raise CheckpointError(f"seed must be a signed 64-bit integer, not {run.seed}")
    plain = {
        "name": redact(run.name),
        "config": plain_json(run.config, "config"),
        "notes": plain_json(run.notes, "notes"),
    }
    return {**vars(run), **plain}


def checkpoint_row(checkpoint: Checkpoint) -> dict[str, Any]:
    """Returns the row of a checkpoint, without metrics."""
    objective, non_finite = split_number(checkpoint.objective)
    return {
        "run_id": checkpoint.run_id,
        "step": checkpoint.step,
        "parameter_set": checkpoint.parameter_set,
        "driver": checkpoint.driver,
        "raw": _parameters_to_json(checkpoint.raw),
        "human": _parameters_to_json(checkpoint.human),
        "objective": objective,
        "objective_non_finite": non_finite,
        "created_at": checkpoint.created_at,
    }


def metric_rows(checkpoint: Checkpoint, row_id: int) -> Iterator[dict[str, Any]]:
    """Yields the rows of a checkpoint's metrics; ``row_id`` is the number of its row."""
    for split, values in checkpoint.metrics.items():
        for name, number in values.items():
            value, non_finite = split_number(number)
            yield {"checkpoint_id": row_id, "split": split, "name": name, "value": value, "non_finite": non_finite}


def checkpoint_from_row(row: Row[Any], metrics: Mapping[str, Mapping[str, float]]) -> Checkpoint:
    """Returns the checkpoint of a row of the table ``checkpoints``, with its metrics."""
    return Checkpoint(
        run_id=row.run_id,
        step=row.step,
        parameter_set=row.parameter_set,
        driver=row.driver,
        raw=_parameters_from_json(row.raw),
        human=_parameters_from_json(row.human),
        metrics=metrics,
        objective=join_number(row.objective, row.objective_non_finite),
        created_at=row.created_at,
    )


def _parameters_to_json(parameters: Parameters) -> dict[str, list[float | str]]:
    # JSON has no NaN or infinity. Python writes all other floats so that they are restored bit for bit.
    return {
        name: [value if math.isfinite(value) else str(value) for value in values] for name, values in parameters.items()
    }


def _parameters_from_json(stored: Mapping[str, Iterable[float | str]]) -> dict[str, tuple[float, ...]]:
    return {name: tuple(map(float, values)) for name, values in stored.items()}
