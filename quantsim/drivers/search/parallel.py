"""Several workers: each a process of its own with its own evaluator and its share of the trials."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field

import joblib

from quantsim.config import Experiment
from quantsim.drivers.search.space import SearchSpace
from quantsim.drivers.search.storage import Location, opened_storage
from quantsim.drivers.search.study import load_study, quiet_optuna
from quantsim.drivers.search.worker import Evaluates, Info, Searcher
from quantsim.errors import DriverError
from quantsim.prices import Prices

__all__ = ["Job", "run_jobs", "shares"]


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
        worker: 0 for the first, and so on.
        n_workers: in this session.
        n_trials: this worker's share.
        settled: trials that counted when the session began.
        driver: process id of the driver.
    """

    experiment: Experiment
    prices: Prices
    space: SearchSpace
    make_evaluator: Callable[[Experiment, Prices], Evaluates]
    storage: Location = field(repr=False)
    study_name: str
    worker: int
    n_workers: int
    n_trials: int
    settled: int
    driver: int


def shares(n_trials: int, n_workers: int) -> list[int]:
    """Splits trials over workers as evenly as can be; every share is at least 1, so there may be fewer.

    Example:
        >>> shares(7, 3), shares(2, 3)
        ([3, 2, 2], [1, 1])
    """
    n_workers = min(n_workers, n_trials)
    return [n_trials // n_workers + (index < n_trials % n_workers) for index in range(n_workers)]


def run_jobs(jobs: list[Job]) -> None:
    """Runs one worker per job, by joblib: new processes that share nothing, or what ``joblib.parallel_config`` names.

    Raises:
        DriverError: a worker gave up, or its process died.
    """
    # One task for each worker, so that none waits in another's queue.
    parallel = joblib.Parallel(n_jobs=len(jobs), prefer="processes", batch_size=1, pre_dispatch="all")
    try:
        parallel(joblib.delayed(_run_job)(job) for job in jobs)
    except BrokenProcessPool as error:
        raise DriverError(
            "a worker process died, by a signal or for want of memory; the trials that were finished are kept. Run the search "
            "again to go on, perhaps with fewer jobs"
        ) from error


def _run_job(job: Job) -> None:
    with quiet_optuna(), opened_storage(job.storage) as storage:
        study = load_study(storage, job.study_name)
        evaluator = job.make_evaluator(job.experiment, job.prices)
        searcher = Searcher(job.experiment, job.space, evaluator, study, job.worker, job.n_workers)
        is_child = os.getppid() == job.driver

        def stop_with_driver(_: Info) -> None:
            # A worker whose driver was killed would go on with its share, beside whoever takes the study up.
            if is_child and os.getppid() != job.driver:
                raise DriverError("the process that started this worker is gone")

        searcher.run(job.n_trials, job.settled, stop_with_driver)
