"""Runs or resumes a search."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from quantsim.checkpoints import CheckpointStore
from quantsim.checkpoints.pareto import balanced, hypervolume, normalised
from quantsim.config import Experiment
from quantsim.drivers.loop import Finished, run_driver
from quantsim.drivers.search.driver import SearchDriver, State
from quantsim.drivers.search.engines import Backend
from quantsim.drivers.search.evaluation import MakeEvaluator
from quantsim.drivers.search.study import settled_trials
from quantsim.drivers.search.tally import SearchProgress
from quantsim.drivers.search.values import best_trials, kept_trials
from quantsim.prices import PriceData
from quantsim.storages.location import Location, default_storage, describe_storage
from quantsim.tracking import Tracking

__all__ = ["SearchRun", "run_search"]


@dataclass(frozen=True)
class SearchRun:
    """The result of a search.

    Attributes:
        run_id: id of the run in the checkpoint store.
        study_name: name of the study.
        storage: location of the study, without its password.
        n_trials: number of finished trials of the study, including failed ones and those of earlier sessions.
        n_new: number of trials of this session.
        n_failed: number of failed trials; the study has the reason of each.
        n_pruned: number of pruned trials.
        best_trial: number of the trial with the highest objective, ranked as in :mod:`quantsim.ranking`; for several
            objectives, the balanced trial of the Pareto front.
        best_value: its objective; for several, the first one.
        front: numbers of the trials on the Pareto front; for one objective, only the best trial.
        hypervolume: hypervolume of the front above the worst value of every objective, each scaled to 1; nan for one objective.
        stalled: whether ``search.patience`` ended the search.
        out_of_time: whether ``search.max_minutes`` ended this session before its last trial.
        seconds: duration of this session.
    """

    run_id: str
    study_name: str
    storage: str
    n_trials: int
    n_new: int
    n_failed: int
    n_pruned: int
    best_trial: int
    best_value: float
    front: tuple[int, ...]
    hypervolume: float
    stalled: bool
    out_of_time: bool
    seconds: float

    def __repr__(self) -> str:
        best = f"trial {self.best_trial} is the best with {self.best_value:.4g}"
        return f"SearchRun({self.study_name!r}: {self.n_trials} trials, {self.n_new} new; {best})"


def run_search(
    experiment: Experiment,
    prices: PriceData | None,
    store: CheckpointStore,
    *,
    series: Mapping[str, Any] | None = None,
    storage: Location | None = None,
    study_name: str | None = None,
    jobs: int | None = None,
    trials: int | None = None,
    enqueue: Iterable[Mapping[str, Any]] = (),
    group: tuple[str, int] | None = None,
    progress: Callable[[SearchProgress], None] | None = None,
    take_over: bool = False,
    backend: Backend = "threads",
    address: str | None = None,
    make_evaluator: MakeEvaluator | None = None,
    tracking: Tracking | None = None,
) -> SearchRun:
    """Searches for the parameters with the highest train objective. Resumes a study that was interrupted.

    Each completed trial is also a checkpoint of the store, with the trial number as its step. The trials depend only on the
    experiment and the data, and not on the workers or on interruptions.

    Args:
        experiment: experiment with the tables ``search`` and ``objective``.
        prices: prices that cover all its periods; None for those that ``experiment.data`` names.
        store: store for the checkpoints.
        series: series in memory, as for :class:`quantsim.simulator.Evaluator`.
        storage: location of the study: a path ending in ``.journal``, ``.log``, ``.db``, ``.sqlite`` or ``.sqlite3``, a
            database URL, or ``grpc://host:port``. By default, a journal file beside the store, or the database of a
            store on a server.
        study_name: name of the study; by default, the experiment's name and a hash of everything that distinguishes studies.
        jobs: number of parallel evaluations; by default, that of the experiment, else
            :func:`~quantsim.threads.thread_count`, or all workers of the cluster at ``address``.
        trials: number of trials of the study in the end; by default, that of the experiment.
        enqueue: human-readable parameters to try first, such as those of checkpoints. Sets that the study has already are
            skipped.
        group: id of the group of a new run in the store, and its position in it; None for none.
        progress: function that is called after every step.
        take_over: whether to run a study although a process on another machine holds its lease.
        backend: ``threads`` of this process, or the workers of a ``dask`` or ``ray`` cluster.
        address: address of the cluster; by default, a local one is started for the search.
        make_evaluator: function of experiment, prices and series, which is called here and in every worker of a cluster, so
            it must be importable there; default :class:`quantsim.simulator.Evaluator`.
        tracking: experiment trackers; see :func:`quantsim.tracking.open_tracking`.

    Raises:
        ConfigError: the search space is invalid or empty.
        ParameterError: a set of ``enqueue`` does not fit the search space.
        WindowError: a metric of the objective is undefined over periods so short.
        DriverError: the study belongs to another experiment or is in use, its storage cannot be opened or does not answer,
            all trials fail, or the cluster does not answer.
        KeyboardInterrupt: finished trials are stored, and the run is stored as interrupted.
    """
    driver = SearchDriver(
        experiment,
        prices,
        storage=default_storage(store.url) if storage is None else storage,
        study_name=study_name,
        series=series,
        trials=trials,
        jobs=jobs,
        backend=backend,
        address=address,
        take_over=take_over,
        make_evaluator=make_evaluator,
    )
    queue = [driver.space.from_human(params) for params in enqueue]
    with driver:
        for params in queue:
            driver.enqueue(params)
        return search_run(driver, run_driver(driver, store, group=group, progress=progress, tracking=tracking))


def search_run(driver: SearchDriver, done: Finished[State]) -> SearchRun:
    """Returns the result of a run of the driver, which must still be open."""
    tally = done.state.tally
    kept = kept_trials(settled_trials(driver.study))
    values = np.array([trial.values for trial in kept])
    several, front = values.shape[1] > 1, best_trials(kept)
    best = front[balanced([trial.values for trial in front])]
    stalled = driver.has_stalled(done.state)
    return SearchRun(
        run_id=done.run_id,
        study_name=driver.study_name,
        storage=describe_storage(driver.storage),
        n_trials=tally.finished,
        n_new=tally.finished - done.first.tally.finished,
        n_failed=tally.failed,
        n_pruned=tally.pruned,
        best_trial=best.number,
        best_value=best.values[0],
        front=tuple(trial.number for trial in front),
        hypervolume=hypervolume(normalised(values), np.zeros(values.shape[1])) if several else math.nan,
        stalled=stalled,
        out_of_time=tally.finished < driver.trials and not stalled,
        seconds=done.seconds,
    )
