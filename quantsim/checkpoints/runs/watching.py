"""Follows a live run by what it stores. Only reads, so it works from any process that can open the store."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from quantsim.checkpoints.checkpoint import TRIALS, Run, utc_now
from quantsim.checkpoints.database.schema import checkpoints
from quantsim.checkpoints.liveness import is_live
from quantsim.checkpoints.runs.entries import RunEntry, RunSummary
from quantsim.errors import CheckpointError
from quantsim.json_values import json_number

if TYPE_CHECKING:
    from quantsim.checkpoints.store import CheckpointStore

__all__ = ["RunProgress", "watch_run"]

_GRACE_S = 15.0
"""Longest pause between the phases of a hybrid run, or between folds, in which no run is in progress."""

_RECENT = 50  # rows from which the speed is taken
_HYBRID = re.compile(r"-hybrid-[0-9a-f]{8}$")


@dataclass(frozen=True)
class RunProgress:
    """The progress of a run at one moment.

    Attributes:
        entry: the run.
        current: the one of its runs that is in progress, or was last.
        done: completed trials or steps of that one.
        total: all of them; None if it is not known.
        seconds_left: estimated time to the end of that one; inf if it is not known, 0 if it has ended.
        is_over: whether the run has ended.
    """

    entry: RunEntry
    current: RunSummary
    done: int
    total: int | None
    seconds_left: float
    is_over: bool

    @property
    def unit(self) -> str:
        """What is counted: "trial" or "step"."""
        return "trial" if self.current.run.driver == "search" else "step"

    def text(self) -> str:
        """Returns the current run, if there are several, and the best objective so far, on one line."""
        parts = []
        if self.entry.folds and self.current.position is not None:
            ended = sum(one.status == "finished" for one in self.entry.folds)
            parts.append(f"fold {self.current.position}, {ended} ended")
        if self.current.parent is not None:
            parts.append("fine-tuning")
        best = self.current.best
        for split in [split for split in ("validation", "train") if split in best][:1]:
            parts.append(f"best {split} {self.current.objective} {best[split]:.4g}")
        return ", ".join(parts) or "no result yet"

    def to_json(self) -> dict[str, Any]:
        """Returns the progress as JSON values."""
        return {
            "key": self.entry.key,
            "name": self.entry.name,
            "driver": self.entry.driver,
            "status": self.entry.status,
            "current": self.current.run.run_id,
            "unit": self.unit,
            "done": self.done,
            "total": self.total,
            "seconds_left": json_number(self.seconds_left),
            "objective": self.current.objective,
            "best": {split: json_number(value) for split, value in self.current.best.items()},
            "is_over": self.is_over,
        }


def watch_run(
    store: CheckpointStore,
    key: str | None = None,
    *,
    interval_s: float = 2.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[RunProgress]:
    """Yields the progress of a run whenever it changed, until it has ended.

    Args:
        store: store of the run; may be open only for reading.
        key: key of the run; None for the newest one that is in progress.
        interval_s: time between two looks, in seconds.
        sleep: function that waits for so long.

    Raises:
        CheckpointError: there is no such run, or none is in progress.
    """
    run_id, before = _watched(store, key), None
    while True:
        now = _progress(store, store.entry(run_id))
        told = (now.entry.status, now.current.run.run_id, now.done, now.is_over)
        if told != before:
            yield now
        if now.is_over:
            return
        before = told
        sleep(interval_s)


def _watched(store: CheckpointStore, key: str | None) -> str:
    if key is not None:
        return store.entry(key).run_id
    running = store.runs(status="running")
    if not running:
        raise CheckpointError(f"no run is in progress in {store.location}: name a run to see how it ended")
    return running[0].run_id


def _progress(store: CheckpointStore, entry: RunEntry) -> RunProgress:
    live = [one for one in entry.members if is_live(one.run)]
    current = max(live or entry.members, key=lambda one: one.run.updated_at)
    total = _total(current.run)
    last = current.last_step
    done = 0 if last is None else last + 1 if current.run.driver == "search" else last
    is_over = not live and not _may_go_on(entry)
    left = 0.0 if is_over else math.inf
    if live and total is not None:
        per_second = _speed(store.tables.read(_recent, current.run.run_id))
        since = (utc_now() - current.run.updated_at).total_seconds()
        left = max((total - done) / per_second - since, 0.0) if per_second else math.inf
    return RunProgress(entry, current, done, total, left, is_over)


def _may_go_on(entry: RunEntry) -> bool:
    """Whether another phase or fold may follow, of the process that ran the last one."""
    last = max(entry.members, key=lambda one: one.run.updated_at).run
    one_by_one = entry.kind != "run" or _HYBRID.search(str(last.notes.get("study", ""))) is not None
    if not one_by_one or last.status != "finished":
        return False
    return is_live(replace(last, status="running")) and (utc_now() - entry.updated_at).total_seconds() < _GRACE_S


def _total(run: Run) -> int | None:
    """Returns the number of trials or steps that a run shall have; None if it is not known."""
    if run.driver == "fixed":
        return 1
    noted = run.notes.get(TRIALS) if run.driver == "search" else None
    table, key = {"search": ("search", "trials"), "sgd": ("sgd", "steps")}.get(run.driver, ("", ""))
    found = run.config.get(table)
    value = noted if noted is not None else found.get(key) if isinstance(found, Mapping) else None
    return value if isinstance(value, int) else None


def _recent(connection: Connection, run_id: str) -> list[tuple[int, datetime]]:
    query = select(checkpoints.c.step, checkpoints.c.created_at).where(checkpoints.c.run_id == run_id)
    return [
        (step, moment) for step, moment in connection.execute(query.order_by(checkpoints.c.step.desc()).limit(_RECENT))
    ]


def _speed(rows: list[tuple[int, datetime]]) -> float | None:
    """Returns the steps per second of the last rows; None if there are too few."""
    if len(rows) < 2:
        return None
    (last, end), (first, begin) = rows[0], rows[-1]
    seconds = (end - begin).total_seconds()
    return (last - first) / seconds if last > first and seconds > 0.0 else None
