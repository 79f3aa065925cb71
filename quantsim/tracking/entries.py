"""The entries that trackers receive: named numbers by step, the same from a live report and from the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from quantsim.checkpoints import Checkpoint
from quantsim.checkpoints.checkpoint import STEPS, chronological

__all__ = ["Entry", "Point", "entries_of"]


class Point(NamedTuple):
    """A number at a step."""

    name: str
    step: int
    value: float


class Entry(NamedTuple):
    """All numbers of a trial, or of a report of gradient training.

    Attributes:
        step: number of the trial, or of the report's step; unique in a run.
        time: time of evaluation, the same at every transfer.
        points: the numbers.
    """

    step: int
    time: datetime
    points: list[Point]


def entries_of(checkpoints: Iterable[Checkpoint], logs: Mapping[int, Mapping[str, Any]]) -> list[Entry]:
    """Returns the entries of checkpoints, by step.

    Names are ``validation.daily_log_sharpe`` for a trial, and ``validation.daily_log_sharpe/set_0`` for a parameter set of
    gradient training, which also has ``gradient_norm/set_0`` and so on for every step since the previous report.

    Args:
        checkpoints: checkpoints of one run with their metrics.
        logs: step → log of the report.
    """
    by_step: dict[int, list[Checkpoint]] = {}
    for row in checkpoints:
        by_step.setdefault(row.step, []).append(row)
    return [
        Entry(step, max(row.created_at for row in rows), [*_of_steps(step, logs.get(step, {})), *_of_metrics(rows)])
        for step, rows in sorted(by_step.items())
    ]


def _of_metrics(rows: Iterable[Checkpoint]) -> Iterable[Point]:
    for row in rows:
        suffix = f"/set_{row.parameter_set}" if row.driver == "sgd" else ""
        for split in chronological(row.metrics):
            for name, value in row.metrics[split].items():
                yield Point(f"{split}.{name}{suffix}", row.step, value)


def _of_steps(last: int, log: Mapping[str, Any]) -> Iterable[Point]:
    for name, rows in log.get(STEPS, {}).items():
        shown = "batch_objective" if name == "objective" else name
        for step, values in enumerate(rows, start=last - len(rows) + 1):
            for index, value in enumerate(values):
                yield Point(f"{shown}/set_{index}", step, float(value))
