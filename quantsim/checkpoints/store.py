"""The checkpoint store: runs, their checkpoints with metrics, and the state each run is resumed from."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection

from quantsim.checkpoints.checkpoint import (
    STATUSES,
    Checkpoint,
    Report,
    Run,
    RunState,
    check_batch,
    parse_checkpoint_id,
    utc_now,
)
from quantsim.checkpoints.database import checkpoints as checkpoint_table
from quantsim.checkpoints.database import runs as run_table
from quantsim.checkpoints.database import states as state_table
from quantsim.checkpoints.database.engine import Database
from quantsim.checkpoints.database.location import file_of, read_location
from quantsim.checkpoints.database.rows import plain_json, run_row
from quantsim.checkpoints.database.schema import ensure_schema
from quantsim.checkpoints.redact import redact
from quantsim.errors import CheckpointError, nearest

__all__ = ["CheckpointStore"]

_RUN_ID = re.compile(r"[0-9a-f]{1,32}")


class CheckpointStore:
    """A store in an SQLite file, or in any database that SQLAlchemy reaches.

    Several processes and threads may use one store at once. A method that writes does so in one transaction: when it
    returns, all of it is stored and survives the death of the process; when it raises, nothing was stored.

    Example:
        >>> with CheckpointStore("results/checkpoints.db") as store:  # doctest: +SKIP
        ...     run_id = store.begin_run(experiment_id="ab12", data_id="cd34", driver="sgd", config={}, seed=0)
    """

    def __init__(self, location: str | os.PathLike[str], *, lock_timeout_s: float = 60.0) -> None:
        """Opens the store; creates it, and the folders above an SQLite file, if it is not there.

        Args:
            location: path of an SQLite file, or a database URL such as ``postgresql://user@host/name``.
            lock_timeout_s: how long a transaction waits for other writers before it gives up, in seconds.

        Raises:
            CheckpointError: it cannot be opened, or was made by another version of quantsim.
        """
        self._database = Database(location, lock_timeout_s)
        try:
            ensure_schema(self._database)
        except CheckpointError as error:
            self._database.close()
            if self.location in str(error):
                raise
            raise CheckpointError(f"cannot open checkpoint store {self.location}: {error}") from error

    @classmethod
    def open(cls, location: str | os.PathLike[str], *, lock_timeout_s: float = 60.0) -> Self:
        """Opens a store that is there; where it is not, nothing is made.

        Raises:
            CheckpointError: there is none, or as for ``CheckpointStore(location)``.
        """
        with contextlib.suppress(ValueError):  # which opening it reports
            path = file_of(read_location(location))
            if path is not None and not (os.path.isfile(path) and os.path.getsize(path)):
                state = "is empty" if os.path.isfile(path) else "is not there"
                raise CheckpointError(
                    f"there are no results yet: checkpoint store {os.fspath(location)} {state}; run `quantsim sgd` or "
                    "`quantsim optuna` first, or say where they are (--store)"
                )
        return cls(location, lock_timeout_s=lock_timeout_s)

    @property
    def location(self) -> str:
        """The URL of the database, without its password."""
        return self._database.shown

    @property
    def url(self) -> str:
        """The URL of the database with its password, to open it elsewhere. Show :attr:`location` instead."""
        return self._database.url.render_as_string(hide_password=False)

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
    ) -> str:
        """Stores a new run with the status "running", and returns its id, 32 hexadecimal digits.

        Args:
            experiment_id: :meth:`Experiment.identity_for <quantsim.Experiment.identity_for>` the driver.
            data_id: hash of the prices.
            driver: its name, such as "sgd" or "search".
            config: the full configuration as JSON values. Passwords in URLs are redacted before it is stored.
            name: the user's name for it.
            seed: a signed 64-bit integer; None if nothing is random.
            notes: what should be known of the run, as JSON values.

        Raises:
            CheckpointError: an argument cannot be stored; the message names it.
        """
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

        return self._database.write(run_table.add_run, row)

    def add_runs(self, complete: Sequence[tuple[Run, Sequence[Checkpoint]]]) -> bool:
        """Stores runs that have ended, each with all its checkpoints: all of them, or nothing.

        Returns whether anything was stored: nothing is where the id of one of the runs is there already.

        Raises:
            CheckpointError: a run cannot be stored, or a checkpoint is of another run or given twice.
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

        return self._database.write(work)

    def resume_run(self, run_id: str, notes: Mapping[str, Any] | None = None) -> Run:
        """Sets a run to "running" again, whatever it was, and returns it. Its state is what :meth:`load_state` returns.

        Args:
            run_id: the run.
            notes: replace or join the run's own, key by key.

        Raises:
            CheckpointError: there is no such run, or a note is not plain JSON.
        """
        values: dict[str, Any] = {"status": "running", "reason": None, "finished_at": None, "updated_at": utc_now()}
        if notes:
            values["notes"] = plain_json({**self.run(run_id).notes, **notes}, "notes")
        return self._update_run(run_id, values)

    def finish_run(self, run_id: str, status: str = "finished", reason: str | None = None) -> Run:
        """Sets how a run ended, and returns it.

        Args:
            run_id: the run.
            status: "finished", "interrupted" or "failed".
            reason: why, such as the message of an error; passwords in URLs are redacted.

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
        """Stores checkpoints of a running run, with their metrics, the state to resume from and a report, all or nothing.

        A checkpoint with the step and parameter set of a stored one takes its place, so that a driver which was killed
        may write a step again. The state takes the place of the run's earlier one.

        Args:
            run_id: the run; the same in every checkpoint.
            checkpoints: may be empty, to store a state or a report only.
            state: bytes that the driver can go on from (safetensors; never pickle). None keeps the stored one.
            state_step: the step that state and report stand after; by default the largest of the checkpoints.
            report: what the driver says of itself, as JSON values, and floats that are not finite, too; joins the run's log.
                One of the same step is replaced.

        Raises:
            CheckpointError: the run is unknown or not running, a checkpoint is of another run or given twice, or something
                in the report has no JSON form.
        """
        check_batch(run_id, checkpoints)
        if (state is not None or report is not None) and state_step is None:
            if not checkpoints:
                raise CheckpointError(
                    "a state or report without checkpoints needs state_step, the step it stands after"
                )
            state_step = max(checkpoint.step for checkpoint in checkpoints)
        content = None if report is None else plain_json(report, "report")

        def work(connection: Connection) -> None:
            now = utc_now()
            run_table.touch_running(connection, run_id, now)  # first of all: it locks the row
            checkpoint_table.replace(connection, run_id, checkpoints)
            if state is not None and state_step is not None:
                state_table.replace_state(connection, run_id, RunState(state_step, state, now))
            if content is not None and state_step is not None:
                state_table.replace_report(connection, run_id, state_step, content, now)

        self._database.write(work)

    def load_state(self, run_id: str) -> RunState | None:
        """Returns the state that was last stored for the run; None if there is none.

        Raises:
            CheckpointError: there is no such run.
        """

        def work(connection: Connection) -> RunState | None:
            run_table.load(connection, run_id)
            return state_table.load_state(connection, run_id)

        return self._database.read(work)

    def reports(self, run_id: str) -> list[Report]:
        """Returns the log of a run, in the order of its steps.

        Raises:
            CheckpointError: there is no such run.
        """

        def work(connection: Connection) -> list[Report]:
            run_table.load(connection, run_id)
            return state_table.load_reports(connection, run_id)

        return self._database.read(work)

    def find_runs(
        self,
        *,
        experiment_id: str | None = None,
        data_id: str | None = None,
        driver: str | None = None,
        status: str | None = None,
        name: str | None = None,
    ) -> list[Run]:
        """Returns the runs that agree with all that is given, the newest first.

        The same experiment on other prices has another ``data_id``. Runs that an older version stored may have another
        ``experiment_id``: :func:`quantsim.checkpoints.stored.of_same_study` compares configurations instead.
        """
        wanted = {"experiment_id": experiment_id, "data_id": data_id, "driver": driver, "status": status, "name": name}
        return self._database.read(run_table.find, wanted)

    def run(self, run_id: str) -> Run:
        """Returns the run of that id, or of the only id that starts so.

        Raises:
            CheckpointError: no run's id starts so, or several do.
        """
        prefix = run_id.strip().lower()
        if not _RUN_ID.fullmatch(prefix):
            raise CheckpointError(f"{run_id!r} is no run id: they are 32 hexadecimal digits, or the first of them")
        found = self._database.read(run_table.with_prefix, prefix, 6)
        if not found:
            raise CheckpointError(f"no run in {self.location} has an id that starts with {prefix!r}")
        if len(found) > 1:
            ids = ", ".join(row.run_id for row in found[:5]) + (", ..." if len(found) > 5 else "")
            raise CheckpointError(f"several runs have ids that start with {prefix!r}: {ids}; give more of the id")
        return found[0]

    def checkpoints(
        self,
        *,
        run_id: str | None = None,
        experiment_id: str | None = None,
        data_id: str | None = None,
        driver: str | None = None,
        metrics: Collection[str] | None = None,
    ) -> list[Checkpoint]:
        """Returns the checkpoints that agree with all that is given, run by run, each by step and parameter set.

        Args:
            run_id: the full id of a run.
            experiment_id: of all runs of that experiment.
            data_id: of all runs on those prices.
            driver: what made the checkpoint, whichever the run's driver is: "sgd" includes that part of hybrid runs.
            metrics: names of the metrics to load, on all splits; None loads all. A few load much faster.

        Raises:
            CheckpointError: ``run_id`` is given and there is no such run.
        """
        return self._database.read(checkpoint_table.find, run_id, experiment_id, data_id, driver, metrics)

    def equal_checkpoints(self, checkpoint: Checkpoint, *, data_id: str) -> list[Checkpoint]:
        """Returns the checkpoints with the same raw parameters, but for rounding; without metrics, the first written first.

        Args:
            checkpoint: whose parameters are wanted; it is one of those returned, if it is stored.
            data_id: of runs on these prices.
        """
        return self._database.read(checkpoint_table.equal_to, checkpoint, data_id)

    def get(self, checkpoint_id: str) -> Checkpoint:
        """Returns the checkpoint ``<run id>:<step>:<set>``, with the run id in full.

        Raises:
            CheckpointError: there is none, or the text is no such id.
        """
        run_id, step, parameter_set = parse_checkpoint_id(checkpoint_id)
        return self._database.read(checkpoint_table.get, run_id, step, parameter_set)

    def resolve(self, key: str) -> Checkpoint:
        """Returns the checkpoint ``<start of a run id>:<step>:<set>``, as a user types it.

        Raises:
            CheckpointError: the start of the run id fits no run or several, or there is no such checkpoint.
        """
        prefix, step, parameter_set = parse_checkpoint_id(key)
        return self.get(f"{self.run(prefix).run_id}:{step}:{parameter_set}")

    def close(self) -> None:
        """Closes the connections of this process; the store opens new ones if it is used again."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.location!r})"

    def _update_run(self, run_id: str, values: Mapping[str, Any]) -> Run:
        return self._database.write(run_table.set_values, run_id, values)
