"""The loop of one worker: claim a trial, draw it, evaluate it, store what came of it."""

from __future__ import annotations

import functools
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import BasePruner
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from quantsim.checkpoints.redact import redact
from quantsim.config import Experiment
from quantsim.drivers.search.claims import Claim, Claimant, Turn
from quantsim.drivers.search.dashboard import dashboard_attributes
from quantsim.drivers.search.pruner import make_pruner
from quantsim.drivers.search.records import json_number, plain_metrics, raw_parameters
from quantsim.drivers.search.sampler import TrialSampler, trial_sampler
from quantsim.drivers.search.space import SearchSpace
from quantsim.drivers.search.study import METRICS, REASON, is_void
from quantsim.drivers.search.values import constraint_values, trial_values, unfit
from quantsim.errors import DriverError

__all__ = ["MAX_FAILURES_IN_A_ROW", "Evaluates", "Info", "Searcher", "State"]

logger = logging.getLogger(__name__)

FloatArray = NDArray[np.float64]

MAX_FAILURES_IN_A_ROW = 20
"""A study all of whose trials fail ends after this many, as many as the random trials it starts with by default."""


_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0  # while others have the last trials


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

    def evaluate_blocks(self, params: Mapping[str, FloatArray], n_blocks: int, /) -> Iterator[float]:
        """The objective over each block of the training period; asked for only where trials are pruned."""


@dataclass(frozen=True)
class State:
    """What a worker carries from trial to trial; everything else it needs is in the study.

    Attributes:
        settled: trials of the study that counted when the next one is drawn: those before this session, and its own.
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

    @property
    def counts(self) -> bool:
        """Whether it is one of the study's trials; not if this worker was taken for lost, and the trial given to another."""
        return not is_void(self.trial)


@dataclass(frozen=True)
class Searcher:
    """One worker's fixed parts.

    Attributes:
        experiment: what is searched.
        space: its ranges.
        evaluator: of this process.
        study: opened in this process.
    """

    experiment: Experiment
    space: SearchSpace
    evaluator: Evaluates
    study: Study

    @functools.cached_property
    def distributions(self) -> dict[str, BaseDistribution]:
        """Trial parameter → Optuna distribution."""
        return self.space.distributions()

    def init(self, settled: int) -> State:
        """The state before the first trial of a session; ``settled`` trials of the study count already."""
        return State(settled)

    def step(self, state: State, claim: Claim | None = None) -> tuple[State, Info]:
        """Draws a trial, evaluates it, and stores what came of it.

        The sampler is made anew for each trial. While one worker has the study to itself, its seed comes from the number of
        trials before, so that what is drawn depends on nothing but the study: one that was cut off goes on as if it had not
        been. Of several workers, each takes the trial's number, which no two share.

        Args:
            state: of this worker.
            claim: the trial to run; unless given, the study is asked for one.
        """
        self.study.sampler, self.study.pruner = self._sampler(state, claim), self._pruner
        try:
            return self._run_trial(state, self.study.ask() if claim is None else Trial(self.study, claim.trial_id))
        except UpdateFinishedTrialError:
            if claim is None:
                raise
            return state, Info(self.study.get_trials(deepcopy=False)[claim.number], "it was given to another worker")

    @functools.cached_property
    def _pruner(self) -> BasePruner:
        return make_pruner(self.experiment.search)

    def _sampler(self, state: State, claim: Claim | None) -> TrialSampler:
        make = functools.partial(trial_sampler, self.experiment, self.distributions)
        if claim is None or claim.alone:
            return make(worker=0, n_workers=1, settled=state.settled)
        # Two stands for "several": how many there are, nobody knows.
        return make(worker=1, n_workers=2, settled=claim.number, index=claim.number)

    def _run_trial(self, state: State, trial: Trial) -> tuple[State, Info]:
        reason: str | None = None
        try:
            raw = raw_parameters(self.experiment, self.space.suggest(trial))
            if self._is_pruned(trial, raw):
                return State(state.settled + 1), Info(self._tell(trial, TrialState.PRUNED), None)
            metrics = plain_metrics(self.evaluator.evaluate(raw))
            reason = unfit(self.experiment, metrics)
        except Exception as error:
            reason = redact(f"{type(error).__name__}: {error}")
            logger.warning("trial %d failed: %s", trial.number, reason, exc_info=logger.isEnabledFor(logging.DEBUG))
        if reason is not None:
            trial.set_user_attr(REASON, reason)
            return State(state.settled + 1, state.failures_in_row + 1), Info(self._tell(trial, TrialState.FAIL), reason)
        self._attach(trial, metrics)
        for name, value in constraint_values(self.experiment, metrics).items():
            trial.set_constraint(name, value)
        values = trial_values(self.experiment, metrics)
        return State(state.settled + 1), Info(self.study.tell(trial, values, skip_if_finished=True), None)

    def _tell(self, trial: Trial, state: TrialState) -> FrozenTrial:
        return self.study.tell(trial, state=state, skip_if_finished=True)

    def _is_pruned(self, trial: Trial, raw: Mapping[str, FloatArray]) -> bool:
        """Whether the pruner gives the trial up, by the mean of the objective over the first blocks of the training period."""
        search = self.experiment.search
        if search.pruner == "none":
            return False
        total = 0.0
        for block, value in enumerate(self.evaluator.evaluate_blocks(raw, search.prune_blocks)):
            total += value
            if not math.isfinite(total):
                return False  # the whole will tell why
            trial.report(total / (block + 1), block)
            if trial.should_prune():
                return True
        return False

    def _attach(self, trial: Trial, metrics: Mapping[str, Mapping[str, float]]) -> None:
        """Stores the metrics with the trial: all in one attribute, and those the dashboard should sort by in their own."""
        trial.set_user_attr(
            METRICS, {split: {name: json_number(x) for name, x in table.items()} for split, table in metrics.items()}
        )
        for name, value in dashboard_attributes(metrics, self.experiment.objective.name).items():
            trial.set_user_attr(name, value)

    def run(
        self,
        claimant: Claimant,
        target: Callable[[], int],
        watch: Callable[[Info], None],
        *,
        settled: int = 0,
        limit: int | None = None,
        between: Callable[[], object] = lambda: None,
    ) -> int:
        """Runs trials one after another, until the study has all it shall have.

        Args:
            claimant: gets the trials.
            target: says how many the study shall have.
            watch: called after each trial that counts.
            settled: trials of the study that count already.
            limit: how many trials to run at most.
            between: called before each trial, and while others have the last ones.

        Returns:
            How many it ran.

        Raises:
            DriverError: :data:`MAX_FAILURES_IN_A_ROW` trials failed one after another.
        """
        state, count, pause_s = self.init(settled), 0, _FIRST_PAUSE_S
        while limit is None or count < limit:
            between()
            claim = claimant.take(target())
            if claim is Turn.DONE:
                break
            if isinstance(claim, Turn):
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            pause_s = _FIRST_PAUSE_S
            state, info = self.step(state, claim)
            claimant.done()
            if not info.counts:
                logger.warning("trial %d was taken for lost, and given to another worker", claim.number)
                continue
            count += 1
            watch(info)
            if state.failures_in_row >= MAX_FAILURES_IN_A_ROW:
                raise DriverError(
                    f"{state.failures_in_row} trials of study {self.study.study_name!r} failed one after another, the last "
                    f"(trial {info.trial.number}) with: {info.reason}"
                )
        return count
