"""The search driver: asks for a batch of trials, maps their evaluation, and tells the outcomes in order."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from quantsim.checkpoints import Baseline, CheckpointStore
from quantsim.checkpoints.checkpoint import GIVEN, TRIALS
from quantsim.checkpoints.stored import rule_notes
from quantsim.config import Experiment
from quantsim.config.identity import SEARCH
from quantsim.drivers.counts import checked_count
from quantsim.drivers.driver import Driver, NewRun, Resumed, StepReport
from quantsim.drivers.search.asking import Asking, call_width, was_given
from quantsim.drivers.search.clusters import cluster_engine
from quantsim.drivers.search.engines import Backend, Engine, Threads, check_backend
from quantsim.drivers.search.evaluation import Evaluates, MakeEvaluator, Returns, default_evaluator
from quantsim.drivers.search.note import write_note
from quantsim.drivers.search.outcomes import Outcomes, Told
from quantsim.drivers.search.pruner import check_pruner, make_pruner
from quantsim.drivers.search.samplers.named import check_sampler
from quantsim.drivers.search.study import (
    default_name,
    describe_task,
    hold,
    identify,
    load_study,
    open_study,
    quiet_optuna,
    release,
    settled_trials,
    study_id,
)
from quantsim.drivers.search.tally import SearchProgress, Tally
from quantsim.drivers.search.telling import checkpoint_of, tell
from quantsim.drivers.search.values import check_objectives
from quantsim.errors import DriverError
from quantsim.limits import MOST_JOBS, MOST_TRIALS
from quantsim.objective import SHORT, warn_once
from quantsim.prices import PriceData
from quantsim.report.study_note import describe_prices, selection_advice, study_note
from quantsim.search_space import SearchSpace, load_search_space
from quantsim.storages.location import Location, describe_storage
from quantsim.storages.opened import opened_storage
from quantsim.threads import thread_count

__all__ = ["MAX_FAILURES_IN_A_ROW", "Info", "SearchDriver", "State", "check_search"]

MAX_FAILURES_IN_A_ROW = 20
"""Number of failed trials in a row that ends a study; equal to the default number of start-up trials."""

_LONGEST_NAME = 200


@dataclass(frozen=True)
class State:
    """The state of a search between steps; everything else is in the study.

    Attributes:
        tally: counts and the best of the finished trials.
        asked: trials that were asked for together and are not told yet: a generation, or those of an earlier session.
    """

    tally: Tally
    asked: tuple[FrozenTrial, ...] = ()


Info = tuple[FrozenTrial, ...]
"""The trials that a step has told, as they are stored."""


def check_search(
    experiment: Experiment, *, study_name: str | None = None, backend: Backend = "threads", address: str | None = None
) -> SearchSpace:
    """Returns the search space of an experiment, after all checks of a search that need no prices. Stores nothing.

    Args:
        experiment: experiment with the table ``search``.
        study_name: name of the Optuna study; None for the default name.
        backend: where trials are evaluated, as in :func:`~quantsim.drivers.search.run_search`.
        address: address of the cluster.

    Raises:
        ConfigError: the search space, the objectives, the sampler or the pruner do not fit the experiment.
        DriverError: the name is not valid, or the backend is not available.
    """
    if study_name is not None and not (
        study_name.strip() and study_name.isprintable() and len(study_name) <= _LONGEST_NAME
    ):
        raise DriverError(f"study_name = {study_name[:80]!r} must be 1 to {_LONGEST_NAME} printable characters")
    check_backend(backend, address)
    space = load_search_space(experiment)
    check_objectives(experiment)
    check_pruner(experiment)
    check_sampler(experiment.search, space.distributions(), len(experiment.search_objectives))
    return space


class SearchDriver(Driver[State, Info, SearchProgress]):
    """Searches a study while it is open; a context manager.

    A step tells the next trials of a batch, as many as one call evaluates. A batch begins when the batch before it ends. Its
    trials are asked for while others are evaluated, because none of them depends on results of the batch.

    From one run of the driver to the next, this process holds the study, and programs stay compiled.

    Attributes:
        trials: number of trials of the study in the end; it may be changed between runs.
        experiment: the experiment.
        prices: the prices.
        space: the search space.
        evaluator: evaluator of this process.
        study_name: name of the Optuna study.
        storage: storage of the study.
        study: the stored study; only while the driver is open.
    """

    name = "search"
    study: Study

    def __init__(
        self,
        experiment: Experiment,
        prices: PriceData | None = None,
        *,
        storage: Location,
        study_name: str | None = None,
        series: Mapping[str, Any] | None = None,
        trials: int | None = None,
        jobs: int | None = None,
        backend: Backend = "threads",
        address: str | None = None,
        take_over: bool = False,
        make_evaluator: MakeEvaluator | None = None,
    ) -> None:
        """Checks everything, and makes the evaluator. Arguments and errors: :func:`~quantsim.drivers.search.run_search`."""
        self.trials = checked_count("trials", _given(trials, experiment.search.trials), MOST_TRIALS)
        of_cluster = jobs is None and address is not None
        wanted = _given(_given(jobs, experiment.search.jobs), thread_count())
        self._n_jobs = None if of_cluster else checked_count("jobs", wanted, MOST_JOBS)
        self.space = check_search(experiment, study_name=study_name, backend=backend, address=address)
        self.experiment = experiment
        self.prices = experiment.prices(prices, given_series=series or ())
        self._backend, self._address, self._take_over = backend, address, take_over
        self.storage = storage
        make = make_evaluator or default_evaluator
        self._parts = (make, experiment, self.prices, series)
        self.evaluator: Evaluates = make(experiment, self.prices, series)
        if SHORT in self.evaluator.notes:
            warn_once(str(self.evaluator.notes[SHORT]))
        self._identity = identify(experiment, self.evaluator.data_id, self.space)
        with quiet_optuna():
            self.study_name = study_name or default_name(storage, experiment.name, self._identity)
        self._recorded = experiment.recorded(self.prices)
        self._copied: set[int] = set()  # numbers of the trials that the store has
        self._returns: dict[int, Returns] = {}  # of the trials that were told, and that the store does not have yet
        self._told: Generator[Told, None, None] | None = None
        self._suspect = False
        self._store_location: str | None = None  # until the note of the study is written
        self._begun = time.monotonic()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(quiet_optuna())
            storage = stack.enter_context(opened_storage(self.storage))
            self.study = open_study(storage, self.study_name, self._identity, self.experiment.search_objectives)
            self._suspect = hold(self.study, take_over=self._take_over)
            stack.push(self._release)
            describe_task(self.study, self._recorded)
            engine = self._engine(stack)
            stack.callback(self._drop)
            distributions = self.space.distributions()
            asking = Asking(self.experiment, distributions, self.study)
            search = self.experiment.search
            pruner = None if search.pruner == "none" else make_pruner(search)
            width = call_width(search, len(distributions), self.evaluator.sets_per_call)
            self._asking = asking
            self._outcomes = Outcomes(self.experiment, self.space, self.study, asking, pruner, engine, width)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def _engine(self, stack: contextlib.ExitStack) -> Engine:
        if self._backend != "threads":
            return stack.enter_context(cluster_engine(self._backend, self._address, self._n_jobs, self._parts))
        threads = Threads(self.evaluator, self._n_jobs or 1)
        stack.callback(threads.close)
        return threads

    def _drop(self) -> None:
        """Drops running evaluations, which are repeated when the study is resumed."""
        if self._told is not None:
            self._told.close()
            self._told = None

    def _release(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Releases the lease of this process. If this fails after an error, it adds a note to that error."""
        if error is None:
            release(self.study)
            return
        try:
            with opened_storage(self.storage) as storage:  # anew: an interrupt may have come in the middle of anything
                release(load_study(storage, self.study_name))
        except Exception as trouble:
            error.add_note(f"and while closing the study: {type(trouble).__name__}: {trouble}")

    def enqueue(self, params: Mapping[str, float], user_attrs: Mapping[str, Any] | None = None) -> None:
        """Enqueues trial parameters, unless the study has them already.

        Args:
            params: trial parameter → value, as :meth:`SearchSpace.from_human` returns them.
            user_attrs: user attributes of the trial.
        """
        self.study.enqueue_trial(dict(params), dict(user_attrs or {}), skip_if_exists=True)

    def new_run(self) -> NewRun:
        """See :class:`Driver`."""
        experiment = self._recorded
        return NewRun(
            experiment_id=experiment.identity_for(SEARCH),
            data_id=self.evaluator.data_id,
            name=experiment.name,
            config=experiment.model_dump(mode="json"),
            seed=experiment.seed,
            notes={
                **self.evaluator.notes,
                **rule_notes(experiment),
                "study": self.study.study_name,
                "study_id": study_id(self.study),
                "storage": describe_storage(self.storage),
                TRIALS: self.trials,
            },
        )

    def baselines(self) -> Mapping[str, Baseline]:
        """Returns the baselines of the experiment."""
        return self.evaluator.baselines(self._outcomes.width)

    def resume(self, store: CheckpointStore) -> Resumed[State, Info] | None:
        """Returns the run of this study in the store; missing trials of the store are reported first."""
        self._store_location, identifier = store.location, study_id(self.study)
        for run in store.find_runs(driver=self.name, data_id=self.evaluator.data_id):
            if run.notes.get("study_id") == identifier:
                rows = store.checkpoints(run_id=run.run_id, metrics=())
                state, info = self._begin({row.step for row in rows})
                return Resumed(run.run_id, state, info, {TRIALS: self.trials})
        return None

    def init(self) -> tuple[State, Info | None]:
        """Returns the state of the study."""
        return self._begin(set())

    def _begin(self, copied: set[int]) -> tuple[State, Info | None]:
        self._drop()
        self._copied, self._begun = copied, time.monotonic()
        settled = settled_trials(self.study)
        # A process was killed between telling and storing, or this is another store: the study does not hold the returns.
        self._returns |= self._outcomes.returns_of(
            [trial for trial in self._unstored(settled) if trial.number not in self._returns]
        )
        tally = replace(Tally().add(settled, self.experiment.search.min_gain), failures_in_row=0)
        asked = self._asking.begun()[: max(self.trials - tally.finished, 0)]
        return State(tally, tuple(asked)), tuple(settled) or None

    def step(self, state: State) -> tuple[State, Info]:
        """Tells the next trials of the current batch, or of a new one."""
        asked = state.asked
        outcomes = None if self._told is None else next(self._told, None)
        while outcomes is None:
            next_ones: Iterable[FrozenTrial] = asked
            if not asked:
                next_ones, self._suspect = self._asking.batch(self.trials - state.tally.finished), False
                if self._asking.in_generations:
                    next_ones = asked = tuple(next_ones)
            self._told = self._outcomes.of(next_ones, suspect=self._suspect)
            outcomes = next(self._told, None)
        self._returns |= {trial.number: outcome.daily_log_returns for trial, outcome in outcomes}
        told = [tell(self.study, self.experiment, *each) for each in outcomes]
        return State(state.tally.add(told, self.experiment.search.min_gain), asked[len(told) :]), tuple(told)

    def report(self, run_id: str, state: State, info: Info) -> StepReport[SearchProgress]:
        """Returns the checkpoints of completed trials."""
        if self._store_location is not None:
            self._write_note(run_id, self._store_location)
            self._store_location = None
        completed = self._unstored(info)
        self._copied |= {trial.number for trial in completed}
        rows = [
            checkpoint_of(trial, self._returns.get(trial.number, {}), run_id, self.experiment, self.space)
            for trial in completed
        ]
        for trial in info:
            self._returns.pop(trial.number, None)
        given = [trial.number for trial in completed if was_given(trial)]
        return StepReport(state.tally.finished, rows, self._progress(state), log={GIVEN: given} if given else {})

    def _unstored(self, trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
        return [trial for trial in trials if trial.state is TrialState.COMPLETE and trial.number not in self._copied]

    def _progress(self, state: State) -> SearchProgress:
        tally = state.tally
        return SearchProgress(
            finished=tally.finished,
            failed=tally.failed,
            pruned=tally.pruned,
            total=self.trials,
            best_value=tally.best.value if tally.best.is_known else None,
            best_trial=tally.best.step if tally.best.is_known else None,
            seconds=time.monotonic() - self._begun,
        )

    def salvage(self, run_id: str, state: State) -> StepReport[SearchProgress] | None:
        """Returns the trials of the study that the store does not have."""
        with opened_storage(self.storage) as storage:  # anew: an interrupt may have come in the middle of anything
            told = settled_trials(load_study(storage, self.study_name))
        return self.report(run_id, state, tuple(told))

    def ending(self, state: State) -> str | None:
        """See :class:`Driver`; raises DriverError if too many trials failed."""
        tally, search = state.tally, self.experiment.search
        if tally.failures_in_row >= MAX_FAILURES_IN_A_ROW:
            raise DriverError(
                f"{tally.failures_in_row} trials of study {self.study_name!r} failed one after another, the last with "
                f"{tally.last_failure}"
            )
        if tally.finished >= self.trials:
            reason = ""
        elif self.has_stalled(state) and not state.asked and self._asking.is_between_batches(tally.finished):
            reason = f"search.patience: the best did not rise in {search.patience} trials"
        elif tally.finished and time.monotonic() - self._begun >= 60.0 * _given(search.max_minutes, math.inf):
            reason = f"search.max_minutes = {search.max_minutes:g} are over"
        else:
            return None
        if tally.finished == tally.failed + tally.pruned:
            raise DriverError(
                f"none of the {tally.finished} trials of study {self.study_name!r} completed; the last that failed: "
                f"{tally.last_failure}"
            )
        return reason

    def has_stalled(self, state: State) -> bool:
        """Whether the last ``search.patience`` trials have not raised the best by more than ``search.min_gain``."""
        patience = self.experiment.search.patience
        return patience is not None and state.tally.stale >= patience

    def _write_note(self, run_id: str, store_location: str) -> None:
        """Writes the note of the study for the dashboard."""
        experiment = self.experiment
        advice = selection_advice(experiment, run_id, store_location)
        write_note(self.study, study_note(experiment, self.space, describe_prices(experiment, self.prices), advice))


def _given(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None else value
