"""The checkpoint store: runs, checkpoints with metrics, reports, and states for resuming."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from quantsim.baseline import Baseline
from quantsim.checkpoints.checkpoint import (
    SPLITS,
    Checkpoint,
    Report,
    Run,
    RunState,
    parse_checkpoint_id,
)
from quantsim.checkpoints.database import baselines as baseline_table
from quantsim.checkpoints.database import checkpoints as checkpoint_table
from quantsim.checkpoints.database import returns as return_table
from quantsim.checkpoints.database import runs as run_table
from quantsim.checkpoints.database import states as state_table
from quantsim.checkpoints.returns import ReturnsTable
from quantsim.checkpoints.store_writing import StoreWriting
from quantsim.errors import CheckpointError, nearest

if TYPE_CHECKING:
    import pandas as pd

    from quantsim.checkpoints.runs.comparison import RunComparison
    from quantsim.checkpoints.runs.details import RunDetails
    from quantsim.checkpoints.runs.transfer import Copied
    from quantsim.checkpoints.runs.watching import RunProgress

__all__ = ["CheckpointStore"]


class CheckpointStore(StoreWriting):
    """A store in an SQLite file, or in any database that SQLAlchemy supports.

    Several processes and threads may use one store at the same time. Each method that writes uses one transaction: when it
    returns, everything is stored and survives a crash of the process; when it raises an error, nothing is stored.

    Example:
        >>> with CheckpointStore("results/checkpoints.db") as store:  # doctest: +SKIP
        ...     run_id = store.begin_run(experiment_id="ab12", data_id="cd34", driver="sgd", config={}, seed=0)
    """

    def runs_of_group(self, group_id: str) -> list[Run]:
        """Returns the runs of a group, ordered by their positions; empty if there are none."""
        return self._read(run_table.of_group, group_id)

    def parts(self, run_id: str) -> list[Run]:
        """Returns the runs that are a part of a run, such as the gradient runs of a hybrid run, the oldest first."""
        return self._read(run_table.parts_of, run_id)

    def groups(self) -> list[str]:
        """Returns the ids of all groups of runs, the newest first."""
        return self._read(run_table.groups)

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

    def export_runs(
        self, keys: str | Sequence[str], location: str | os.PathLike[str], *, take_over: bool = False
    ) -> Copied:
        """Copies runs to another store, with everything that is stored of them. What it has already is not copied again.

        Args:
            keys: one or more keys; see :meth:`entry`. Runs that belong together are copied together.
            location: path of an SQLite file, which is created if it does not exist, or a database URL.
            take_over: whether to copy runs that say "running" on another machine, because their processes have ended. The
                copies are interrupted runs.

        Raises:
            CheckpointError: there is no such run, one is in progress, or the other store has a run of the same id with other
                content.
        """
        from quantsim.checkpoints.run_management import check_at_rest
        from quantsim.checkpoints.runs.transfer import copy_runs

        for key in (named := [keys] if isinstance(keys, str) else list(keys)):
            check_at_rest(self.entry(key), "copied", take_over=take_over)  # before a file is created
        with CheckpointStore(location) as target:
            return copy_runs(self, target, named, take_over=take_over)

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
