"""Runs a search from its beginning, or from where it was cut off, to its end."""

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
from quantsim.prices import Prices
from quantsim.storages.location import Location, default_storage, describe_storage

__all__ = ["SearchRun", "run_search"]


@dataclass(frozen=True)
class SearchRun:
    """How a search ended.

    Attributes:
        run_id: of the checkpoint store.
        study_name: of the study.
        storage: where the study is, without its password.
        n_trials: trials of the study that have ended, failed ones and earlier sessions' included.
        n_new: of these, the trials that this session ran.
        n_failed: those that failed, each with its reason in the study.
        n_pruned: those that were given up before their end.
        best_trial: number of the trial with the highest objective, as :mod:`quantsim.ranking` has it; of several objectives
            the balanced one of the front.
        best_value: its objective; the first of several.
        front: numbers of the trials that no other beats in all objectives; the best one alone with one objective.
        hypervolume: what the front dominates above the worst of every objective, each scaled to 1; nan with one objective.
        stalled: whether ``search.patience`` ended it.
        out_of_time: whether ``search.max_minutes`` ended this session before it had all its trials.
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


def run_search(
    experiment: Experiment,
    prices: Prices | None,
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
) -> SearchRun:
    """Searches for the parameters with the highest train objective; a study that was cut off is resumed.

    Each completed trial is also a checkpoint of the store, its number the step. The trials depend on the experiment and the
    data alone: not on how many workers evaluate them, where, or how often the study was cut off.

    Args:
        experiment: its ``search`` and ``objective`` tables steer the search.
        prices: must cover all its periods; None for those that ``experiment.data`` names.
        store: where checkpoints go.
        series: in-memory series, as :class:`quantsim.simulator.Evaluator` takes them.
        storage: where the study is kept: a path ending in ``.journal``, ``.log``, ``.db``, ``.sqlite`` or ``.sqlite3``, a
            database URL, or ``grpc://host:port``; unless given, a journal file beside the store, or its database
            where that is on a server.
        study_name: unless given, the experiment's name and a hash of everything that tells studies apart.
        jobs: evaluations at the same time; unless given, the experiment's, or as many as the cluster at ``address`` has room
            for.
        trials: how many trials the study shall have in the end; unless given, the experiment's.
        enqueue: human-readable parameters to be tried first, such as those of checkpoints. Sets that the study has are
            passed over.
        group: id of the group of a new run in the store, and its position in it; None for none.
        progress: called after every step.
        take_over: whether to run a study that is marked as being run by a process on another machine.
        backend: where evaluations run: ``threads`` of this process, or the workers of a ``dask`` or ``ray`` cluster.
        address: of the cluster; unless given, one is started on this machine for the time of the search.
        make_evaluator: called with experiment, prices and series, here and in every worker of a cluster, so it must be
            importable there; :class:`quantsim.simulator.Evaluator` unless given.

    Raises:
        ConfigError: the search space is not valid, or there is nothing to search.
        ParameterError: a set of ``enqueue`` does not fit the search space.
        WindowError: a metric of the objective is undefined over periods so short.
        DriverError: the study is of something else or in use, its storage cannot be opened or does not answer, all trials
            fail, or the cluster is not there.
        KeyboardInterrupt: as raised; trials that have ended are kept, and the run is marked as interrupted.
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
        return search_run(driver, run_driver(driver, store, group=group, progress=progress))


def search_run(driver: SearchDriver, done: Finished[State]) -> SearchRun:
    """What a run of the driver came to; the driver is still open."""
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
