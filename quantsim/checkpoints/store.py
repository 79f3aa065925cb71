"""The checkpoint store: runs, checkpoints with metrics, reports, and states for resuming."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from quantsim.baseline import Baseline
from quantsim.checkpoints.checkpoint import (
    SPLITS,
    STATUSES,
    Checkpoint,
    Report,
    Run,
    RunState,
    check_batch,
    parse_checkpoint_id,
    utc_now,
)
from quantsim.checkpoints.database import baselines as baseline_table
from quantsim.checkpoints.database import checkpoints as checkpoint_table
from quantsim.checkpoints.database import returns as return_table
from quantsim.checkpoints.database import runs as run_table
from quantsim.checkpoints.database import states as state_table
from quantsim.checkpoints.database.rows import plain_json, run_row
from quantsim.checkpoints.redact import redact
from quantsim.checkpoints.returns import ReturnsTable
from quantsim.checkpoints.run_management import RunManagement
from quantsim.errors import CheckpointError, nearest

if TYPE_CHECKING:
    import pandas as pd

    from quantsim.checkpoints.runs.comparison import RunComparison
    from quantsim.checkpoints.runs.details import RunDetails
    from quantsim.checkpoints.runs.transfer import Copied
    from quantsim.checkpoints.runs.watching import RunProgress

__all__ = ["CheckpointStore"]


class CheckpointStore(RunManagement):
    """A store in an SQLite file, or in any database that SQLAlchemy supports.

    Several processes and threads may use one store at the same time. Each method that writes uses one transaction: when it
    returns, everything is stored and survives a crash of the process; when it raises an error, nothing is stored.

    Example:
        >>> with CheckpointStore("results/checkpoints.db") as store:  # doctest: +SKIP
        ...     run_id = store.begin_run(experiment_id="ab12", data_id="cd34", driver="sgd", config={}, seed=0)
    """

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

    def runs_of_group(self, group_id: str) -> list[Run]:
        """Returns the runs of a group, ordered by their positions; empty if there are none."""
        return self._read(run_table.of_group, group_id)

    def parts(self, run_id: str) -> list[Run]:
        """Returns the runs that are a part of a run, such as the gradient runs of a hybrid run, the oldest first."""
        return self._database.read(run_table.parts_of, run_id)

    def groups(self) -> list[str]:
        """Returns the ids of all groups of runs, the newest first."""
        return self._database.read(run_table.groups)

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

    def baselines(self, run_id: str) -> dict[str, Baseline]:
        """Returns the baselines of a run by name; empty for a run of an older version.

        Raises:
            CheckpointError: there is no such run.
        """
        return self._read(baseline_table.load_baselines, run_id)

    def daily_log_returns(self, run_ids: Sequence[str], split: str) -> ReturnsTable:
        """Returns the daily log returns of all checkpoints of runs on a split.

        Checkpoints without stored returns are left out, and counted in :attr:`ReturnsTable.missing`.

        Args:
            run_ids: full ids of runs on equal periods.
            split: "train", "validation" or "test".

        Raises:
            CheckpointError: there is no such run or split, or the runs have different numbers of days.
        """
        if split not in SPLITS:
            raise CheckpointError(f"unknown split {split!r}; {nearest(split, SPLITS)}")
        return self._read(return_table.find_returns, run_ids, split)

    def load_state(self, run_id: str) -> RunState | None:
        """Returns the last stored state of the run; None if there is none.

        Raises:
            CheckpointError: there is no such run.
        """

        def work(connection: Connection) -> RunState | None:
            run_table.load(connection, run_id)
            return state_table.load_state(connection, run_id)

        return self._read(work)

    def reports(self, run_id: str) -> list[Report]:
        """Returns the reports of a run, ordered by step.

        Raises:
            CheckpointError: there is no such run.
        """

        def work(connection: Connection) -> list[Report]:
            run_table.load(connection, run_id)
            return state_table.load_reports(connection, run_id)

        return self._read(work)

    def find_runs(
        self,
        *,
        experiment_id: str | None = None,
        data_id: str | None = None,
        driver: str | None = None,
        status: str | None = None,
        name: str | None = None,
        in_groups: bool = True,
    ) -> list[Run]:
        """Returns the runs that match all given values, the newest first.

        The same experiment on other prices has another ``data_id``. Runs of an older version may have another
        ``experiment_id``: :func:`quantsim.checkpoints.stored.of_same_study` compares configurations instead. With
        ``in_groups=False``, members of groups, such as the folds of a walk-forward, are left out.
        """
        wanted = {"experiment_id": experiment_id, "data_id": data_id, "driver": driver, "status": status, "name": name}
        return self._read(run_table.find, wanted, in_groups)

    def checkpoints(
        self,
        *,
        run_id: str | None = None,
        experiment_id: str | None = None,
        data_id: str | None = None,
        driver: str | None = None,
        metrics: Collection[str] | None = None,
    ) -> list[Checkpoint]:
        """Returns the checkpoints that match all given values, ordered by run, step and parameter set.

        Args:
            run_id: full id of a run.
            experiment_id: id of an experiment.
            data_id: identity of prices.
            driver: driver that made the checkpoint: "sgd" includes the gradient phases of hybrid runs.
            metrics: names of the metrics to load, on all splits; None loads all. Loading a few is much faster.

        Raises:
            CheckpointError: ``run_id`` is given and there is no such run.
        """
        return self._read(checkpoint_table.find, run_id, experiment_id, data_id, driver, metrics)

    def to_frame(self, *, run_id: str | None = None, metrics: Collection[str] | None = None) -> pd.DataFrame:
        """Returns a row per checkpoint of one run or of all runs; parameters in human units.

        Args:
            run_id: id of a run; its first characters suffice.
            metrics: names of the metrics to load, on all splits; None loads all.

        Raises:
            CheckpointError: there is no such run.

        Example:
            >>> with CheckpointStore("quantsim-results/checkpoints.db") as store:  # doctest: +SKIP
            ...     store.to_frame().sort_values("validation.daily_log_sharpe", ascending=False)
        """
        from quantsim.checkpoints.frames import checkpoints_frame

        whole = None if run_id is None else self.run(run_id).run_id
        return checkpoints_frame(self.checkpoints(run_id=whole, metrics=metrics))

    def details(self, key: str) -> RunDetails:
        """Returns what is stored of a run: its study, selected set, metrics and baselines; see :meth:`entry` for the key.

        Raises:
            CheckpointError: no run matches, or several do.
        """
        from quantsim.checkpoints.runs.details import details_of

        return details_of(self, self.entry(key))

    def compare(self, first: str, second: str) -> RunComparison:
        """Compares two results: studies, parameters, metrics, and daily returns where both have the same days.

        What does not compare, such as metrics on other prices or at other fees, is in :attr:`RunComparison.cautions`.

        Args:
            first: key of a run, whose selected set counts, or of a checkpoint; see :meth:`entry`.
            second: likewise.

        Raises:
            CheckpointError: there is no such run or checkpoint.
            SelectionError: nothing can be selected, both are the same, or only one of them has folds.

        Example:
            >>> store.compare("3f9c01ab", "newest").splits[-1].difference  # doctest: +SKIP
        """
        from quantsim.checkpoints.runs.comparison import compare_runs

        return compare_runs(self, first, second)

    def export_runs(self, keys: str | Sequence[str], location: str | os.PathLike[str]) -> Copied:
        """Copies runs to another store, with everything that is stored of them. What it has already is not copied again.

        Args:
            keys: one or more keys; see :meth:`entry`. Runs that belong together are copied together.
            location: path of an SQLite file, which is created if it does not exist, or a database URL.

        Raises:
            CheckpointError: there is no such run, one is in progress, or the other store has a run of the same id with other
                content.
        """
        from quantsim.checkpoints.runs.transfer import copy_runs

        for key in (named := [keys] if isinstance(keys, str) else list(keys)):
            self.entry(key)  # before a file is created
        with CheckpointStore(location) as target:
            return copy_runs(self, target, named)

    def import_runs(
        self, location: str | os.PathLike[str], keys: Sequence[str] | None = None, *, replace: bool = False
    ) -> Copied:
        """Copies runs from another store, which is only read; its content is checked, and nothing of it is run.

        Args:
            location: path of an SQLite file, or a database URL.
            keys: keys of runs there; None for all.
            replace: whether to replace runs that are stored with other content.

        Raises:
            CheckpointError: as for :meth:`export_runs`, or the other store is not valid, or made by a newer version.
        """
        from quantsim.checkpoints.runs.transfer import copy_runs, opened_source

        with opened_source(location) as source:
            return copy_runs(source, self, keys, replacing=replace)

    def watch(
        self, key: str | None = None, *, interval_s: float = 2.0, sleep: Callable[[float], None] = time.sleep
    ) -> Iterator[RunProgress]:
        """Yields the progress of a live run of any process whenever it changed, until the run has ended. Only reads.

        Args:
            key: key of the run; None for the newest one that is in progress.
            interval_s: time between two looks, in seconds.
            sleep: function that waits for so long.

        Raises:
            CheckpointError: there is no such run, or none is in progress.
        """
        from quantsim.checkpoints.runs.watching import watch_run

        return watch_run(self, key, interval_s=interval_s, sleep=sleep)

    def equal_checkpoints(self, checkpoint: Checkpoint, *, data_id: str) -> list[Checkpoint]:
        """Returns the checkpoints with the same raw parameters up to rounding, oldest first, without metrics.

        Args:
            checkpoint: checkpoint with the parameters; it is part of the result if it is stored.
            data_id: identity of the prices.
        """
        return self._read(checkpoint_table.equal_to, checkpoint, data_id)

    def get(self, checkpoint_id: str) -> Checkpoint:
        """Returns the checkpoint ``<run id>:<step>:<set>``, with the run id in full.

        Raises:
            CheckpointError: there is no such checkpoint, or the id is invalid.
        """
        run_id, step, parameter_set = parse_checkpoint_id(checkpoint_id)
        return self._read(checkpoint_table.get, run_id, step, parameter_set)

    def resolve(self, key: str) -> Checkpoint:
        """Returns the checkpoint ``<run id>:<step>:<set>``, where the run id may be shortened.

        Raises:
            CheckpointError: no run matches, several match, or there is no such checkpoint.
        """
        prefix, step, parameter_set = parse_checkpoint_id(key)
        return self.get(f"{self.run(prefix).run_id}:{step}:{parameter_set}")

    def _update_run(self, run_id: str, values: Mapping[str, Any]) -> Run:
        return self._write(run_table.set_values, run_id, values)
