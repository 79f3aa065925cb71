"""The phases of a hybrid run: search, and fine-tuning by gradients. Each is a step from state to state."""

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
from quantsim.tracking import Tracking

__all__ = ["FROM", "TUNED_FROM", "HybridProgress", "Kind", "Phase", "Rounds", "State", "Stop"]

Kind = Literal["search", "gradients"]

Stop = Literal["rounds", "no gain", "nothing new", "evaluations", "minutes"]
"""Why a run ended: all rounds are done, the last one did not help, no trial is left to fine-tune, or a budget is spent."""

FROM = "from"
"""User attribute of a trial that fine-tuning added to the study; its value is "sgd"."""

TUNED_FROM = "tuned_from"
"""User attribute of such a trial: the number of the trial that was fine-tuned."""


@dataclass(frozen=True)
class State:
    """The state between phases. It is derived from stored trials and runs, and not stored itself.

    Attributes:
        round: round of the next phase, from 1.
        starts: the trials that the next phase fine-tunes; None if it is a search.
        trials: number of settled trials of the study; their numbers may have gaps.
        evaluations: trials, plus gradient steps times sets, so far.
        best: the highest value (train objective) of all trials; None before the first one.
        before: the same before the current round.
        gained: whether the last round increased it by more than ``hybrid.min_gain``.
        tuned: numbers of the trials that were fine-tuned.
        run_id: run of the search in the store; None until this session has opened it.
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
    """The result of a phase.

    Attributes:
        round: number of the round, from 1.
        kind: "search", or "gradients" for fine-tuning and the trials of its results.
        run_id: run of the search or of the fine-tuning in the store.
        evaluations: trials, plus gradient steps times sets.
        seconds: duration in this session in seconds; None if an earlier session did all of it.
        best: the highest value (train objective) of all trials so far, which decides whether a round helped.
        objective: split → objective of the trial that the default selection selects after the phase.
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
    """The progress of a hybrid run.

    Attributes:
        round: number of the round, from 1.
        rounds: largest number of rounds.
        kind: kind of the phase.
        done: completed evaluations of the phase.
        total: all evaluations of the phase.
        best: the highest train objective of all trials so far; None before the first one. Results of fine-tuning count after
            they have become trials.
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

    A phase that an earlier session finished is read from study and store. An unfinished phase is resumed.

    Attributes:
        search: the driver of the search, open.
        gradients: experiment for fine-tuning; see :func:`~quantsim.drivers.hybrid.gradients.gradient_experiment`.
        series: series in memory.
        store: store of checkpoints.
        progress: function that is called with every report.
        stop: function that is called after every step of a driver, and returns whether to stop the phase.
        group: group of a new run of the search, and its position in it; None for none.
        tracking: experiment trackers; None for none.
    """

    search: SearchDriver
    gradients: Experiment
    series: Mapping[str, Any]
    store: CheckpointStore
    progress: Callable[[HybridProgress], None] | None
    stop: Callable[[], bool]
    group: tuple[str, int] | None = None
    tracking: Tracking | None = None

    @property
    def experiment(self) -> Experiment:
        """The experiment of the study."""
        return self.search.experiment

    @property
    def metric(self) -> str:
        """The name of the objective, which decides."""
        return self.experiment.objective.name

    @property
    def method(self) -> str:
        """The default selection method."""
        return "best_validation" if self.experiment.periods.has_validation else "best_train"

    def check(self) -> None:
        """Raises an error if gradient training is not possible."""
        self._gradient_driver(())

    def ending(self, state: State) -> Stop | None:
        """Returns the reason why there is no further phase; None if there is one."""
        settings, room = self.experiment.hybrid, self._room(state)
        if state.starts is None:
            if not state.gained:
                return "no gain"
            if state.round > settings.rounds:
                return "rounds"
            return "evaluations" if room < 1 else None
        if not state.starts:
            return "nothing new"
        # A shorter fine-tuning would have other results and could not be resumed, so it is done as a whole or not at all.
        return "evaluations" if len(state.starts) * (settings.steps + 1) > room else None

    def step(self, state: State) -> tuple[State, Phase | None]:
        """Runs the next phase; returns None for the phase if it was stopped."""
        if state.starts is None:
            return self._search(state)
        after, phase = self._tune(state, state.starts)
        if phase is None:
            return after, None
        gained = state.before is None or gain(phase.best, state.before) > self.experiment.hybrid.min_gain
        tuned = state.tuned | {start.step for start in state.starts}
        return replace(after, round=state.round + 1, starts=None, gained=gained, tuned=tuned), phase

    def tuned_from(self) -> dict[int, int]:
        """Returns trial made by fine-tuning → number of the trial that was fine-tuned."""
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
        """Trains trials by gradients, and adds the best result of each on the deciding split as a trial."""
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
        """Returns the trials to fine-tune next: the best ones by the value of the search that were not fine-tuned yet.

        Trials of later phases, which a resumed study has, are not considered.
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
        """Returns the value of a completed trial for the search; it is not nan, else the trial would have failed."""
        return trial_values(self.experiment, row.metrics)[0]

    def _found(self, run_id: str, starts: Sequence[Checkpoint]) -> tuple[int, dict[int, dict[str, float]]]:
        """Returns the number of steps times sets of a gradient run, and starting trial → found parameters."""
        rows = self.store.checkpoints(run_id=run_id, metrics=[self.metric, TIE_METRIC])
        best = best_of_sets(rows, len(starts), self.method, self.metric)
        # Parameters that are not fine-tuned, such as a fee, are those of the start.
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
        """Runs the search until ``target`` trials, and updates the store; returns whether all trials are done."""
        if state.run_id is not None and len(self._settled()) >= target:
            return state, True

        def watch(progress: SearchProgress) -> None:
            done = min(done_before + max(progress.finished - state.trials, 0), total)
            self._tell(state, kind, done, total, progress.best_value)

        self.search.trials = target
        done = run_driver(
            self.search, self.store, group=self.group, progress=watch, stop=self.stop, tracking=self.tracking
        )
        return replace(state, run_id=done.run_id), done.ending is not None

    def _run_gradients(self, state: State, starts: Sequence[Checkpoint]) -> tuple[str, float | None] | None:
        """Runs gradient training from trials; returns the run and its seconds in this session, None if it was stopped."""
        wanted = {one.raw_name for one in self.gradients.layout}
        raw = [{name: values for name, values in start.raw.items() if name in wanted} for start in starts]
        driver, n_sets = self._gradient_driver(raw), len(starts)
        for run in driver.runs(self.store):
            if run.status == "finished":
                return run.run_id, None

        def watch(progress: Progress) -> None:
            self._tell(state, "gradients", n_sets * progress.step, n_sets * (progress.steps + 1), state.best)

        parent, tracking = state.run_id, self.tracking
        done = run_driver(driver, self.store, parent=parent, progress=watch, stop=self.stop, tracking=tracking)
        return None if done.ending is None else (done.run_id, done.seconds)

    def _gradient_driver(self, start: Sequence[Mapping[str, Any]]) -> GradientDriver:
        named = self.gradients.series.model_dump(exclude_none=True)
        series = {name: values for name, values in self.series.items() if name in named}
        return GradientDriver(self.gradients, self.search.prices, series=series, start=start)

    def _tell(self, state: State, kind: Kind, done: int, total: int, best: float | None) -> None:
        if self.progress is not None:
            self.progress(HybridProgress(state.round, self.experiment.hybrid.rounds, kind, done, total, best))

    def _settled(self) -> list[FrozenTrial]:
        """Returns the trials of the study that count, ordered by number."""
        return sorted(settled_trials(self.search.study), key=lambda trial: trial.number)

    def _rows(self, state: State, trials: int) -> list[Checkpoint]:
        """Returns the checkpoints of the first settled trials; failed trials have none."""
        numbers = {trial.number for trial in self._settled()[:trials]}
        rows = self.store.checkpoints(run_id=state.run_id, metrics=[self.metric, TIE_METRIC])
        return [row for row in rows if row.step in numbers]
