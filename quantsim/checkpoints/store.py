"""The checkpoint store: runs, checkpoints with metrics, reports, and states for resuming."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from quantsim.baseline import Baseline
from quantsim.checkpoints import recording
from quantsim.checkpoints.checkpoint import SPLITS, Checkpoint, Report, Run, RunState, parse_checkpoint_id
from quantsim.checkpoints.database import baselines as baseline_table
from quantsim.checkpoints.database import checkpoints as checkpoint_table
from quantsim.checkpoints.database import returns as return_table
from quantsim.checkpoints.database import runs as run_table
from quantsim.checkpoints.database import states as state_table
from quantsim.checkpoints.database.tables import Tables, check_exists
from quantsim.checkpoints.returns import ReturnsTable
from quantsim.checkpoints.runs import deletion, keys, labels
from quantsim.checkpoints.runs.entries import RunEntry, RunList
from quantsim.errors import CheckpointError, nearest

if TYPE_CHECKING:
    import pandas as pd

    from quantsim.checkpoints.runs.comparison import RunComparison
    from quantsim.checkpoints.runs.details import RunDetails
    from quantsim.checkpoints.runs.transfer import Copied
    from quantsim.checkpoints.runs.watching import RunProgress

__all__ = ["CheckpointStore"]


class CheckpointStore:
    """A store in an SQLite file, or in any database that SQLAlchemy supports.

    Several processes and threads may use one store at the same time. Each method that writes uses one transaction: when it
    returns, everything is stored and survives a crash of the process; when it raises an error, nothing is stored.

    A ``run_id`` is the full id of a run. A ``key`` is what users call it: the id of one of its runs or the first characters of
    it, the key of a checkpoint, a given name, or "newest". All methods raise CheckpointError if there is no such run, if
    several match a key, or if an argument cannot be stored.

    Attributes:
        tables: the tables in the database, for queries that the store has no method for.

    Example:
        >>> with CheckpointStore("results/checkpoints.db") as store:  # doctest: +SKIP
        ...     run_id = store.begin_run(experiment_id="ab12", data_id="cd34", driver="sgd", config={}, seed=0)
    """

    def __init__(
        self,
        location: str | os.PathLike[str],
        *,
        lock_timeout_s: float = 60.0,
        migrate: bool = True,
        read_only: bool = False,
    ) -> None:
        """Opens the store. Creates it, and the folders above an SQLite file, if it does not exist.

        Args:
            location: path of an SQLite file, or a database URL such as ``postgresql://user@host/name``.
            lock_timeout_s: longest time that a transaction waits for other writers, in seconds.
            migrate: whether a store of an older version gets its missing tables now, instead of before the first write.
            read_only: whether the store is never written, not even its files beside an SQLite file.

        Raises:
            CheckpointError: the store cannot be opened, or was made by another version of quantsim.
        """
        self.tables = Tables(location, lock_timeout_s, migrate=migrate, read_only=read_only)

    @classmethod
    def open(cls, location: str | os.PathLike[str], **options: Any) -> Self:
        """Opens an existing store; arguments as for ``CheckpointStore(location)``. Raises CheckpointError if there is none."""
        check_exists(location)
        return cls(location, **options)

    @property
    def location(self) -> str:
        """The URL of the database, without its password."""
        return self.tables.location

    @property
    def url(self) -> str:
        """The URL of the database with its password, to open it elsewhere. Show :attr:`location` instead."""
        return self.tables.database.url.render_as_string(hide_password=False)

    def close(self) -> None:
        """Closes the connections of this process. The store opens new ones if it is used again."""
        self.tables.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.location!r})"

    # What drivers record.

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
            group: id of a group of runs, and the position of this run in it, such as the folds of a walk-forward.
            parent: full id of the run that this one is a part of, such as the search of a hybrid run.
        """
        about = {"experiment_id": experiment_id, "data_id": data_id, "name": name, "driver": driver, "seed": seed}
        return recording.begin_run(self.tables, about, config, notes or {}, group, parent)

    def add_runs(self, complete: Sequence[tuple[Run, Sequence[Checkpoint]]]) -> bool:
        """Stores completed runs with all their checkpoints: either all of them, or nothing.

        Returns whether they were stored: nothing is stored if one of the run ids exists already.
        """
        return recording.add_runs(self.tables, complete)

    def resume_run(self, run_id: str, notes: Mapping[str, Any] | None = None) -> Run:
        """Sets the status of a run to "running" and returns the run. :meth:`load_state` returns its state.

        Args:
            run_id: id of the run.
            notes: notes to add to the run's notes, or to replace them, key by key.
        """
        return recording.resume_run(self.tables, run_id, notes)

    def add_notes(self, run_id: str, notes: Mapping[str, Any]) -> Run:
        """Adds notes to those of a run, as JSON values, or replaces them, key by key, and returns the run."""
        return recording.add_notes(self.tables, run_id, notes)

    def finish_run(self, run_id: str, status: str = "finished", reason: str | None = None) -> Run:
        """Sets the final status of a run, and returns the run.

        Args:
            run_id: id of the run.
            status: "finished", "interrupted" or "failed".
            reason: reason, such as the message of an error; passwords in URLs are redacted.
        """
        return recording.finish_run(self.tables, run_id, status, reason)

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
            CheckpointError: also, the run is not running, or a checkpoint belongs to another run or is given twice.
        """
        recording.append(self.tables, run_id, checkpoints, state, state_step, report)

    def set_baselines(self, run_id: str, baselines: Mapping[str, Baseline]) -> None:
        """Stores the baselines of a run, name → baseline, and replaces those that are stored."""
        self.tables.write(baseline_table.replace_baselines, run_id, baseline_table.baseline_rows(run_id, baselines))

    # What is stored of runs.

    def run(self, key: str) -> Run:
        """Returns the single run that a key names; a walk-forward has one for each fold."""
        return keys.find_named(self.tables, key)

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
        return self.tables.read(run_table.find, wanted, in_groups)

    def runs_of_group(self, group_id: str) -> list[Run]:
        """Returns the runs of a group, ordered by their positions; empty if there are none."""
        return self.tables.read(run_table.of_group, group_id)

    def parts(self, run_id: str) -> list[Run]:
        """Returns the runs that are a part of a run, such as the gradient runs of a hybrid run, the oldest first."""
        return self.tables.read(run_table.parts_of, run_id)

    def groups(self) -> list[str]:
        """Returns the ids of all groups of runs, the newest first."""
        return self.tables.read(run_table.groups)

    def baselines(self, run_id: str) -> dict[str, Baseline]:
        """Returns the baselines of a run by name; empty for a run of an older version."""
        return self.tables.read(baseline_table.load_baselines, run_id)

    def load_state(self, run_id: str) -> RunState | None:
        """Returns the last stored state of the run; None if there is none."""
        return self.tables.read(state_table.load_state, run_id)

    def reports(self, run_id: str) -> list[Report]:
        """Returns the reports of a run, ordered by step."""
        return self.tables.read(state_table.load_reports, run_id)

    # What is stored of checkpoints.

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
        """
        return self.tables.read(checkpoint_table.find, run_id, experiment_id, data_id, driver, metrics)

    def get(self, checkpoint_id: str) -> Checkpoint:
        """Returns the checkpoint ``<run id>:<step>:<set>``, with the run id in full."""
        run_id, step, parameter_set = parse_checkpoint_id(checkpoint_id)
        return self.tables.read(checkpoint_table.get, run_id, step, parameter_set)

    def resolve(self, key: str) -> Checkpoint:
        """Returns the checkpoint ``<run id>:<step>:<set>``, where the run id may be shortened."""
        prefix, step, parameter_set = parse_checkpoint_id(key)
        return self.get(f"{self.run(prefix).run_id}:{step}:{parameter_set}")

    def equal_checkpoints(self, checkpoint: Checkpoint, *, data_id: str) -> list[Checkpoint]:
        """Returns the checkpoints with the same raw parameters up to rounding, oldest first, without metrics.

        Args:
            checkpoint: checkpoint with the parameters; it is part of the result if it is stored.
            data_id: identity of the prices.
        """
        return self.tables.read(checkpoint_table.equal_to, checkpoint, data_id)

    def daily_log_returns(self, run_ids: Sequence[str], split: str) -> ReturnsTable:
        """Returns the daily log returns of all checkpoints of runs on a split.

        Checkpoints without stored returns are left out, and counted in :attr:`ReturnsTable.missing`.

        Args:
            run_ids: full ids of runs on equal periods.
            split: "train", "validation" or "test".

        Raises:
            CheckpointError: also, there is no such split, or the runs have different numbers of days.
        """
        if split not in SPLITS:
            raise CheckpointError(f"unknown split {split!r}; {nearest(split, SPLITS)}")
        return self.tables.read(return_table.find_returns, run_ids, split)

    def to_frame(self, *, run_id: str | None = None, metrics: Collection[str] | None = None) -> pd.DataFrame:
        """Returns a row per checkpoint of one run or of all runs; parameters in human units.

        Args:
            run_id: key of a run.
            metrics: names of the metrics to load, on all splits; None loads all.

        Example:
            >>> with CheckpointStore("quantsim-results/checkpoints.db") as store:  # doctest: +SKIP
            ...     store.to_frame().sort_values("validation.daily_log_sharpe", ascending=False)
        """
        from quantsim.checkpoints.frames import checkpoints_frame

        whole = None if run_id is None else self.run(run_id).run_id
        return checkpoints_frame(self.checkpoints(run_id=whole, metrics=metrics))

    # Runs as users count them.

    def runs(
        self,
        *,
        study: str | None = None,
        driver: str | None = None,
        tag: str | None = None,
        status: str | None = None,
    ) -> RunList:
        """Returns the runs that match all given values, the newest first, with a constant number of queries.

        The folds of a walk-forward are one entry, and so are the phases of a hybrid run.

        Args:
            study: name of the study, or a name that a user gave to a run.
            driver: "search", "sgd", "hybrid", "imported", ...
            tag: a tag.
            status: "running", "finished", "interrupted" or "failed"; a run whose process was killed counts as interrupted.

        Example:
            >>> with CheckpointStore("quantsim-results/checkpoints.db") as store:  # doctest: +SKIP
            ...     store.runs(driver="search").to_frame()
        """
        return keys.find_entries(self.tables, study, driver, tag, status)

    def entry(self, key: str) -> RunEntry:
        """Returns the entry of a run."""
        return keys.find_entry(self.tables, key)

    def details(self, key: str) -> RunDetails:
        """Returns what is stored of a run: its study, selected set, metrics and baselines."""
        from quantsim.checkpoints.runs.details import details_of

        return details_of(self, self.entry(key))

    def compare(self, first: str, second: str) -> RunComparison:
        """Compares two results: studies, parameters, metrics, and daily returns where both have the same days.

        What does not compare, such as metrics on other prices or at other fees, is in :attr:`RunComparison.cautions`.

        Args:
            first: key of a run, whose selected set counts, or of a checkpoint.
            second: likewise.

        Raises:
            SelectionError: nothing can be selected, both are the same, or only one of them has folds.

        Example:
            >>> store.compare("3f9c01ab", "newest").splits[-1].difference  # doctest: +SKIP
        """
        from quantsim.checkpoints.runs.comparison import compare_runs

        return compare_runs(self, first, second)

    def watch(
        self, key: str | None = None, *, interval_s: float = 2.0, sleep: Callable[[float], None] = time.sleep
    ) -> Iterator[RunProgress]:
        """Yields the progress of a live run of any process whenever it changed, until the run has ended. Only reads.

        Args:
            key: key of the run; None for the newest one that is in progress.
            interval_s: time between two looks, in seconds.
            sleep: function that waits for so long.
        """
        from quantsim.checkpoints.runs.watching import watch_run

        return watch_run(self, key, interval_s=interval_s, sleep=sleep)

    def tag(self, key: str, add: Iterable[str] = (), *, remove: Iterable[str] = ()) -> RunEntry:
        """Adds tags to a run, and removes others; returns its entry. A tag is 1 to 64 letters, digits and ``. : + - _``."""
        return labels.tag_run(self.tables, key, add, remove)

    def annotate(self, key: str, note: str | None) -> RunEntry:
        """Sets the note of a run, at most 10,000 characters, or removes it (None); returns its entry."""
        return labels.annotate_run(self.tables, key, note)

    def rename(self, key: str, name: str | None) -> RunEntry:
        """Gives a run a name that no other run has, or removes it (None); returns its entry.

        The name of the study, :attr:`Run.name <quantsim.checkpoints.Run.name>`, stays: drivers find runs by it.
        """
        return labels.rename_run(self.tables, key, name)

    def delete(self, keys: str | Sequence[str], *, take_over: bool = False) -> RunList:
        """Deletes runs with their checkpoints, daily returns, baselines, reports and states; returns their entries.

        All runs of a walk-forward or of a hybrid run are deleted together. Either all given runs are deleted, or none. The
        Optuna study of a search stays: :func:`quantsim.delete_runs` deletes it, too.

        Args:
            keys: one or more keys.
            take_over: whether to delete a run that says "running" on another machine, because its process has ended.

        Raises:
            CheckpointError: also, one of them is in progress.
        """
        return deletion.delete_entries(self.tables, [keys] if isinstance(keys, str) else keys, take_over=take_over)

    def export_runs(
        self, keys: str | Sequence[str], location: str | os.PathLike[str], *, take_over: bool = False
    ) -> Copied:
        """Copies runs to another store, with everything that is stored of them. What it has already is not copied again.

        Args:
            keys: one or more keys. Runs that belong together are copied together.
            location: path of an SQLite file, which is created if it does not exist, or a database URL.
            take_over: whether to copy runs that say "running" on another machine, because their processes have ended. The
                copies are interrupted runs.

        Raises:
            CheckpointError: also, one is in progress, or the other store has a run of the same id with other content.
        """
        from quantsim.checkpoints.runs.transfer import export_runs

        return export_runs(self, location, [keys] if isinstance(keys, str) else list(keys), take_over=take_over)

    def import_runs(
        self,
        location: str | os.PathLike[str],
        keys: Sequence[str] | None = None,
        *,
        replace: bool = False,
        take_over: bool = False,
    ) -> Copied:
        """Copies runs from another store, which is only read; its content is checked, and nothing of it is run.

        Args:
            location: path of an SQLite file, or a database URL.
            keys: keys of runs there; None for all.
            replace: whether to replace runs that are stored with other content.
            take_over: as for :meth:`export_runs`.

        Raises:
            CheckpointError: as for :meth:`export_runs`, or the other store is not valid, or made by a newer version.
        """
        from quantsim.checkpoints.runs.transfer import copy_runs, opened_source

        with opened_source(location) as source:
            return copy_runs(source, self, keys, replacing=replace, take_over=take_over)
