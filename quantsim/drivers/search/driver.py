"""The search driver: makes or takes up a study, runs its trials, and keeps the checkpoint store in step."""

from __future__ import annotations

import logging
import math
import os
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from optuna.storages import BaseStorage
from optuna.study import Study

from quantsim.checkpoints import CheckpointStore
from quantsim.checkpoints.pareto import balanced, hypervolume, normalised
from quantsim.checkpoints.stored import rule_notes
from quantsim.config import Experiment
from quantsim.config.identity import SEARCH
from quantsim.drivers.counts import checked_count
from quantsim.drivers.search.monitor import POLL_SECONDS, Monitor, SearchProgress, polling
from quantsim.drivers.search.note import describe_prices, selection_advice, study_note, write_note
from quantsim.drivers.search.pruner import check_pruner
from quantsim.drivers.search.records import Recorder
from quantsim.drivers.search.samplers.named import check_sampler
from quantsim.drivers.search.space import SearchSpace
from quantsim.drivers.search.space_file import load_search_space
from quantsim.drivers.search.storage.opened import Location, default_storage, describe_storage, opened_storage
from quantsim.drivers.search.study import (
    StudyIdentity,
    default_name,
    describe_task,
    hold,
    identify,
    load_study,
    open_study,
    quiet_optuna,
    release,
    settled_trials,
    study_id,
)
from quantsim.drivers.search.values import best_trials, check_objectives, kept_trials, objective_names
from quantsim.drivers.search.workers.claims import Claimant
from quantsim.drivers.search.workers.clusters import Backend, check_backend, joined_cluster
from quantsim.drivers.search.workers.lost import LostTrials, abandon_session
from quantsim.drivers.search.workers.parallel import Job, run_on_cluster, run_processes
from quantsim.drivers.search.workers.worker import Evaluates, Searcher
from quantsim.errors import DriverError
from quantsim.limits import MOST_JOBS, MOST_TRIALS
from quantsim.objective import SHORT, warn_once
from quantsim.prices import Prices

__all__ = ["MakeEvaluator", "SearchRun", "check_search", "default_evaluator", "open_run", "run_search"]

logger = logging.getLogger(__name__)

MakeEvaluator = Callable[[Experiment, Prices], Evaluates]


