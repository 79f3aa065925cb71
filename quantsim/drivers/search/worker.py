"""The ask-evaluate-tell loop: one worker, its state, and what it reports of each trial."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from quantsim.checkpoints.redact import redact
from quantsim.config import Experiment
from quantsim.drivers.search.records import json_number, plain_metrics, raw_parameters
from quantsim.drivers.search.sampler import trial_sampler
from quantsim.drivers.search.space import SearchSpace
from quantsim.drivers.search.study import METRICS, REASON
from quantsim.errors import DriverError

__all__ = ["MAX_FAILURES_IN_A_ROW", "Evaluates", "Info", "Searcher", "State"]

logger = logging.getLogger(__name__)

FloatArray = NDArray[np.float64]

MAX_FAILURES_IN_A_ROW = 20
"""A study all of whose trials fail ends after this many, as many as the random trials it starts with by default."""


class Evaluates(Protocol):
    """What the search asks of an evaluator; :class:`quantsim.simulator.Evaluator` is one."""

    @property
    def data_id(self) -> str:
        """Identity of the data it evaluates on."""

    @property
    def notes(self) -> Mapping[str, Any]:
        """What should be known of the results, as JSON values."""

    def evaluate(self, params: Mapping[str, FloatArray], /) -> Mapping[str, Mapping[str, float]]:
        """Raw name → (n,) to split → metric → value."""


@dataclass(frozen=True)
class State:
    """What a worker carries from trial to trial; everything else it needs is in the study.

    Attributes:
        settled: trials of the study that counted when the next one is drawn, as far as this worker's stream of random
            numbers goes: those before this session, and its own.
        failures_in_row: trials that failed since the last that did not.
    """

    settled: int
    failures_in_row: int = 0


@dataclass(frozen=True)
class Info:
    """What came of one trial.

    Attributes:
        trial: as stored.
        reason: why it failed; None if it completed.
    """

    trial: FrozenTrial
    reason: str | None


@dataclass(frozen=True)
class Searcher:
    """One worker's fixed parts.

    Attributes:
        experiment: what is searched.
        space: its ranges.
        evaluator: of this process.
        study: opened in this process.
        worker: 0 for the first, and so on.
        n_workers: in this session.
    """

    experiment: Experiment
    space: SearchSpace
    evaluator: Evaluates
    study: Study
    worker: int = 0
    n_workers: int = 1

    @functools.cached_property
    def distributions(self) -> dict[str, BaseDistribution]:
        """Trial parameter → Optuna distribution."""
        return self.space.distributions()

    def init(self, settled: int) -> State:
        """The state before the first trial of a session; ``settled`` trials of the study count already."""
        return State(settled)

    def step(self, state: State) -> tuple[State, Info]:
        """Draws a trial, evaluates it, and stores what came of it.

        The sampler is made anew from (seed, worker, trials before), so that what is drawn depends on nothing but the study:
        a study that was cut off goes on as if it had not been.
        """
        self.study.sampler = trial_sampler(
            self.experiment,
            self.distributions,
            worker=self.worker,
            n_workers=self.n_workers,
            settled=state.settled,
        )
        trial = self.study.ask()
        params = self.space.suggest(trial)
        reason, value = None, math.nan
        try:
            metrics = plain_metrics(self.evaluator.evaluate(raw_parameters(self.experiment, params)))
            value = metrics["train"][self.experiment.objective.name]
            if not math.isfinite(value):
                reason = f"train {self.experiment.objective.name} is {value}"
        except Exception as error:
            reason = redact(f"{type(error).__name__}: {error}")
            logger.warning("trial %d failed: %s", trial.number, reason, exc_info=logger.isEnabledFor(logging.DEBUG))
        if reason is not None:
            trial.set_user_attr(REASON, reason)
            stored = self.study.tell(trial, state=TrialState.FAIL)
            return State(state.settled + 1, state.failures_in_row + 1), Info(stored, reason)
        self._attach(trial, metrics)
        return State(state.settled + 1), Info(self.study.tell(trial, value), None)

    def _attach(self, trial: Trial, metrics: Mapping[str, Mapping[str, float]]) -> None:
        """Stores the metrics with the trial: all in one attribute, and those the dashboard should sort by in their own."""
        objective = self.experiment.objective.name
        trial.set_user_attr(
            METRICS, {split: {name: json_number(x) for name, x in table.items()} for split, table in metrics.items()}
        )
        for split, table in metrics.items():
            if split != "train" and objective in table:  # on train it is the trial's value
                trial.set_user_attr(f"{split} {objective}", json_number(table[objective]))

    def run(self, n_trials: int, settled: int, watch: Callable[[Info], None]) -> State:
        """Runs trials one after another; ``watch`` is called after each.

        Raises:
            DriverError: :data:`MAX_FAILURES_IN_A_ROW` trials failed one after another.
        """
        state = self.init(settled)
        for _ in range(n_trials):
            state, info = self.step(state)
            watch(info)
            if state.failures_in_row >= MAX_FAILURES_IN_A_ROW:
                raise DriverError(
                    f"{state.failures_in_row} trials of study {self.study.study_name!r} failed one after another, the last "
                    f"(trial {info.trial.number}) with: {info.reason}"
                )
        return state
