"""The loop of one worker: claim trials, draw them, evaluate them, store what came of them."""

from __future__ import annotations

import functools
import itertools
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from quantsim.drivers.search.note import dashboard_attributes
from quantsim.drivers.search.pruner import make_pruner
from quantsim.drivers.search.records import json_number, plain_metrics
from quantsim.drivers.search.samplers.generations import batch_width, ends_batch
from quantsim.drivers.search.samplers.named import TrialSampler, trial_sampler
from quantsim.drivers.search.space import SearchSpace
from quantsim.drivers.search.study import METRICS, REASON, is_void
from quantsim.drivers.search.values import constraint_values, trial_values, unfit
from quantsim.drivers.search.workers.claims import Claim, Claimant, Turn
from quantsim.drivers.search.workers.lost import is_suspect
from quantsim.errors import DriverError

__all__ = ["MAX_FAILURES_IN_A_ROW", "Evaluates", "Info", "Searcher", "State"]

logger = logging.getLogger(__name__)

FloatArray = NDArray[np.float64]
RawParams = Mapping[str, FloatArray]
Metrics = Mapping[str, Mapping[str, float]]

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

    @property
    def sets_per_call(self) -> int:
        """How many parameter sets are worth to be evaluated in one call; with 1, there is none of several."""

    def evaluate(self, params: RawParams, /) -> Metrics:
        """Raw name → (n,) to split → metric → value."""

    def evaluate_many(self, sets: RawParams, /) -> Mapping[str, Mapping[str, FloatArray]]:
        """Raw name → (S, n) to split → metric → (S,); asked for only where whole generations are drawn."""

    def evaluate_blocks(self, params: RawParams, n_blocks: int, /) -> Iterator[float]:
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


