"""The hybrid driver: rounds of search and fine-tuning, until a round does not help or a budget is spent."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quantsim.checkpoints import CheckpointStore
from quantsim.config import Experiment
from quantsim.config.identity import HYBRID
from quantsim.drivers.hybrid.gradients import gradient_experiment
from quantsim.drivers.hybrid.rounds import HybridProgress, Phase, Rounds, State, Stop
from quantsim.drivers.search import SearchDriver
from quantsim.drivers.search.evaluation import default_evaluator
from quantsim.drivers.search.study import default_name, identify, quiet_optuna
from quantsim.errors import ConfigError
from quantsim.prices import PriceData
from quantsim.search_space import SearchSpace, load_search_space
from quantsim.storages.location import Location, default_storage, describe_storage
from quantsim.tracking import Tracking

__all__ = ["HybridProgress", "HybridRun", "Stop", "run_hybrid"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class HybridRun:
    """The result of a hybrid run.

    Attributes:
        run_id: run of the search in the checkpoint store, with all trials, including those of fine-tuned sets.
        study_name: name of the Optuna study.
        storage: storage of the study, without its password.
        phases: completed phases, including earlier sessions.
        stopped: reason of the end.
        trials: number of trials of the study that count.
        evaluations: trials, plus gradient steps times sets, of the completed phases.
        seconds: duration of this session in seconds.
        tuned_from: trial made by fine-tuning → number of the trial that was fine-tuned.
    """

    run_id: str
    study_name: str
    storage: str
    phases: tuple[Phase, ...]
    stopped: Stop
    trials: int
    evaluations: int
    seconds: float
    tuned_from: Mapping[int, int]

    def __repr__(self) -> str:
        counts = f"{len(self.phases)} phases, {self.trials} trials, {self.evaluations} evaluations"
        return f"HybridRun({self.study_name!r}: {counts}; ended by {self.stopped})"


def run_hybrid(
    experiment: Experiment,
    prices: PriceData | None,
    store: CheckpointStore,
    *,
    series: Mapping[str, Any] | None = None,
    storage: Location | None = None,
    jobs: int | None = None,
    group: tuple[str, int] | None = None,
    progress: Callable[[HybridProgress], None] | None = None,
    take_over: bool = False,
    tracking: Tracking | None = None,
) -> HybridRun:
    """Alternates a search and gradient training of its best trials.

    Every round adds ``hybrid.trials`` trials to a study, trains the ``hybrid.top`` best ones on train data that were not
    fine-tuned yet, and adds the best result of each on validation data as a trial to the same study, so that the sampler
    learns from it. Each phase is a separate run in the store. An interrupted run is resumed, and ends with the same trials.
    More rounds or a larger budget extend it.

    Args:
        experiment: experiment with the tables ``hybrid``, ``search``, ``sgd`` and ``objective``. ``search.trials``,
            ``search.patience``, ``search.max_minutes``, ``sgd.steps`` and ``sgd.n_parameter_sets`` are not used.
        prices: prices that cover all periods; None to load those of ``experiment.data``.
        store: store for the checkpoints.
        series: series in memory instead of files; see :class:`~quantsim.simulator.Evaluator`.
        storage: storage of the study, as in :func:`~quantsim.drivers.search.run_search`.
        jobs: number of parallel evaluations of the searches; as in :func:`~quantsim.drivers.search.run_search`.
        group: id of the group of a new run of the search in the store, and its position in it; None for none.
        progress: function that is called after every step of a search and every report of gradient training.
        take_over: whether to run a study whose lease a process on another machine holds.
        tracking: experiment trackers, with a run for the search and one for each fine-tuning; see
            :func:`quantsim.tracking.open_tracking`.

    Raises:
        ConfigError: search and gradients have no parameter in common, the search has several objectives, or settings
            contradict each other.
        DriverError: as in :func:`~quantsim.drivers.search.run_search`.
        KeyboardInterrupt: everything up to the last trial or report is stored.
    """
    begun, limit = time.monotonic(), experiment.hybrid.max_minutes

    def is_over() -> bool:
        return limit is not None and time.monotonic() - begun > 60.0 * limit

    location = default_storage(store.url) if storage is None else storage
    experiment, series = _searched(experiment), series or {}
    space = load_search_space(experiment)
    gradients = gradient_experiment(experiment, space)
    search = _search_driver(experiment, space, prices, series, location, jobs, take_over)
    rounds = Rounds(search, gradients, series, store, progress, is_over, group, tracking)
    rounds.check()
    with search:
        state, phases, stopped = _run(rounds, is_over)
        tuned_from = rounds.tuned_from()
    name = search.study_name
    logger.info("study %s: %d evaluations in %d phases, ended: %s", name, state.evaluations, len(phases), stopped)
    return HybridRun(
        run_id=str(state.run_id),
        study_name=name,
        storage=describe_storage(location),
        phases=tuple(phases),
        stopped=stopped,
        trials=state.trials,
        evaluations=state.evaluations,
        seconds=time.monotonic() - begun,
        tuned_from=tuned_from,
    )


def _search_driver(
    experiment: Experiment,
    space: SearchSpace,
    given: PriceData | None,
    series: Mapping[str, Any],
    location: Location,
    jobs: int | None,
    take_over: bool,
) -> SearchDriver:
    """Returns the driver of all searches of a run, on one evaluator and one study, whose name has the run's identity."""
    prices = experiment.prices(given, given_series=series)
    evaluator = default_evaluator(experiment, prices, series)
    with quiet_optuna():
        identity = identify(experiment, evaluator.data_id, space, HYBRID)
        name = default_name(location, f"{experiment.name}-hybrid", identity)
    return SearchDriver(
        experiment,
        prices,
        storage=location,
        study_name=name,
        series=series,
        jobs=jobs,
        take_over=take_over,
        make_evaluator=lambda *_: evaluator,
    )


def _run(rounds: Rounds, is_over: Callable[[], bool]) -> tuple[State, list[Phase], Stop]:
    """Runs phases until there is a reason to stop. The time limit is checked after this session's first progress."""
    state, phases = State(), list[Phase]()
    while (stopped := rounds.ending(state)) is None:
        if any(phase.seconds is not None for phase in phases) and is_over():
            return state, phases, "minutes"
        state, phase = rounds.step(state)
        if phase is None:
            return state, phases, "minutes"
        phases.append(phase)
    return state, phases, stopped


def _searched(experiment: Experiment) -> Experiment:
    """Returns the experiment of the searches, with the number of trials per round."""
    search = experiment.search
    if search.objectives:
        raise ConfigError(
            f"search.objectives = {list(search.objectives)}: gradients need a single objective. Remove them, and use a "
            "weighted sum in [objective.weights], or use `quantsim optuna`"
        )
    whole = search.model_copy(update={"patience": None, "max_minutes": None})
    return experiment.model_copy(update={"search": whole})
