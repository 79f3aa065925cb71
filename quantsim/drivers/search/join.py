"""A worker that joins a study from anywhere: all it is told is where the study is kept and what it is called."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from optuna.storages import BaseStorage
from optuna.study import Study

from quantsim.checkpoints import CheckpointStore
from quantsim.config import Experiment
from quantsim.drivers.counts import checked_count
from quantsim.drivers.search.driver import MakeEvaluator, default_evaluator, open_run
from quantsim.drivers.search.monitor import Monitor, SearchProgress
from quantsim.drivers.search.records import Recorder
from quantsim.drivers.search.samplers.named import check_sampler
from quantsim.drivers.search.space_file import load_search_space
from quantsim.drivers.search.storage.opened import Location, describe_storage, is_missing, opened_storage
from quantsim.drivers.search.study import (
    check_same_task,
    identify,
    load_study,
    open_experiment,
    quiet_optuna,
    session_of,
    settled_trials,
    target_of,
    target_reader,
)
from quantsim.drivers.search.values import objective_names
from quantsim.drivers.search.workers.claims import Claimant
from quantsim.drivers.search.workers.lost import LostTrials, abandon_session
from quantsim.drivers.search.workers.worker import Info, Searcher
from quantsim.errors import DriverError
from quantsim.limits import MOST_TRIALS
from quantsim.prices import Prices

__all__ = ["WorkerRun", "join_study"]

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 5.0


@dataclass(frozen=True)
class WorkerRun:
    """How a worker's time with a study ended.

    Attributes:
        study_name: of the study.
        storage: where it is kept, without its password.
        n_trials: trials this worker ran.
        finished: trials of the study that count.
        total: how many it shall have.
        run_id: of the store that trials were copied to; None without one.
        seconds: since the worker joined.
    """

    study_name: str
    storage: str
    n_trials: int
    finished: int
    total: int
    run_id: str | None
    seconds: float


def join_study(
    storage: Location,
    study_name: str,
    *,
    trials: int | None = None,
    store: CheckpointStore | None = None,
    settings: Iterable[str] = (),
    rule_files: Iterable[str | Path] = (),
    progress: Callable[[SearchProgress], None] | None = None,
    make_evaluator: MakeEvaluator | None = None,
) -> WorkerRun:
    """Runs trials of a study that a driver has made, beside it and any number of others, or after it is gone.

    The experiment is read from the study, the prices from this machine. A driver that runs, or the next one that does, copies
    the trials into its store.

    Args:
        storage: where the study is kept, as for :func:`~quantsim.drivers.search.run_search`.
        study_name: its name there.
        trials: how many to run at most; unless given, until the study has all it shall have.
        store: a checkpoint store that gets the study's trials as they come.
        settings: ``key=value``, for what lies elsewhere on this machine: ``data.source``, ``series...``, ``search.space``.
        rule_files: files of users' rules that the study names; they are run here, and must be those of the driver.
        progress: called after every trial of this worker.
        make_evaluator: called with experiment and prices; :class:`quantsim.simulator.Evaluator` unless given.

    Raises:
        ConfigError: the experiment does not fit this version or this machine's files.
        PriceError: the prices cannot be loaded.
        DriverError: there is no such study, the prices here are others, or trials fail one after another.
        KeyboardInterrupt: as raised; the trial at hand goes back to the queue.
    """
    if trials is not None:
        checked_count("trials", trials, MOST_TRIALS)
    if is_missing(storage):
        raise DriverError(
            f"there is no file {describe_storage(storage)}, so no study to join: a driver makes both, such as `quantsim optuna`"
        )
    begun = time.monotonic()
    with quiet_optuna(), opened_storage(storage) as opened:
        study = load_study(opened, study_name)
        experiment = open_experiment(study, rule_files).override(list(settings))
        prices = experiment.load_prices()
        member = _member(experiment, prices, study, make_evaluator or default_evaluator)
        run_id, recorder = None, None
        if store is not None:
            run_id = open_run(store, experiment, study, storage, member.evaluator)
            recorder = Recorder(store, run_id, experiment, member.space)
        monitor = Monitor(recorder, target_of(study), progress)
        n_trials = _work(opened, member, trials, monitor)
        monitor.catch_up(study)
        finished, total = len(settled_trials(study)), target_of(study)
        if store is not None and run_id is not None and session_of(study) is None:
            store.finish_run(run_id, "finished" if finished >= total else "interrupted")
    seconds = time.monotonic() - begun
    return WorkerRun(study_name, describe_storage(storage), n_trials, finished, total, run_id, seconds)


def _member(experiment: Experiment, prices: Prices, study: Study, make_evaluator: MakeEvaluator) -> Searcher:
    """The worker's fixed parts, once it is sure that they are those of the study."""
    space = load_search_space(experiment)
    check_sampler(experiment.search, space.distributions(), len(objective_names(experiment)))
    evaluator = make_evaluator(experiment, prices)
    check_same_task(study, identify(experiment, evaluator.data_id, space))
    return Searcher(experiment, space, evaluator, study)


def _work(storage: BaseStorage, member: Searcher, limit: int | None, monitor: Monitor) -> int:
    """Runs trials; returns how many."""
    study, names = member.study, frozenset(member.distributions)
    timeout_minutes = member.experiment.search.trial_timeout_minutes
    lost = LostTrials(storage, study, names, timeout_minutes, _LOOK_SECONDS)
    session = uuid.uuid4().hex

    def watch(_: Sequence[Info]) -> None:
        monitor.catch_up(study)

    try:
        with Claimant(storage, study, session, timeout_minutes) as claimant:
            return member.run(claimant, target_reader(study), watch, limit=limit, between=lost.look)
    except BaseException as error:
        reason = "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
        try:
            abandon_session(storage, study, session, names, reason)
        except Exception as trouble:
            error.add_note(f"and while giving the trial back: {type(trouble).__name__}: {trouble}")
        raise