@dataclass
class _Drawn:
    """A trial on its way; ``reason`` says why it goes no further, if it does not."""

    trial: Trial
    sampler: TrialSampler
    raw: RawParams | None = None
    metrics: Metrics | None = None
    pruned: bool = False
    reason: str | None = None

    @functools.cached_property  # the storage is asked for it
    def is_suspect(self) -> bool:
        """Whether it may end its process; see :func:`~quantsim.drivers.search.workers.lost.is_suspect`."""
        return is_suspect(self.trial.user_attrs)

    def fail(self, error: Exception) -> None:
        """Notes why the trial fails."""
        self.reason = redact(f"{type(error).__name__}: {error}")
        debugged = logger.isEnabledFor(logging.DEBUG)
        logger.warning("trial %d failed: %s", self.trial.number, self.reason, exc_info=error if debugged else None)


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

    def step(self, state: State, claims: Iterator[Claim]) -> tuple[State, list[Info]]:
        """Draws a trial, or as many as can be drawn before one is known; evaluates them, and stores what came of them.

        The sampler is made anew for each trial. While one worker has the study to itself, its seed comes from the number of
        trials before, so that what is drawn depends on nothing but the study: one that was cut off goes on as if it had not
        been. Of several workers, each takes the trial's number, which no two share.

        Trials of one generation are evaluated in one call, always of the same width, whose lanes do not touch one another:
        so it does not matter to the numbers where a study was cut off.

        Args:
            state: of this worker.
            claims: the trials to run; no more are taken than are run. Where there are none, nothing is done.
        """
        drawn: list[_Drawn] = []
        width, together = self._width, self._width > 1
        for claim in claims:
            index = state.settled + len(drawn)
            drawn.append(self._draw(State(index), claim))
            together = together and claim.alone
            if not together or len(drawn) == width or drawn[-1].is_suspect:
                break
            if ends_batch(self.study, drawn[-1].sampler.sampler, claim.number, index, width):
                break
        if together:
            self._evaluate_together([one for one in drawn if not one.is_suspect], width)
            self._evaluate_together([one for one in drawn if one.is_suspect], width)
        for one in drawn:
            self._evaluate(one)
        infos = []
        for one in drawn:
            state, info = self._settle(state, one)
            infos.append(info)
        return state, infos

    @functools.cached_property
    def _pruner(self) -> BasePruner:
        return make_pruner(self.experiment.search)

    @functools.cached_property
    def _width(self) -> int:
        """How many trials are evaluated in one call, at most."""
        return batch_width(self.experiment.search, len(self.distributions), self.evaluator.sets_per_call)

    def _sampler(self, state: State, claim: Claim) -> TrialSampler:
        make = functools.partial(trial_sampler, self.experiment, self.distributions)
        if claim.alone:
            return make(worker=0, n_workers=1, settled=state.settled)
        # Two stands for "several": how many there are, nobody knows.
        return make(worker=1, n_workers=2, settled=claim.number, index=claim.number)

    def _draw(self, state: State, claim: Claim) -> _Drawn:
        sampler = self._sampler(state, claim)
        self.study.sampler, self.study.pruner = sampler, self._pruner
        drawn = _Drawn(Trial(self.study, claim.trial_id), sampler)
        try:
            drawn.raw = self.experiment.initial_parameters(self.space.suggest(drawn.trial))
        except DriverError:  # of the storage, and no fault of the trial
            raise
        except Exception as error:
            drawn.fail(error)
        return drawn

    def _evaluate_together(self, drawn: Sequence[_Drawn], width: int) -> None:
        """Evaluates trials in one call; where that fails, none, and each has to be evaluated by itself, to find which."""
        fit = [(one, one.raw) for one in drawn if one.raw is not None]
        if not fit:
            return
        sets = [raw for _, raw in fit]
        filled = [*sets, *[sets[-1]] * (width - len(sets))]  # one compiled program, however many there are
        try:
            tables = self.evaluator.evaluate_many({name: np.stack([raw[name] for raw in filled]) for name in sets[0]})
        except Exception as error:
            logger.debug("%d trials could not be evaluated in one call: %s", len(sets), error)
            return
        for lane, (one, _) in enumerate(fit):
            self._take_in(
                one, {split: {name: row[lane] for name, row in table.items()} for split, table in tables.items()}
            )

    def _evaluate(self, drawn: _Drawn) -> None:
        """Evaluates a trial, unless that is done, it cannot be, or the pruner gives it up."""
        if drawn.raw is None or drawn.metrics is not None:
            return
        self.study.sampler = drawn.sampler
        try:
            drawn.pruned = self._is_pruned(drawn.trial, drawn.raw)
            if not drawn.pruned:
                self._take_in(drawn, self.evaluator.evaluate(drawn.raw))
        except DriverError:
            raise
        except Exception as error:
            drawn.fail(error)

    def _take_in(self, drawn: _Drawn, metrics: Metrics) -> None:
        drawn.metrics = plain_metrics(metrics)
        drawn.reason = unfit(self.experiment, drawn.metrics)

    def _settle(self, state: State, drawn: _Drawn) -> tuple[State, Info]:
        """Stores what came of a trial."""
        self.study.sampler = drawn.sampler
        try:
            return self._store(state, drawn)
        except UpdateFinishedTrialError:
            stored = self.study.get_trials(deepcopy=False)[drawn.trial.number]
            return state, Info(stored, "it was given to another worker")

    def _store(self, state: State, drawn: _Drawn) -> tuple[State, Info]:
        trial, metrics = drawn.trial, drawn.metrics
        after = State(state.settled + 1)
        if drawn.pruned:
            return after, Info(self._tell(trial, TrialState.PRUNED), None)
        if metrics is None or drawn.reason is not None:
            trial.set_user_attr(REASON, drawn.reason)
            after = State(after.settled, state.failures_in_row + 1)
            return after, Info(self._tell(trial, TrialState.FAIL), drawn.reason)
        self._attach(trial, metrics)
        for name, value in constraint_values(self.experiment, metrics).items():
            trial.set_constraint(name, value)
        values = trial_values(self.experiment, metrics)
        return after, Info(self.study.tell(trial, values, skip_if_finished=True), None)

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
            if math.isnan(total):
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
        watch: Callable[[Sequence[Info]], None],
        *,
        settled: int = 0,
        limit: int | None = None,
        between: Callable[[], object] = lambda: None,
    ) -> int:
        """Runs trials, until the study has all it shall have.

        Args:
            claimant: gets the trials.
            target: says how many the study shall have.
            watch: told what came of the trials that count, after each step.
            settled: trials of the study that count already.
            limit: how many trials to run at most.
            between: called before each step, and while others have the last trials.

        Returns:
            How many it ran.

        Raises:
            DriverError: :data:`MAX_FAILURES_IN_A_ROW` trials failed one after another.
        """
        state, count, pause_s = self.init(settled), 0, _FIRST_PAUSE_S
        while limit is None or count < limit:
            between()
            left = None if limit is None else limit - count
            state, infos = self.step(state, itertools.islice(claimant.claims(target), left))
            claimant.done()
            if not infos:
                if claimant.turn is Turn.DONE:
                    break
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            pause_s = _FIRST_PAUSE_S
            for info in infos:
                if not info.counts:
                    logger.warning("trial %d was taken for lost, and given to another worker", info.trial.number)
            counted = [info for info in infos if info.counts]
            count += len(counted)
            watch(counted)
            if state.failures_in_row >= MAX_FAILURES_IN_A_ROW:
                raise DriverError(
                    f"{state.failures_in_row} trials of study {self.study.study_name!r} failed one after another, the last "
                    f"(trial {infos[-1].trial.number}) with: {infos[-1].reason}"
                )
        return count
