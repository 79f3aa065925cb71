"""Several workers: each a process of its own with its own evaluator, here or on a cluster, drawing from one study."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any

import joblib
from joblib.externals.loky import ProcessPoolExecutor
from optuna.study import Study

from quantsim.config import Experiment
from quantsim.drivers.search.space import SearchSpace
from quantsim.drivers.search.storage.opened import Location, opened_storage
from quantsim.drivers.search.study import load_study, quiet_optuna, session_of, settled_trials, target_reader
from quantsim.drivers.search.workers.claims import Claimant
from quantsim.drivers.search.workers.lost import LostTrials, killed_workers
from quantsim.drivers.search.workers.worker import Evaluates, Info, Searcher
from quantsim.errors import DriverError
from quantsim.prices import Prices

__all__ = ["Job", "run_on_cluster", "run_processes"]

logger = logging.getLogger(__name__)

SPARE_DEATHS = 4
"""So many workers more than there are may die with no trial finished in between, before the search gives up."""

_LOOK_SECONDS = 30.0  # a driver looks for lost trials far more often, so that workers seldom find the same ones
_SESSION_SECONDS = 2.0
_DONE_SECONDS = 0.5
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_DEATHS_ON_CLUSTERS = {
    "distributed": ("KilledWorker", "CommClosedError"),
    "ray": ("RayActorError", "WorkerCrashedError", "NodeDiedError"),
}
"""Package → its exceptions that mean that a worker process died."""


@dataclass(frozen=True)
class Job:
    """All that a worker needs, sent to its process.

    Attributes:
        experiment: what is searched.
        prices: on which prices; the arrays travel as they are.
        space: the ranges.
        make_evaluator: makes the worker's own evaluator.
        storage: where the study is; may hold a password, so it is not shown.
        study_name: its name.
        n_trials: how many the study shall have in the end.
        session: of the driver.
        driver: process id of the driver.
    """

    experiment: Experiment
    prices: Prices
    space: SearchSpace
    make_evaluator: Callable[[Experiment, Prices], Evaluates]
    storage: Location = field(repr=False)
    study_name: str
    n_trials: int
    session: str
    driver: int


class _Deaths:
    """Counts workers that died, and ends the search where they do so without getting anything done."""

    def __init__(self, n_workers: int, study: Study) -> None:
        self._limit, self._study = n_workers + SPARE_DEATHS, study
        self._count, self._seen = 0, self._run_to_the_end()

    def _run_to_the_end(self) -> int:
        return sum(not killed_workers(trial) for trial in settled_trials(self._study))

    def add(self, error: BaseException) -> int:
        """Takes in one; returns how many trials count by now."""
        seen = self._run_to_the_end()
        self._count = 1 if seen > self._seen else self._count + 1
        self._seen = seen
        if self._count > self._limit:
            raise DriverError(
                f"{self._count} worker processes died, by a signal or for want of memory, and no trial was finished in "
                "between; what was finished is kept. Run the search again to go on, perhaps with fewer jobs"
            ) from error
        logger.warning("a worker process died, by a signal or for want of memory; another takes its place")
        return len(settled_trials(self._study))


def run_processes(job: Job, n_workers: int, study: Study, is_done: Callable[[], bool]) -> None:
    """Runs workers in new processes on this machine, which share nothing, until the study has all its trials.

    Each has a pool to itself, since a pool ends all its processes when one dies.

    Args:
        job: what they do.
        n_workers: how many.
        study: opened in this process.
        is_done: whether the study has all its trials; workers that start up then are not waited for.

    Raises:
        DriverError: a worker gave up, or processes die faster than they get anything done.
    """
    deaths = _Deaths(n_workers, study)
    threads = str(max((os.cpu_count() or 1) // n_workers, 1))
    environment = {name: os.environ.get(name, threads) for name in _THREADS}
    pools: dict[Future[None], ProcessPoolExecutor] = {}

    def start() -> None:
        pool = ProcessPoolExecutor(max_workers=1, env=environment)
        pools[pool.submit(run_job, job)] = pool

    try:
        for _ in range(n_workers):
            start()
        while pools:
            done, _ = wait(pools, _DONE_SECONDS, return_when=FIRST_COMPLETED)
            if not done and is_done():
                return
            for future in done:
                pools.pop(future).shutdown(wait=True, kill_workers=True)
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    if deaths.add(error) < job.n_trials:
                        start()
                elif error is not None:
                    raise error
    finally:
        for pool in pools.values():
            pool.shutdown(wait=True, kill_workers=True)


def run_on_cluster(job: Job, n_workers: int, study: Study) -> None:
    """Runs workers by joblib, wherever ``joblib.parallel_config`` says, until the study has all its trials.

    Raises:
        DriverError: as :func:`run_processes`.
    """
    deaths = _Deaths(n_workers, study)
    while True:
        # One task for each worker, so that none waits in another's queue.
        parallel = joblib.Parallel(n_jobs=n_workers, batch_size=1, pre_dispatch="all")
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Sending large graph")  # the prices: they have to get there
                parallel(joblib.delayed(run_job)(job) for _ in range(n_workers))
            return
        except Exception as error:
            if not _is_death(error):
                raise
            if deaths.add(error) >= job.n_trials:
                return


def run_job(job: Job) -> None:
    """One worker, in its process."""
    with quiet_optuna(), opened_storage(job.storage) as storage:
        study = load_study(storage, job.study_name)
        searcher = Searcher(job.experiment, job.space, job.make_evaluator(job.experiment, job.prices), study)
        timeout_minutes = job.experiment.search.trial_timeout_minutes
        lost = LostTrials(storage, study, frozenset(searcher.distributions), timeout_minutes, _LOOK_SECONDS)
        is_child = os.getppid() == job.driver
        looked = time.monotonic()

        def between() -> None:
            # A worker whose driver is gone would go on beside whoever takes the study up.
            nonlocal looked
            if is_child and os.getppid() != job.driver:
                raise DriverError("the process that started this worker is gone")
            if not is_child and time.monotonic() - looked > _SESSION_SECONDS:
                looked = time.monotonic()
                if session_of(study) != job.session:
                    raise DriverError("the search that started this worker has ended")
            if not is_child:  # a cluster goes on if the driver is killed
                lost.look()

        with Claimant(storage, study, job.session, timeout_minutes) as claimant:
            searcher.run(claimant, target_reader(study), _ignore, between=between)


def _ignore(_: Sequence[Info]) -> None:
    """The driver follows the study itself."""


def _is_death(error: BaseException) -> bool:
    if isinstance(error, BrokenProcessPool):
        return True
    kinds: tuple[type[Any], ...] = type(error).__mro__
    return any(kind.__name__ in _DEATHS_ON_CLUSTERS.get(kind.__module__.partition(".")[0], ()) for kind in kinds)
