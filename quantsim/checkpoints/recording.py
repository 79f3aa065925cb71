"""What drivers record of a run: its begin and end, checkpoints with metrics, reports and states. Each is one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from quantsim.checkpoints.checkpoint import STATUSES, Checkpoint, Run, RunState, check_batch, utc_now
from quantsim.checkpoints.database import checkpoints as checkpoint_table
from quantsim.checkpoints.database import runs as run_table
from quantsim.checkpoints.database import states as state_table
from quantsim.checkpoints.database.rows import plain_json, run_row
from quantsim.checkpoints.database.tables import Tables
from quantsim.checkpoints.redact import redact
from quantsim.checkpoints.runs.keys import find_run
from quantsim.errors import CheckpointError, nearest

__all__ = ["add_notes", "add_runs", "append", "begin_run", "finish_run", "resume_run"]


def begin_run(
    tables: Tables,
    about: Mapping[str, Any],
    config: Mapping[str, Any],
    notes: Mapping[str, Any],
    group: tuple[str, int] | None,
    parent: str | None,
) -> str:
    """Stores a new run, and returns its id; ``about`` has its other fields. See :meth:`CheckpointStore.begin_run`."""
    if group is not None and not 0 < len(group[0]) <= 64:
        raise CheckpointError(f"the id of a group must have 1 to 64 characters, not {group[0]!r}")
    now = utc_now()
    run = Run(run_id="", status="running", started_at=now, updated_at=now, config=config, notes=notes, **about)
    return tables.write(run_table.add_run, run_row(run), group, parent)


def add_runs(tables: Tables, complete: Sequence[tuple[Run, Sequence[Checkpoint]]]) -> bool:
    """Stores completed runs; see :meth:`CheckpointStore.add_runs`."""
    rows = [run_row(run) for run, _ in complete]
    for run, checkpoints in complete:
        check_batch(run.run_id, checkpoints)

    def work(connection: Connection) -> bool:
        if run_table.any_stored(connection, [run.run_id for run, _ in complete]):
            return False
        run_table.add_runs(connection, rows)
        for run, checkpoints in complete:
            checkpoint_table.replace(connection, run.run_id, checkpoints)
        return True

    return tables.write(work)


def resume_run(tables: Tables, run_id: str, notes: Mapping[str, Any] | None) -> Run:
    """Sets the status of a run to "running", and adds notes; see :meth:`CheckpointStore.resume_run`."""
    values: dict[str, Any] = {"status": "running", "reason": None, "finished_at": None, "updated_at": utc_now()}
    if notes:
        values["notes"] = _merged(tables, run_id, notes)
    return tables.write(run_table.set_values, run_id, values)


def add_notes(tables: Tables, run_id: str, notes: Mapping[str, Any]) -> Run:
    """Adds notes to a run; see :meth:`CheckpointStore.add_notes`."""
    return tables.write(run_table.set_values, run_id, {"notes": _merged(tables, run_id, notes)})


def _merged(tables: Tables, run_id: str, notes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the notes of a run with further ones, as JSON values."""
    found: dict[str, Any] = plain_json({**find_run(tables, run_id).notes, **notes}, "notes")
    return found


def finish_run(tables: Tables, run_id: str, status: str, reason: str | None) -> Run:
    """Sets the final status of a run; see :meth:`CheckpointStore.finish_run`."""
    if status not in STATUSES[1:]:
        raise CheckpointError(f"a run cannot end as {status!r}; {nearest(status, STATUSES[1:])}")
    now, reason = utc_now(), None if reason is None else redact(reason)
    values = {"status": status, "reason": reason, "finished_at": now, "updated_at": now}
    return tables.write(run_table.set_values, run_id, values)


def append(
    tables: Tables,
    run_id: str,
    checkpoints: Sequence[Checkpoint],
    state: bytes | None,
    state_step: int | None,
    report: Mapping[str, Any] | None,
) -> None:
    """Stores checkpoints, a state and a report of a running run; see :meth:`CheckpointStore.append`."""
    check_batch(run_id, checkpoints)
    if (state is not None or report is not None) and state_step is None:
        if not checkpoints:
            raise CheckpointError(
                "a state or report without checkpoints needs state_step, the step after which it was taken"
            )
        state_step = max(checkpoint.step for checkpoint in checkpoints)
    content = None if report is None else plain_json(report, "report")

    def work(connection: Connection) -> None:
        now = utc_now()
        run_table.touch_running(connection, run_id, now)  # first, because it locks the row
        checkpoint_table.replace(connection, run_id, checkpoints)
        if state is not None and state_step is not None:
            state_table.replace_state(connection, run_id, RunState(state_step, state, now))
        if content is not None and state_step is not None:
            state_table.replace_report(connection, run_id, state_step, content, now)

    tables.write(work)
