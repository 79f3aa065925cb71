"""The hybrid driver: rounds of search and fine-tuning, until they no longer help or a budget is spent."""

from __future__ import annotations

import functools
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from quantsim.checkpoints import CheckpointStore
from quantsim.config import Experiment
from quantsim.config.identity import HYBRID
from quantsim.drivers.counts import checked_count
from quantsim.drivers.hybrid.gradients import gradient_experiment
from quantsim.drivers.hybrid.rounds import HybridProgress, Phase, Rounds, State
from quantsim.drivers.search import load_search_space
from quantsim.drivers.search.storage.opened import Location, default_storage, describe_storage
from quantsim.drivers.search.study import default_name, identify, quiet_optuna
from quantsim.drivers.sgd.training import Training
from quantsim.errors import ConfigError
from quantsim.limits import MOST_JOBS
from quantsim.prices import Prices
from quantsim.ranking import gain
from quantsim.simulator import Evaluator

__all__ = ["HybridProgress", "HybridRun", "Stop", "run_hybrid"]

logger = logging.getLogger(__name__)

Stop = Literal["rounds", "no gain", "nothing new", "evaluations", "minutes"]
"""Why a run ended: all rounds are done; the last one did not help; all that could be fine-tuned was; a budget is spent."""


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


class _TimeIsUp(KeyboardInterrupt):
    """The budget of minutes is spent: to the drivers inside the same as Ctrl-C, so that they leave all in order."""


def run_hybrid(
    experiment: Experiment,
    prices: Prices | None,
    store: CheckpointStore,
    *,
    storage: Location | None = None,
    jobs: int | None = None,
    progress: Callable[[HybridProgress], None] | None = None,
    take_over: bool = False,
) -> HybridRun:
    """Searches, fine-tunes the best trials by gradients, tries the results, and so on.

    Every round adds ``hybrid.trials`` trials to a study, takes the ``hybrid.top`` best on train that were not fine-tuned
    yet, follows gradients from them, and tries what validation chooses of each as a trial of the same study, which the
    sampler learns from. Each phase is a run of its own in the store. A run that was cut off is taken up; with one worker it
    ends with the trials it would have had. More rounds or a larger budget extend it.

    Args:
        experiment: its ``hybrid`` table says how much; ``search``, ``sgd`` and ``objective`` steer the phases, but for
            ``search.trials``, ``search.patience``, ``search.max_minutes``, ``sgd.steps`` and ``sgd.n_parameter_sets``.
        prices: must cover all its periods; None for those that ``experiment.data`` names.
        store: where checkpoints go.
        storage: where the study is kept, as for :func:`~quantsim.drivers.search.run_search`.
        jobs: worker processes of the searches; unless given, the experiment's.
        progress: called after every trial and every report of the gradients.
        take_over: whether to run a study that is marked as being run by a process on another machine.

    Raises:
        ConfigError: the search moves nothing that gradients could, has several objectives, or settings do not fit together.
        DriverError: as :func:`~quantsim.drivers.search.run_search`.
        KeyboardInterrupt: as raised; everything up to the last trial or report is kept.
    """
    begun = time.monotonic()
    options = {
        "jobs": checked_count("jobs", experiment.search.jobs if jobs is None else jobs, MOST_JOBS),
        "take_over": take_over,
    }
    minutes = _Minutes(experiment.hybrid.max_minutes, begun, threading.get_ident())
    location = default_storage(store.url) if storage is None else storage
    watch = functools.partial(_watch, minutes, progress)
    prices = experiment.load_prices() if prices is None else prices
    rounds = _rounds(_searched(experiment), prices, store, location, options, watch)
    phases: list[Phase] = []
    state, stopped = _loop(rounds, minutes, phases)
    logger.info(
        "study %s: %d evaluations in %d phases, ended: %s", rounds.name, state.evaluations, len(phases), stopped
    )
    return HybridRun(
        run_id=rounds.run_id or _run_of(rounds),
        study_name=rounds.name,
        storage=describe_storage(location),
        phases=tuple(phases),
        stopped=stopped,
        trials=state.trials,
        evaluations=state.evaluations,
        seconds=time.monotonic() - begun,
        tuned_from=rounds.tuned_from(),
    )


def _rounds(
    experiment: Experiment,
    prices: Prices,
    store: CheckpointStore,
    location: Location,
    options: Mapping[str, Any],
    watch: Callable[[HybridProgress], None],
) -> Rounds:
    """What all phases share; raises as :func:`run_hybrid` does, before any trial."""
    space = load_search_space(experiment)
    gradients = gradient_experiment(experiment, space)
    Training(gradients, prices)  # raises where they cannot be followed
    identity = identify(experiment, Evaluator(experiment, prices).data_id, space, HYBRID)
    with quiet_optuna():
        name = default_name(location, f"{experiment.name}-hybrid", identity)
    return Rounds(experiment, space, gradients, prices, store, location, name, options, watch)


def _loop(rounds: Rounds, minutes: _Minutes, phases: list[Phase]) -> tuple[State, Stop]:
    """Rounds until one of the reasons to stop; complete phases are added to ``phases``."""
    settings, state = rounds.experiment.hybrid, State()
    room = math.inf if settings.max_evaluations is None else settings.max_evaluations
    try:
        while True:
            before = state.best
            trials = int(min(settings.trials, room - state.evaluations))
            if trials < 1:
                return state, "evaluations"
            state, phase = rounds.search(state, trials)
            phases.append(phase)
            minutes.check()
            starts = rounds.candidates(state)
            if not starts:
                return state, "nothing new"
            # Half a fine-tuning would be another one, and could not be gone on with: it is done as a whole, or not at all.
            if state.evaluations + len(starts) * (settings.steps + 1) > room:
                return state, "evaluations"
            state, phase = rounds.fine_tune(state, starts)
            phases.append(phase)
            if before is not None and state.best is not None and gain(state.best, before) <= settings.min_gain:
                return state, "no gain"
            if state.round >= settings.rounds:
                return state, "rounds"
            minutes.check()
            state = replace(state, round=state.round + 1)
    except _TimeIsUp:
        return state, "minutes"


@dataclass(frozen=True)
class _Minutes:
    """The budget of time of one session.

    Attributes:
        limit: in minutes; None for none.
        begun: when the session began, by the monotonic clock, in seconds.
        thread: that runs the phases, and alone can end one. Several workers are watched by another, and waited for.
    """

    limit: float | None
    begun: float
    thread: int

    def check(self) -> None:
        """Raises :class:`_TimeIsUp` where it is."""
        if self.limit is not None and time.monotonic() - self.begun > 60.0 * self.limit:
            raise _TimeIsUp


def _watch(minutes: _Minutes, progress: Callable[[HybridProgress], None] | None, now: HybridProgress) -> None:
    if progress is not None:
        progress(now)
    if now.done < now.total and threading.get_ident() == minutes.thread:
        minutes.check()


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


def _run_of(rounds: Rounds) -> str:
    """The run of the search, where time was up before its first phase was complete."""
    found = [run for run in rounds.store.find_runs(driver="search") if run.notes.get("study") == rounds.name]
    return found[0].run_id
