"""The phases of a hybrid run, each a step from state to state: search, and fine-tuning by gradients."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from optuna.trial import FrozenTrial

from quantsim.checkpoints import Checkpoint, CheckpointStore, select
from quantsim.config import Experiment
from quantsim.drivers.hybrid.tuned import best_of_sets, unseen
from quantsim.drivers.loop import run_driver
from quantsim.drivers.search import SearchDriver, SearchProgress
from quantsim.drivers.search.study import settled_trials
from quantsim.drivers.search.values import trial_values
from quantsim.drivers.sgd import GradientDriver, Progress
from quantsim.ranking import TIE_METRIC, gain, rank

__all__ = ["FROM", "TUNED_FROM", "HybridProgress", "Kind", "Phase", "Rounds", "State", "Stop"]

Kind = Literal["search", "gradients"]

Stop = Literal["rounds", "no gain", "nothing new", "evaluations", "minutes"]
"""Why a run ended: all rounds are done; the last one did not help; all that could be fine-tuned was; a budget is spent."""

FROM = "from"
"""User attribute of a trial that fine-tuning put into the study; its value is "sgd"."""

TUNED_FROM = "tuned_from"
"""User attribute of such a trial: the number of the one that was fine-tuned."""


@dataclass(frozen=True)
class State:
    """What is carried from phase to phase; it follows from the trials and runs that there are, and is stored nowhere.

    Attributes:
        round: that the next phase belongs to, from 1.
        starts: the trials that the next phase fine-tunes; None where it is a search.
        trials: settled trials that the study has after the phases so far; their numbers may have gaps.
        evaluations: trials, and gradient steps times sets, so far.
        best: the highest value of any trial, as the search has it: its train objective; None before any.
        before: the same before the present round.
        gained: whether the last round raised it by more than ``hybrid.min_gain``.
        tuned: numbers of the trials that were fine-tuned.
        run_id: of the search in the store; None until this session has opened it.
    """

    round: int = 1
    starts: tuple[Checkpoint, ...] | None = None
    trials: int = 0
    evaluations: int = 0
    best: float | None = None
    before: float | None = None
    gained: bool = True
    tuned: frozenset[int] = frozenset()
    run_id: str | None = None


@dataclass(frozen=True)
class Phase:
    """What came of a phase.

    Attributes:
        round: from 1.
        kind: "search", or "gradients": fine-tuning, and the trials of what it found.
        run_id: of the store: that of the search, or of the fine-tuning.
        evaluations: trials, and gradient steps times sets.
        seconds: in this session; None where an earlier one had done it all.
        best: the highest value of any trial so far, as the search has it, which decides whether a round helped.
        objective: split → the objective of the trial that the default selection picks after the phase, among all so far.
    """

    round: int
    kind: Kind
    run_id: str
    evaluations: int
    seconds: float | None
    best: float
    objective: Mapping[str, float]


@dataclass(frozen=True)
class HybridProgress:
    """What the driver tells whoever watches.

    Attributes:
        round: from 1.
        rounds: at most.
        kind: of the phase.
        done: evaluations of the phase that are done.
        total: evaluations of the phase.
        best: the highest train objective of any trial so far, as the search has it; None before any. Fine-tuning does not
            raise it: what it finds counts once it is tried as a trial.
    """

    round: int
    rounds: int
    kind: Kind
    done: int
    total: int
    best: float | None


@dataclass(frozen=True)
class Rounds:
    """The fixed parts of a hybrid run, and its phases.

    A phase that an earlier session finished is read from study and store; one that it began goes on where it was.

    Attributes:
        search: the driver of the study, open.
        gradients: what fine-tuning follows; see :func:`~quantsim.drivers.hybrid.gradients.gradient_experiment`.
        series: in memory.
        store: of checkpoints.
        progress: called with what is reported.
        stop: asked after every step of a driver whether to leave the phase.
    """

    search: SearchDriver
    gradients: Experiment
    series: Mapping[str, Any]
    store: CheckpointStore
    progress: Callable[[HybridProgress], None] | None
    stop: Callable[[], bool]

    @property
    def experiment(self) -> Experiment:
        """Of the study."""
        return self.search.experiment

    @property
    def metric(self) -> str:
        """What decides."""
        return self.experiment.objective.name

    @property
    def method(self) -> str:
        """How the default selection picks."""
        return "best_validation" if self.experiment.periods.has_validation else "best_train"

    def check(self) -> None:
        """Raises where gradients cannot be followed."""
        self._gradient_driver(())

    def ending(self, state: State) -> Stop | None:
        """Why there is no further phase; None where there is one."""
        settings, room = self.experiment.hybrid, self._room(state)
        if state.starts is None:
            if not state.gained:
                return "no gain"
            if state.round > settings.rounds:
                return "rounds"
            return "evaluations" if room < 1 else None
        if not state.starts:
            return "nothing new"
        # Half a fine-tuning would be another one, and could not be gone on with: it is done as a whole, or not at all.
        return "evaluations" if len(state.starts) * (settings.steps + 1) > room else None

    def step(self, state: State) -> tuple[State, Phase | None]:
        """The next phase; None for one that was stopped."""
        if state.starts is None:
            return self._search(state)
        after, phase = self._tune(state, state.starts)
        if phase is None:
            return after, None
        gained = state.before is None or gain(phase.best, state.before) > self.experiment.hybrid.min_gain
        tuned = state.tuned | {start.step for start in state.starts}
        return replace(after, round=state.round + 1, starts=None, gained=gained, tuned=tuned), phase

    def tuned_from(self) -> dict[int, int]:
        """Of each trial that fine-tuning made, the number of the one that was fine-tuned."""
        attributes = {trial.number: trial.user_attrs for trial in self._settled()}
        return {number: int(found[TUNED_FROM]) for number, found in attributes.items() if TUNED_FROM in found}

    def _room(self, state: State) -> float:
        most = self.experiment.hybrid.max_evaluations
        return math.inf if most is None else most - state.evaluations

    def _search(self, state: State) -> tuple[State, Phase | None]:
        """Adds trials to the study."""
        n_trials, begun = int(min(self.experiment.hybrid.trials, self._room(state))), time.monotonic()
        target = state.trials + n_trials
        spent = len(self._settled()) < target
        state, complete = self._run_search(replace(state, before=state.best), target, "search", 0, n_trials)
        if not complete:
            return state, None
        seconds = time.monotonic() - begun if spent else None
        state, phase = self._after(state, "search", str(state.run_id), target, n_trials, seconds)
        return replace(state, starts=self._candidates(state)), phase

    def _tune(self, state: State, starts: Sequence[Checkpoint]) -> tuple[State, Phase | None]:
        """Follows gradients from trials, and tries what the deciding split chooses of each set."""
        tuning = self._run_gradients(state, starts)
        if tuning is None:
            return state, None
        run_id, tuning_s = tuning
        n_steps, found = self._found(run_id, starts)
        kept = unseen(found, [trial.params for trial in self._settled()[: state.trials]])
        target, evaluations, begun = state.trials + len(kept), n_steps + len(kept), time.monotonic()
        missing = len(self._settled()) < target
        for number, params in kept.items() if missing else ():
            self.search.enqueue(params, {FROM: "sgd", TUNED_FROM: number})
        state, complete = self._run_search(state, target, "gradients", n_steps, evaluations)
        if not complete:
            return state, None
        spent = [tuning_s] if tuning_s is not None else []
        spent += [time.monotonic() - begun] if missing else []
        seconds = sum(spent) if spent else None
        return self._after(state, "gradients", run_id, target, evaluations, seconds)

    def _candidates(self, state: State) -> tuple[Checkpoint, ...]:
        """What is to be fine-tuned next: the best trials, as the search values them, that were not yet; maybe none.

        Of trials of later phases, which a study that is resumed has, none is considered.
        """
        rows = self._rows(state, state.trials)
        fresh = [row for row in rows if row.step not in state.tuned and row.raw_is_finite]
        distinct: dict[Any, Checkpoint] = {}
        by_step = sorted(fresh, key=lambda row: row.step)
        for row in sorted(
            by_step, key=lambda row: rank(self._value(row), row.value("train", TIE_METRIC)), reverse=True
        ):
            distinct.setdefault(tuple(sorted(row.raw.items())), row)
        return tuple(distinct.values())[: self.experiment.hybrid.top]

    def _value(self, row: Checkpoint) -> float:
        """What a completed trial is worth to the search; not nan, or it would have failed."""
        return trial_values(self.experiment, row.metrics)[0]

    def _found(self, run_id: str, starts: Sequence[Checkpoint]) -> tuple[int, dict[int, dict[str, float]]]:
        """The steps that a gradient run took, times sets, and by the trial that it started from the parameters it found."""
        rows = self.store.checkpoints(run_id=run_id, metrics=[self.metric, TIE_METRIC])
        best = best_of_sets(rows, len(starts), self.method, self.metric)
        # A parameter that was left out of fine-tuning, such as a fee, is that of the start.
        humans = {starts[index].step: {**starts[index].human, **row.human} for index, row in best.items()}
        n_steps = len(starts) * max(row.step for row in rows)
        return n_steps, {number: self.search.space.from_human(human, clip=True) for number, human in humans.items()}

    def _after(
        self, state: State, kind: Kind, run_id: str, trials: int, evaluations: int, seconds: float | None
    ) -> tuple[State, Phase]:
        rows = self._rows(state, trials)
        picked = select(rows, self.method, self.metric).checkpoint
        objective = {split: table[self.metric] for split, table in picked.metrics.items() if self.metric in table}
        best = max(map(self._value, rows))
        after = replace(state, trials=trials, evaluations=state.evaluations + evaluations, best=best)
        return after, Phase(state.round, kind, run_id, evaluations, seconds, best, objective)

    def _run_search(self, state: State, target: int, kind: Kind, done_before: int, total: int) -> tuple[State, bool]:
        """Brings the study to ``target`` trials, and the store up to the study; returns whether it has them all."""
        if state.run_id is not None and len(self._settled()) >= target:
            return state, True

        def watch(progress: SearchProgress) -> None:
            done = min(done_before + max(progress.finished - state.trials, 0), total)
            self._tell(state, kind, done, total, progress.best_value)

        self.search.trials = target
        done = run_driver(self.search, self.store, progress=watch, stop=self.stop)
        return replace(state, run_id=done.run_id), done.ending is not None

    def _run_gradients(self, state: State, starts: Sequence[Checkpoint]) -> tuple[str, float | None] | None:
        """The finished gradient run from those trials, and its seconds in this session; None if it was stopped."""
        wanted = {one.raw_name for one in self.gradients.layout}
        raw = [{name: values for name, values in start.raw.items() if name in wanted} for start in starts]
        driver, n_sets = self._gradient_driver(raw), len(starts)
        for run in driver.runs(self.store):
            if run.status == "finished":
                return run.run_id, None

        def watch(progress: Progress) -> None:
            self._tell(state, "gradients", n_sets * progress.step, n_sets * (progress.steps + 1), state.best)

        done = run_driver(driver, self.store, progress=watch, stop=self.stop)
        return None if done.ending is None else (done.run_id, done.seconds)

    def _gradient_driver(self, start: Sequence[Mapping[str, Any]]) -> GradientDriver:
        named = self.gradients.series.model_dump(exclude_none=True)
        series = {name: values for name, values in self.series.items() if name in named}
        return GradientDriver(self.gradients, self.search.prices, series=series, start=start)

    def _tell(self, state: State, kind: Kind, done: int, total: int, best: float | None) -> None:
        if self.progress is not None:
            self.progress(HybridProgress(state.round, self.experiment.hybrid.rounds, kind, done, total, best))

    def _settled(self) -> list[FrozenTrial]:
        """The trials of the study that count, by number."""
        return sorted(settled_trials(self.search.study), key=lambda trial: trial.number)

    def _rows(self, state: State, trials: int) -> list[Checkpoint]:
        """The checkpoints of the first settled trials; those that failed have none."""
        numbers = {trial.number for trial in self._settled()[:trials]}
        rows = self.store.checkpoints(run_id=state.run_id, metrics=[self.metric, TIE_METRIC])
        return [row for row in rows if row.step in numbers]
