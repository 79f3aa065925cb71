"""What drivers write to a store: runs, checkpoints with metrics, reports, states and baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from quantsim.baseline import Baseline
from quantsim.checkpoints.checkpoint import STATUSES, Checkpoint, Run, RunState, check_batch, utc_now
from quantsim.checkpoints.database import baselines as baseline_table
from quantsim.checkpoints.database import checkpoints as checkpoint_table
from quantsim.checkpoints.database import runs as run_table
from quantsim.checkpoints.database import states as state_table
from quantsim.checkpoints.database.rows import plain_json, run_row
from quantsim.checkpoints.redact import redact
from quantsim.checkpoints.run_management import RunManagement
from quantsim.errors import CheckpointError, nearest

__all__ = ["StoreWriting"]


class StoreWriting(RunManagement):
    """Writes to a store. Each method is one transaction."""

    def begin_run(
        self,
        *,
        experiment_id: str,
        data_id: str,
        driver: str,
        config: Mapping[str, Any],
        name: str = "",
        seed: int | None = None,
        notes: Mapping[str, Any] | None = None,
        group: tuple[str, int] | None = None,
        parent: str | None = None,
    ) -> str:
        """Stores a new run with the status "running", and returns its id, 32 hexadecimal digits.

        Args:
            experiment_id: :meth:`Experiment.identity_for <quantsim.Experiment.identity_for>` the driver.
            data_id: hash of the prices.
            driver: name of the driver, such as "sgd" or "search".
            config: the full configuration as JSON values. Passwords in URLs are redacted before it is stored.
            name: the user's name of the run.
            seed: a signed 64-bit integer; None if nothing is random.
            notes: notes on the run as JSON values.
            group: id of a group of runs, and the position of this run in it, such as the folds of a walk-forward; None for
                none.
            parent: full id of the run that this one is a part of, such as the search of a hybrid run; None for none.

        Raises:
            CheckpointError: an argument cannot be stored; the message names it.
        """
        if group is not None and not 0 < len(group[0]) <= 64:
            raise CheckpointError(f"the id of a group must have 1 to 64 characters, not {group[0]!r}")
        now = utc_now()
        row = run_row(
            Run(
                run_id="",
                experiment_id=experiment_id,
                data_id=data_id,
                name=name,
                driver=driver,
                config=config,
                seed=seed,
                status="running",
                started_at=now,
                updated_at=now,
                notes=notes or {},
            )
        )

        return self._write(run_table.add_run, row, group, parent)

    def add_runs(self, complete: Sequence[tuple[Run, Sequence[Checkpoint]]]) -> bool:
        """Stores completed runs with all their checkpoints: either all of them, or nothing.

        Returns whether they were stored: nothing is stored if one of the run ids exists already.

        Raises:
            CheckpointError: a run cannot be stored, or a checkpoint belongs to another run or is given twice.
        """
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

        return self._write(work)

    def resume_run(self, run_id: str, notes: Mapping[str, Any] | None = None) -> Run:
        """Sets the status of a run to "running" and returns the run. :meth:`load_state` returns its state.

        Args:
            run_id: id of the run.
            notes: notes to add to the run's notes, or to replace them, key by key.

        Raises:
            CheckpointError: there is no such run, or a note is not plain JSON.
        """
        values: dict[str, Any] = {"status": "running", "reason": None, "finished_at": None, "updated_at": utc_now()}
        if notes:
            values["notes"] = plain_json({**self.run(run_id).notes, **notes}, "notes")
        return self._update_run(run_id, values)

    def finish_run(self, run_id: str, status: str = "finished", reason: str | None = None) -> Run:
        """Sets the final status of a run, and returns the run.

        Args:
            run_id: id of the run.
            status: "finished", "interrupted" or "failed".
            reason: reason, such as the message of an error; passwords in URLs are redacted.

        Raises:
            CheckpointError: there is no such run or status.
        """
        if status not in STATUSES[1:]:
            raise CheckpointError(f"a run cannot end as {status!r}; {nearest(status, STATUSES[1:])}")
        now, reason = utc_now(), None if reason is None else redact(reason)
        return self._update_run(run_id, {"status": status, "reason": reason, "finished_at": now, "updated_at": now})

    def append(
        self,
        run_id: str,
        checkpoints: Sequence[Checkpoint],
        state: bytes | None = None,
        *,
        state_step: int | None = None,
        report: Mapping[str, Any] | None = None,
    ) -> None:
        """Stores checkpoints of a running run with their metrics, a state and a report: either all of them, or nothing.

        A checkpoint replaces a stored one with the same step and parameter set, so that a resumed driver may write a step
        again. The state replaces the earlier one.

        Args:
            run_id: id of the run, the same in every checkpoint.
            checkpoints: checkpoints; empty to store only a state or a report.
            state: state of the driver for resuming, as bytes (safetensors, never pickle). None keeps the stored one.
            state_step: the step after which state and report were taken; default: the largest step of the checkpoints.
            report: report of the driver as JSON values, where floats may be non-finite; it is added to the run's log, and
                replaces one of the same step.

        Raises:
            CheckpointError: the run is unknown or not running, a checkpoint belongs to another run or is given twice, or the
                report has no JSON form.
        """
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

        self._write(work)

    def set_baselines(self, run_id: str, baselines: Mapping[str, Baseline]) -> None:
        """Stores the baselines of a run, name → baseline, and replaces those that are stored.

        Raises:
            CheckpointError: there is no such run.
        """
        self._write(baseline_table.replace_baselines, run_id, baseline_table.baseline_rows(run_id, baselines))

    def _update_run(self, run_id: str, values: Mapping[str, Any]) -> Run:
        return self._write(run_table.set_values, run_id, values)
