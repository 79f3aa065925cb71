"""The hybrid driver: rounds of search and fine-tuning, until they no longer help or a budget is spent."""

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
from quantsim.drivers.search.study import default_name, identify, quiet_optuna
from quantsim.errors import ConfigError
from quantsim.prices import Prices
from quantsim.search_space import load_search_space
from quantsim.simulator import Evaluator
from quantsim.storages.location import Location, default_storage, describe_storage

__all__ = ["HybridProgress", "HybridRun", "Stop", "run_hybrid"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class HybridRun:
    """How a run ended.

    Attributes:
        run_id: of the search in the checkpoint store: all trials are there, with fees, those of fine-tuned sets too.
        study_name: of the Optuna study.
        storage: where the study is, without its password.
        phases: those that are complete, earlier sessions' included.
        stopped: why there are no more.
        trials: trials of the study that count.
        evaluations: trials, and gradient steps times sets, of the complete phases.
        seconds: duration of this session.
        tuned_from: of each trial that fine-tuning made, the number of the trial that was fine-tuned.
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


def run_hybrid(
    experiment: Experiment,
    prices: Prices | None,
    store: CheckpointStore,
    *,
    series: Mapping[str, Any] | None = None,
    storage: Location | None = None,
    jobs: int | None = None,
    progress: Callable[[HybridProgress], None] | None = None,
    take_over: bool = False,
) -> HybridRun:
    """Searches, fine-tunes the best trials by gradients, tries the results, and so on.

    Every round adds ``hybrid.trials`` trials to a study, takes the ``hybrid.top`` best on train that were not fine-tuned
    yet, follows gradients from them, and tries what validation chooses of each as a trial of the same study, which the
    sampler learns from. Each phase is a run of its own in the store. A run that was cut off is resumed, and ends with the
    trials it would have had. More rounds or a larger budget extend it.

    Args:
        experiment: its ``hybrid`` table says how much; ``search``, ``sgd`` and ``objective`` steer the phases, but for
            ``search.trials``, ``search.patience``, ``search.max_minutes``, ``sgd.steps`` and ``sgd.n_parameter_sets``.
        prices: must cover all its periods; None for those that ``experiment.data`` names.
        store: where checkpoints go.
        series: in place of files that ``experiment.series`` names; see :class:`~quantsim.simulator.Evaluator`.
        storage: where the study is kept, as for :func:`~quantsim.drivers.search.run_search`.
        jobs: evaluations that the searches run at the same time; unless given, the experiment's.
        progress: called after every step of a search and every report of the gradients.
        take_over: whether to run a study that is marked as being run by a process on another machine.

    Raises:
        ConfigError: the search moves nothing that gradients could, has several objectives, or settings do not fit together.
        DriverError: as :func:`~quantsim.drivers.search.run_search`.
        KeyboardInterrupt: as raised; everything up to the last trial or report is kept.
    """
    begun, limit = time.monotonic(), experiment.hybrid.max_minutes

    def is_over() -> bool:
        return limit is not None and time.monotonic() - begun > 60.0 * limit

    location = default_storage(store.url) if storage is None else storage
    experiment, series = _searched(experiment), series or {}
    space = load_search_space(experiment)
    gradients = gradient_experiment(experiment, space)
    prices = experiment.load_prices(given_series=series) if prices is None else prices
    evaluator = Evaluator(experiment, prices, series)
    with quiet_optuna():
        identity = identify(experiment, evaluator.data_id, space, HYBRID)
        name = default_name(location, f"{experiment.name}-hybrid", identity)
    search = SearchDriver(
        experiment,
        prices,
        storage=location,
        study_name=name,
        series=series,
        jobs=jobs,
        take_over=take_over,
    )
    rounds = Rounds(search, gradients, series, store, progress, is_over)
    rounds.check()
    with search:
        state, phases, stopped = _run(rounds, is_over)
        tuned_from = rounds.tuned_from()
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


def _run(rounds: Rounds, is_over: Callable[[], bool]) -> tuple[State, list[Phase], Stop]:
    """Phases until there is a reason to stop; time is asked for as soon as this session has done something."""
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
    """The experiment as its rounds search it: for as many trials as each is to have."""
    search = experiment.search
    if search.objectives:
        raise ConfigError(
            f"search.objectives = {list(search.objectives)}: gradients follow one objective. Leave them out, and put a "
            "weighted sum into [objective.weights], or use `quantsim optuna`"
        )
    whole = search.model_copy(update={"patience": None, "max_minutes": None})
    return experiment.model_copy(update={"search": whole})
