"""The search driver: makes or takes up a study, runs its trials, and keeps the checkpoint store in step."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from optuna.storages import BaseStorage
from optuna.study import Study

from quantsim.checkpoints import CheckpointStore
from quantsim.config import Experiment
from quantsim.drivers.search.monitor import Monitor, SearchProgress, polling
from quantsim.drivers.search.parallel import Job, run_jobs, shares
from quantsim.drivers.search.records import Recorder
from quantsim.drivers.search.space import SearchSpace
from quantsim.drivers.search.space_file import load_search_space
from quantsim.drivers.search.storage import Location, default_storage, describe_storage, opened_storage
from quantsim.drivers.search.study import (
    StudyIdentity,
    abandon_running,
    hold,
    identify,
    load_study,
    open_study,
    quiet_optuna,
    release,
    settled_trials,
    study_id,
)
from quantsim.drivers.search.worker import Evaluates, Searcher
from quantsim.errors import DriverError
from quantsim.prices import Prices

__all__ = ["SearchRun", "run_search"]

logger = logging.getLogger(__name__)

MakeEvaluator = Callable[[Experiment, Prices], Evaluates]

_LOST = "the process that ran it is gone"


@dataclass(frozen=True)
class SearchRun:
    """How a search ended.

    Attributes:
        run_id: of the checkpoint store.
        study_name: of the study.
        storage: where the study is, without its password.
        n_trials: trials of the study that count, failed ones and earlier sessions' included.
        n_failed: those that failed, each with its reason in the study.
        best_trial: number of the trial with the highest objective.
        best_value: that objective.
        seconds: duration of this session.
    """

    run_id: str
    study_name: str
    storage: str
    n_trials: int
    n_failed: int
    best_trial: int
    best_value: float
    seconds: float


def run_search(
    experiment: Experiment,
    prices: Prices,
    store: CheckpointStore,
    *,
    storage: Location | None = None,
    study_name: str | None = None,
    jobs: int | None = None,
    trials: int | None = None,
    enqueue: Iterable[Mapping[str, Any]] = (),
    progress: Callable[[SearchProgress], None] | None = None,
    take_over: bool = False,
    make_evaluator: MakeEvaluator | None = None,
) -> SearchRun:
    """Searches for the parameters with the highest train objective; a study that was cut off is taken up.

    Each completed trial is also a checkpoint of the store, its number the step. With one worker the trials depend on the
    experiment and the prices alone, however often the study was cut off; with several also on who was faster.

    Args:
        experiment: its ``search`` and ``objective`` tables steer the search.
        prices: must cover all its periods.
        store: where checkpoints go.
        storage: where the study is kept: a path ending in ``.journal``, ``.log``, ``.db``, ``.sqlite`` or ``.sqlite3``, or a
            database URL; unless given, a journal file beside the store.
        study_name: unless given, the experiment's name and a hash of everything that tells studies apart.
        jobs: worker processes; unless given, the experiment's.
        trials: how many trials the study shall have in the end; unless given, the experiment's.
        enqueue: human-readable parameters to be tried first, such as those of checkpoints. Sets that the study has are
            passed over.
        progress: called after every trial, or twice a second with several workers (then from another thread).
        take_over: whether to run a study that is marked as being run by a process on another machine.
        make_evaluator: called with experiment and prices, here and in every worker, so it must be importable there;
            :class:`quantsim.simulator.Evaluator` unless given.

    Raises:
        ConfigError: the search space is not valid, or there is nothing to search.
        ParameterError: a set of ``enqueue`` does not fit the search space.
        DriverError: the study is of something else or in use, its storage cannot be opened, all trials fail, or a worker
            died.
        KeyboardInterrupt: as raised; completed trials are kept, and the run is marked as interrupted.
    """
    n_trials = _count("trials", experiment.search.trials if trials is None else trials)
    n_jobs = _count("jobs", experiment.search.jobs if jobs is None else jobs)
    space = load_search_space(experiment)
    queue = [space.from_human(params) for params in enqueue]
    make_evaluator = make_evaluator or _default_evaluator
    evaluator = make_evaluator(experiment, prices)
    identity = identify(experiment, evaluator.data_id, space)
    name = study_name or f"{experiment.name}-{identity.digest[:8]}"
    location = default_storage(store.location) if storage is None else storage
    search = _Search(experiment, prices, space, evaluator, make_evaluator, store, location, name, identity)
    with quiet_optuna():
        return search.run(n_trials, n_jobs, queue, progress, take_over=take_over)


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

    def run(
        self,
        n_trials: int,
        n_jobs: int,
        queue: list[dict[str, float]],
        progress: Callable[[SearchProgress], None] | None,
        *,
        take_over: bool,
    ) -> SearchRun:
        with opened_storage(self.location) as storage:
            study = open_study(storage, self.name, self.identity)
            hold(study, take_over=take_over)
            run_id = self._run_id(study)
            monitor = Monitor(Recorder(self.store, run_id, self.experiment, self.space), n_trials, progress)
            try:
                self._prepare(storage, study, queue)
                monitor.catch_up(study)
                self._work(study, monitor, n_jobs)
                monitor.catch_up(study)
                outcome = self._outcome(monitor, run_id)
            except BaseException as error:
                self._close_down(monitor, run_id, error)
                raise
            self.store.finish_run(run_id, "finished")
            release(study)
        return outcome

    def _prepare(self, storage: BaseStorage, study: Study, queue: list[dict[str, float]]) -> None:
        """Cleans up after a kill, and puts what is to be tried first into the queue."""
        lost = abandon_running(storage, study, self._names, _LOST)
        if lost:
            logger.info("study %s: %d trials were cut off, and are run again", self.name, lost)
        for params in queue:
            study.enqueue_trial(params, skip_if_exists=True)

    def _work(self, study: Study, monitor: Monitor, n_jobs: int) -> None:
        """Runs the trials that are missing, here or in worker processes."""
        settled = len(settled_trials(study))
        missing = monitor.progress.total - settled
        if missing <= 0:
            return
        quotas = shares(missing, n_jobs)
        if len(quotas) == 1:
            searcher = Searcher(self.experiment, self.space, self.evaluator, study)
            searcher.run(missing, settled, lambda info: monitor.observe(info.trial))
            return
        parts = (self.experiment, self.prices, self.space, self.make_evaluator, self.location, self.name)
        workers = [Job(*parts, worker, len(quotas), quota, settled, os.getpid()) for worker, quota in enumerate(quotas)]
        with polling(monitor, self.location, self.name):
            run_jobs(workers)

    def _outcome(self, monitor: Monitor, run_id: str) -> SearchRun:
        now = monitor.progress
        if now.best_value is None or now.best_trial is None:
            raise DriverError(
                f"none of the {now.finished} trials of study {self.name!r} completed; the last failed with: "
                f"{monitor.last_reason}"
            )
        shown = describe_storage(self.location)
        return SearchRun(
            run_id, self.name, shown, now.finished, now.failed, now.best_trial, now.best_value, now.seconds
        )

    def _run_id(self, study: Study) -> str:
        """The run of this study in this store: the one there is, or a new one."""
        identifier = study_id(study)
        data_id = self.identity.data_id
        for run in self.store.find_runs(driver="search", data_id=data_id):
            if run.notes.get("study_id") == identifier:
                return self.store.resume_run(run.run_id).run_id
        return self.store.begin_run(
            experiment_id=self.experiment.identity,
            data_id=data_id,
            name=self.experiment.name,
            driver="search",
            config=self.experiment.model_dump(mode="json"),
            seed=self.experiment.seed,
            notes={
                **self.evaluator.notes,
                "study": self.name,
                "study_id": identifier,
                "storage": describe_storage(self.location),
            },
        )

    def _close_down(self, monitor: Monitor, run_id: str, error: BaseException) -> None:
        """Leaves study and store in order after an error. What goes wrong here is added to it: it is what counts."""
        interrupted = isinstance(error, KeyboardInterrupt)
        reason = "interrupted" if interrupted else f"{type(error).__name__}: {error}"
        try:
            # Opened anew: an interrupt may have come in the middle of anything.
            with opened_storage(self.location) as storage:
                study = load_study(storage, self.name)
                abandon_running(storage, study, self._names, reason)
                monitor.catch_up(study)
                release(study)
            self.store.finish_run(run_id, "interrupted" if interrupted else "failed", reason)
        except Exception as trouble:
            error.add_note(f"and while closing the study: {type(trouble).__name__}: {trouble}")

    @property
    def _names(self) -> frozenset[str]:
        return frozenset(self.space.distributions())


def _default_evaluator(experiment: Experiment, prices: Prices) -> Evaluates:
    from quantsim.simulator import Evaluator

    return Evaluator(experiment, prices)


def _count(what: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise DriverError(f"{what} = {value!r} must be a whole number, at least 1")
    return value