@dataclass(frozen=True)
class SearchRun:
    """How a search ended.

    Attributes:
        run_id: of the checkpoint store.
        study_name: of the study.
        storage: where the study is, without its password.
        n_trials: trials of the study that count, failed ones and earlier sessions' included.
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
    storage: Location | None = None,
    study_name: str | None = None,
    jobs: int | None = None,
    trials: int | None = None,
    enqueue: Iterable[Mapping[str, Any]] = (),
    progress: Callable[[SearchProgress], None] | None = None,
    take_over: bool = False,
    backend: Backend = "processes",
    address: str | None = None,
    make_evaluator: MakeEvaluator | None = None,
) -> SearchRun:
    """Searches for the parameters with the highest train objective; a study that was cut off is taken up.

    Each completed trial is also a checkpoint of the store, its number the step. With one worker the trials depend on the
    experiment and the prices alone, however often the study was cut off; with several also on who was faster. Workers may
    join from elsewhere, see :func:`~quantsim.drivers.search.join.join_study`; their trials count like any other.

    Args:
        experiment: its ``search`` and ``objective`` tables steer the search.
        prices: must cover all its periods; None for those that ``experiment.data`` names.
        store: where checkpoints go.
        storage: where the study is kept: a path ending in ``.journal``, ``.log``, ``.db``, ``.sqlite`` or ``.sqlite3``, a
            database URL, or ``grpc://host:port``; unless given, a journal file beside the store.
        study_name: unless given, the experiment's name and a hash of everything that tells studies apart.
        jobs: workers; unless given, the experiment's, or as many as the cluster at ``address`` has places for.
        trials: how many trials the study shall have in the end; unless given, the experiment's.
        enqueue: human-readable parameters to be tried first, such as those of checkpoints. Sets that the study has are
            passed over.
        progress: called after every trial, or twice a second with several workers (then from another thread).
        take_over: whether to run a study that is marked as being run by a process on another machine.
        backend: where workers are: ``processes`` of this machine, or those of a ``dask`` or ``ray`` cluster.
        address: of the cluster; unless given, one is started on this machine for the time of the search.
        make_evaluator: called with experiment and prices, here and in every worker, so it must be importable there;
            :class:`quantsim.simulator.Evaluator` unless given.

    Raises:
        ConfigError: the search space is not valid, or there is nothing to search.
        ParameterError: a set of ``enqueue`` does not fit the search space.
        WindowError: a metric of the objective is undefined over periods so short.
        DriverError: the study is of something else or in use, its storage cannot be opened or does not answer, all trials
            fail, workers die one after another, or the cluster is not there.
        KeyboardInterrupt: as raised; completed trials are kept, and the run is marked as interrupted.
    """
    n_trials = checked_count("trials", _given(trials, experiment.search.trials), MOST_TRIALS)
    of_cluster = jobs is None and address is not None
    n_jobs = None if of_cluster else checked_count("jobs", _given(jobs, experiment.search.jobs), MOST_JOBS)
    location = default_storage(store.location) if storage is None else storage
    space = check_search(experiment, location, study_name=study_name, backend=backend, address=address)
    queue = [space.from_human(params) for params in enqueue]
    make_evaluator = make_evaluator or default_evaluator
    prices = experiment.load_prices() if prices is None else prices
    evaluator = make_evaluator(experiment, prices)
    if SHORT in evaluator.notes:
        warn_once(str(evaluator.notes[SHORT]))
    identity = identify(experiment, evaluator.data_id, space)
    place = _Place(backend, address, n_jobs)
    with quiet_optuna():
        name = study_name or default_name(location, experiment.name, identity)
        search = _Search(experiment, prices, space, evaluator, make_evaluator, store, location, name, identity, place)
        return search.run(n_trials, queue, progress, take_over=take_over)


def check_search(
    experiment: Experiment, storage: Location, *, study_name: str | None, backend: Backend, address: str | None
) -> SearchSpace:
    """Returns the space that a search would draw from, after all checks that need no prices; nothing is stored.

    Args:
        experiment: as :func:`run_search` takes it, and all others.
        storage: where the study would be kept.
        study_name: None for the one that is made.
        backend: where workers would be.
        address: of a cluster.

    Raises:
        ConfigError: the search space, the objectives, the sampler or the pruner do not fit the experiment.
        DriverError: the name is not valid, or workers cannot be run there.
    """
    if study_name is not None and not (
        study_name.strip() and study_name.isprintable() and len(study_name) <= _LONGEST_NAME
    ):
        raise DriverError(f"study_name = {study_name[:80]!r} must be 1 to {_LONGEST_NAME} printable characters")
    check_backend(backend, address, storage)
    space = load_search_space(experiment)
    check_objectives(experiment)
    check_pruner(experiment)
    check_sampler(experiment.search, space.distributions(), len(objective_names(experiment)))
    return space


_LONGEST_NAME = 200


@dataclass(frozen=True)
class _Place:
    """Where workers are, and how many; None for as many as a cluster has room for."""

    backend: Backend
    address: str | None
    n_jobs: int | None


@dataclass(frozen=True)
class _Search:
    """The fixed parts of one search."""

    experiment: Experiment
    prices: Prices
    space: SearchSpace
    evaluator: Evaluates
    make_evaluator: MakeEvaluator
    store: CheckpointStore
    location: Location
    name: str
    identity: StudyIdentity
    place: _Place
    session: str = field(default_factory=lambda: uuid.uuid4().hex)

    def run(
        self,
        n_trials: int,
        queue: list[dict[str, float]],
        progress: Callable[[SearchProgress], None] | None,
        *,
        take_over: bool,
    ) -> SearchRun:
        with opened_storage(self.location) as storage:
            study = open_study(storage, self.name, self.identity, objective_names(self.experiment))
            hold(study, self.session, take_over=take_over)
            recorded = self.experiment.recorded(self.prices)
            describe_task(study, recorded, n_trials)
            run_id = open_run(self.store, recorded, study, self.location, self.evaluator)
            advice = selection_advice(self.experiment, run_id, self.store.location)
            write_note(
                study, study_note(self.experiment, self.space, describe_prices(self.experiment, self.prices), advice)
            )
            search = self.experiment.search
            recorder = Recorder(self.store, run_id, self.experiment, self.space)
            monitor = Monitor(recorder, n_trials, progress, search.patience, search.min_gain, search.max_minutes)
            try:
                lost = LostTrials(storage, study, self._names, self._timeout_minutes)
                lost.look()
                for params in queue:
                    study.enqueue_trial(params, skip_if_exists=True)
                monitor.catch_up(study)
                n_old = monitor.progress.finished
                self._work(storage, study, monitor, lost)
                lost.look()  # workers that were ended may have begun what was one too many
                monitor.catch_up(study)
                monitor.stop_others(study)
                outcome = self._outcome(study, monitor, run_id, n_old)
            except BaseException as error:
                self._close_down(monitor, run_id, error)
                raise
            self.store.finish_run(run_id, "finished")
            release(study)
        return outcome

    def _work(self, storage: BaseStorage, study: Study, monitor: Monitor, lost: LostTrials) -> None:
        """Runs the trials that are missing: here, in worker processes, or on a cluster."""
        total = monitor.target
        missing = total - len(settled_trials(study))
        if missing <= 0:
            return
        if self.place.backend == "processes":
            n_jobs = min(self.place.n_jobs or 1, missing)
            if n_jobs == 1:
                self._work_here(storage, study, monitor, lost)
                return
            with polling(monitor, self.location, self.name, self._names, self._timeout_minutes):
                run_processes(self._job(total), n_jobs, study, lambda: monitor.progress.finished >= total)
            return
        with (
            joined_cluster(self.place.backend, self.place.address, self.place.n_jobs) as n_jobs,
            polling(monitor, self.location, self.name, self._names, self._timeout_minutes),
        ):
            run_on_cluster(self._job(total), min(n_jobs, missing), study)

    def _job(self, total: int) -> Job:
        what = (self.experiment, self.prices, self.space, self.make_evaluator, self.location, self.name)
        return Job(*what, total, self.session, os.getpid())

    def _work_here(self, storage: BaseStorage, study: Study, monitor: Monitor, lost: LostTrials) -> None:
        """Runs trials in this process, beside such workers as join."""
        seen = time.monotonic()

        def between() -> None:
            nonlocal seen
            if time.monotonic() - seen > POLL_SECONDS:
                lost.look()
                monitor.catch_up(study)
                monitor.stop_others(study)
                seen = time.monotonic()

        searcher = Searcher(self.experiment, self.space, self.evaluator, study)
        with Claimant(storage, study, self.session, self._timeout_minutes, alone=True) as claimant:
            searcher.run(
                claimant,
                lambda: monitor.target,
                lambda infos: monitor.observe(info.trial for info in infos),
                settled=len(settled_trials(study)),
                between=between,
            )

    def _outcome(self, study: Study, monitor: Monitor, run_id: str, n_old: int) -> SearchRun:
        now = monitor.progress
        kept = kept_trials(settled_trials(study))
        if not kept:
            raise DriverError(
                f"none of the {now.finished} trials of study {self.name!r} completed; the last failed with: "
                f"{monitor.last_reason}"
            )
        values = np.array([trial.values for trial in kept])
        several, front = values.shape[1] > 1, best_trials(kept)
        best = front[balanced([trial.values for trial in front])]
        return SearchRun(
            run_id=run_id,
            study_name=self.name,
            storage=describe_storage(self.location),
            n_trials=now.finished,
            n_new=now.finished - n_old,
            n_failed=now.failed,
            n_pruned=now.pruned,
            best_trial=best.number,
            best_value=best.values[0],
            front=tuple(trial.number for trial in front),
            hypervolume=hypervolume(normalised(values), np.zeros(values.shape[1])) if several else math.nan,
            stalled=monitor.has_stalled,
            out_of_time=now.finished < now.total and monitor.is_out_of_time,
            seconds=now.seconds,
        )

    def _close_down(self, monitor: Monitor, run_id: str, error: BaseException) -> None:
        """Leaves study and store in order after an error. What goes wrong here is added to it: it is what counts."""
        interrupted = isinstance(error, KeyboardInterrupt)
        reason = "interrupted" if interrupted else f"{type(error).__name__}: {error}"
        try:
            # Opened anew: an interrupt may have come in the middle of anything.
            with opened_storage(self.location) as storage:
                study = load_study(storage, self.name)
                abandon_session(storage, study, self.session, self._names, reason)
                monitor.catch_up(study)
                release(study)
            self.store.finish_run(run_id, "interrupted" if interrupted else "failed", reason)
        except Exception as trouble:
            error.add_note(f"and while closing the study: {type(trouble).__name__}: {trouble}")

    @property
    def _names(self) -> frozenset[str]:
        return frozenset(self.space.distributions())

    @property
    def _timeout_minutes(self) -> float | None:
        return self.experiment.search.trial_timeout_minutes


def open_run(
    store: CheckpointStore, experiment: Experiment, study: Study, location: Location, evaluator: Evaluates
) -> str:
    """The run of this study in this store: the one there is, or a new one."""
    identifier = study_id(study)
    for run in store.find_runs(driver="search", data_id=evaluator.data_id):
        if run.notes.get("study_id") == identifier:
            return store.resume_run(run.run_id).run_id
    return store.begin_run(
        experiment_id=experiment.identity_for(SEARCH),
        data_id=evaluator.data_id,
        name=experiment.name,
        driver="search",
        config=experiment.model_dump(mode="json"),
        seed=experiment.seed,
        notes={
            **evaluator.notes,
            **rule_notes(experiment),
            "study": study.study_name,
            "study_id": identifier,
            "storage": describe_storage(location),
        },
    )


def default_evaluator(experiment: Experiment, prices: Prices) -> Evaluates:
    from quantsim.simulator import Evaluator

    evaluator = Evaluator(experiment, prices)
    if not experiment.search.objectives:
        evaluator.check_objective()
    return evaluator


def _given(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value
