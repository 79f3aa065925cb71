"""The two phases of a round, each a step from state to state: search, and fine-tuning by gradients."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import optuna
from optuna.trial import FrozenTrial

from quantsim.checkpoints import Checkpoint, CheckpointStore, select
from quantsim.config import Experiment
from quantsim.drivers.hybrid.tuned import best_of_sets, unseen
from quantsim.drivers.search import SearchProgress, SearchSpace, run_search
from quantsim.drivers.search.storage.opened import Location, opened_storage
from quantsim.drivers.search.study import load_study, quiet_optuna, settled_trials
from quantsim.drivers.search.values import trial_values
from quantsim.drivers.sgd import GradientDriver, Progress, run_sgd
from quantsim.prices import Prices
from quantsim.ranking import TIE_METRIC, rank

__all__ = ["FROM", "TUNED_FROM", "HybridProgress", "Kind", "Phase", "Rounds", "State"]

Kind = Literal["search", "gradients"]

FROM = "from"
"""User attribute of a trial that fine-tuning put into the study; its value is "sgd"."""

TUNED_FROM = "tuned_from"
"""User attribute of such a trial: the number of the one that was fine-tuned."""


@dataclass(frozen=True)
class State:
    """What is carried from phase to phase; it follows from the trials and runs that there are, and is stored nowhere.

    Attributes:
        round: that the next phase belongs to, from 1.
        trials: settled trials that the study has after the phases so far; their numbers may have gaps.
        evaluations: trials, and gradient steps times sets, so far.
        best: the highest value of any trial, as the search has it: its train objective; None before any.
        tuned: numbers of the trials that were fine-tuned.
    """

    round: int = 1
    trials: int = 0
    evaluations: int = 0
    best: float | None = None
    tuned: frozenset[int] = frozenset()


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


@dataclass
class Rounds:
    """The fixed parts of a hybrid run, and its phases.

    A phase that an earlier session finished is read from study and store; one that it began goes on where it was.

    Attributes:
        experiment: of the study.
        space: what its search moves.
        gradients: what fine-tuning follows; see :func:`~quantsim.drivers.hybrid.gradients.gradient_experiment`.
        prices: as given.
        store: of checkpoints.
        location: where the study is.
        name: of the study.
        options: of every search: workers, and whether to take over.
        watch: called with what is reported; what it raises ends the phase.
        run_id: of the search in the store; None until this session has opened it.
    """

    experiment: Experiment
    space: SearchSpace
    gradients: Experiment
    prices: Prices
    store: CheckpointStore
    location: Location
    name: str
    options: Mapping[str, Any]
    watch: Callable[[HybridProgress], None]
    run_id: str | None = None

    @property
    def metric(self) -> str:
        """What decides."""
        return self.experiment.objective.name

    @property
    def method(self) -> str:
        """How the default selection picks."""
        return "best_validation" if self.experiment.periods.has_validation else "best_train"

    def search(self, state: State, trials: int) -> tuple[State, Phase]:
        """Adds that many trials to the study."""
        rows, seconds = self._trials(state, state.trials + trials, "search", 0, trials)
        return self._after(state, rows, "search", str(self.run_id), state.trials + trials, trials, seconds)

    def candidates(self, state: State) -> list[Checkpoint]:
        """What is to be fine-tuned next: the best trials, as the search values them, that were not yet; maybe none.

        Of trials of later phases, which a study that is taken up has, none is considered.
        """
        fresh = [row for row in self._rows(state.trials) if row.step not in state.tuned and row.raw_is_finite]
        distinct: dict[Any, Checkpoint] = {}
        by_step = sorted(fresh, key=lambda row: row.step)
        for row in sorted(
            by_step, key=lambda row: rank(self._value(row), row.value("train", TIE_METRIC)), reverse=True
        ):
            distinct.setdefault(tuple(sorted(row.raw.items())), row)
        return list(distinct.values())[: self.experiment.hybrid.top]

    def _value(self, row: Checkpoint) -> float:
        """What a completed trial is worth to the search; not nan, or it would have failed."""
        return trial_values(self.experiment, row.metrics)[0]

    def fine_tune(self, state: State, starts: Sequence[Checkpoint]) -> tuple[State, Phase]:
        """Follows gradients from trials, and tries what the deciding split chooses of each set."""
        run_id, tuning_s = self._tuned(state, starts)
        n_steps, found = self._found(run_id, starts)
        kept = unseen(found.values(), [trial.params for trial in self._settled()[: state.trials]])
        from_trial = {id(params): number for number, params in found.items()}
        evaluations, rows, seconds = n_steps + len(kept), self._rows(state.trials), [tuning_s]
        # One after another where trials shall come as they would have: one that is cut off goes to the end of the queue.
        at_once = 1 if self.options["jobs"] == 1 else max(len(kept), 1)
        for first in range(0, len(kept), at_once):
            queue = [(from_trial[id(params)], params) for params in kept[first : first + at_once]]
            target = state.trials + first + len(queue)
            rows, trying_s = self._trials(state, target, "gradients", n_steps, evaluations, queue)
            seconds.append(trying_s)
        spent = [one for one in seconds if one is not None]
        after = replace(state, tuned=state.tuned | {start.step for start in starts})
        n_trials = state.trials + len(kept)
        return self._after(after, rows, "gradients", run_id, n_trials, evaluations, sum(spent) if spent else None)

    def _found(self, run_id: str, starts: Sequence[Checkpoint]) -> tuple[int, dict[int, dict[str, float]]]:
        """The steps that a gradient run took, times sets, and by the trial that it started from the parameters it found."""
        rows = self.store.checkpoints(run_id=run_id, metrics=[self.metric, TIE_METRIC])
        best = best_of_sets(rows, len(starts), self.method, self.metric)
        # A parameter that was left out of fine-tuning, such as a fee, is that of the start.
        humans = {starts[index].step: {**starts[index].human, **row.human} for index, row in best.items()}
        n_steps = len(starts) * max(row.step for row in rows)
        return n_steps, {number: self.space.from_human(human, clip=True) for number, human in humans.items()}

    def _after(
        self,
        state: State,
        rows: Sequence[Checkpoint],
        kind: Kind,
        run_id: str,
        trials: int,
        evaluations: int,
        seconds: float | None,
    ) -> tuple[State, Phase]:
        picked = select(rows, self.method, self.metric).checkpoint
        objective = {split: table[self.metric] for split, table in picked.metrics.items() if self.metric in table}
        best = max(map(self._value, rows))
        after = replace(state, trials=trials, evaluations=state.evaluations + evaluations, best=best)
        return after, Phase(state.round, kind, run_id, evaluations, seconds, best, objective)

    def _trials(
        self,
        state: State,
        target: int,
        kind: Kind,
        done_before: int,
        total: int,
        queue: Sequence[tuple[int, dict[str, float]]] = (),
    ) -> tuple[list[Checkpoint], float | None]:
        """Brings the study to ``target`` trials, those of ``queue`` first; returns their checkpoints, and the seconds.

        ``queue`` pairs the trial that was fine-tuned with the parameters that came of it.
        """
        missing = target - len(self._settled())
        begun = time.monotonic()
        if missing > 0 or self.run_id is None:  # the first call of a session also brings the store up to the study

            def watch(progress: SearchProgress) -> None:
                done = min(done_before + max(progress.finished - state.trials, 0), total)
                self._tell(state, kind, done, total, progress.best_value)

            if missing > 0:
                self._mark(queue)
            run = run_search(
                self.experiment,
                self.prices,
                self.store,
                storage=self.location,
                study_name=self.name,
                trials=target,
                enqueue=[self.space.to_params(params) for _, params in queue],
                progress=watch,
                **self.options,
            )
            self.run_id = run.run_id
        return self._rows(target), time.monotonic() - begun if missing > 0 else None

    def _mark(self, queue: Sequence[tuple[int, dict[str, float]]]) -> None:
        """Enqueues trials with the mark of where they are from, which the search then finds there."""
        if queue:
            with quiet_optuna(), opened_storage(self.location) as storage:
                study = load_study(storage, self.name)
                for number, params in queue:
                    study.enqueue_trial(params, user_attrs={FROM: "sgd", TUNED_FROM: number}, skip_if_exists=True)

    def tuned_from(self) -> dict[int, int]:
        """Of each trial that fine-tuning made, the number of the one that was fine-tuned."""
        attributes = {trial.number: trial.user_attrs for trial in self._settled()}
        return {number: int(found[TUNED_FROM]) for number, found in attributes.items() if TUNED_FROM in found}

    def _tuned(self, state: State, starts: Sequence[Checkpoint]) -> tuple[str, float | None]:
        """The gradient run from those trials, finished: as an earlier session left it, or run now; and the seconds."""
        wanted = {one.raw_name for one in self.gradients.layout}
        raw = [{name: values for name, values in start.raw.items() if name in wanted} for start in starts]
        driver = GradientDriver(self.gradients, self.prices, start=raw)
        for run in driver.runs(self.store):
            if run.status == "finished":
                return run.run_id, None
        n_sets = len(starts)

        def watch(progress: Progress) -> None:
            self._tell(state, "gradients", n_sets * progress.step, n_sets * (progress.steps + 1), state.best)

        done = run_sgd(self.gradients, self.prices, self.store, start=raw, progress=watch)
        return done.run_id, done.seconds

    def _tell(self, state: State, kind: Kind, done: int, total: int, best: float | None) -> None:
        self.watch(HybridProgress(state.round, self.experiment.hybrid.rounds, kind, done, total, best))

    def _settled(self) -> list[FrozenTrial]:
        """The trials of the study that count, by number; none where there is no study yet."""
        with quiet_optuna(), opened_storage(self.location) as storage:
            if self.name not in optuna.get_all_study_names(storage):
                return []
            return sorted(settled_trials(load_study(storage, self.name)), key=lambda trial: trial.number)

    def _rows(self, trials: int) -> list[Checkpoint]:
        """The checkpoints of the first settled trials; those that failed have none."""
        numbers = {trial.number for trial in self._settled()[:trials]}
        rows = self.store.checkpoints(run_id=self.run_id, metrics=[self.metric, TIE_METRIC])
        return [row for row in rows if row.step in numbers]
