"""The gradient driver on the host: start or resume, report, store, stop."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from quantsim.checkpoints import CheckpointStore, Run
from quantsim.checkpoints.stored import rule_notes
from quantsim.config import Experiment
from quantsim.config.driver_sections import Sgd
from quantsim.config.identity import GRADIENTS
from quantsim.discovery import naming_users_files
from quantsim.drivers.best import Best
from quantsim.drivers.evaluated import evaluated
from quantsim.drivers.marks import is_abandoned, own_mark
from quantsim.drivers.sgd.state_io import dump_state, restore_state
from quantsim.drivers.sgd.step import Info, State, advance, flatness, init
from quantsim.drivers.sgd.training import Training
from quantsim.errors import DriverError
from quantsim.objective import nan_reason
from quantsim.precision import in_float64
from quantsim.prices import Prices
from quantsim.ranking import TIE_METRIC, best_index

__all__ = ["HESSIAN_TRACE", "Progress", "SgdRun", "run_sgd"]

logger = logging.getLogger(__name__)

FloatArray = NDArray[np.float64]
Sets = dict[str, FloatArray]

HESSIAN_TRACE = "hessian_trace"
"""Under which name the flatness of a set is stored among its train metrics; lower is flatter."""


@dataclass(frozen=True)
class Progress:
    """What the driver tells whoever watches, once per report.

    Attributes:
        step: steps done.
        steps: steps in all.
        objective: best train objective over the parameter sets, at this step.
        median: the median over the sets.
        best: best objective so far on the split that decides; nan before any.
        decides: that split: validation, or train where there is no validation.
        learning_rate: in use by the last step, the largest of the sets.
        gradient_norm: of the last step, the median of the sets; nan before the first.
        alive: parameter sets that still train and whose last update was not refused.
        steps_per_second: of this session, reports included.
        seconds_left: at that pace.
    """

    step: int
    steps: int
    objective: float
    median: float
    best: float
    decides: str
    learning_rate: float
    gradient_norm: float
    alive: int
    steps_per_second: float
    seconds_left: float


@dataclass(frozen=True)
class SgdRun:
    """How a run ended.

    Attributes:
        run_id: of the store.
        steps: steps done in all, earlier sessions included.
        resumed_at: step at which this session took over; 0 for a new run.
        stopped_early: whether patience ran out, for all sets.
        skipped: updates refused in this session because objective or gradient were not finite.
        restarts: parameter sets started again from the bank, in all.
        seconds: duration of this session.
    """

    run_id: str
    steps: int
    resumed_at: int
    stopped_early: bool
    skipped: int
    restarts: int
    seconds: float


@in_float64
@naming_users_files()
def run_sgd(
    experiment: Experiment,
    prices: Prices | None,
    store: CheckpointStore,
    *,
    start: Sequence[Mapping[str, Any]] = (),
    resume: bool = True,
    progress: Callable[[Progress], None] | None = None,
) -> SgdRun:
    """Trains parameter sets by gradient ascent on windows of the training period.

    Every report evaluates all sets on all splits and writes them, with the state needed to go on, in one transaction. A run
    that was cut off is taken up at its last report and ends with the parameters it would have had.

    Args:
        experiment: its ``sgd`` and ``objective`` tables steer the run.
        prices: must cover all its periods; None for those that ``experiment.data`` names.
        store: where checkpoints go.
        start: parameters to start from, raw or human-readable: none for the experiment's own, one to draw the sets around,
            several to be the sets. What a set leaves out is the experiment's own.
        resume: whether to take up an unfinished run of the same experiment, prices and start.
        progress: called after every report.

    Raises:
        ConfigError: the rule has nothing to train, or settings do not fit together.
        WindowError: windows or periods do not fit into the training period.
        KeyboardInterrupt: as raised; everything up to the last report is stored, and the run marked as interrupted.
    """
    training = Training(experiment, experiment.load_prices() if prices is None else prices, start)
    begun = time.monotonic()
    run_id, state = _open(training, store, resume)
    session = _Session(training, store, run_id, state, progress)
    try:
        stopped = session.run()
    except KeyboardInterrupt:
        store.finish_run(run_id, "interrupted", "interrupted by the user")
        raise
    except BaseException as error:
        store.finish_run(run_id, "failed", f"{type(error).__name__}: {error}")
        raise
    store.finish_run(run_id, "finished", "stopped early: no improvement" if stopped else None)
    state = session.state
    return SgdRun(
        run_id,
        int(state.step),
        session.resumed_at,
        stopped,
        session.skipped,
        int(state.restarts.sum()),
        time.monotonic() - begun,
    )


def _open(training: Training, store: CheckpointStore, resume: bool) -> tuple[str, State]:
    """Takes up the newest unfinished run that fits, or begins one."""
    experiment, evaluator = training.experiment, training.evaluator
    fresh = init(training.program, training.initial)
    for run in _unfinished(training, store) if resume else ():
        stored = store.load_state(run.run_id)
        if stored is not None:
            try:
                state = restore_state(stored.blob, fresh)
            except DriverError as error:
                logger.warning("run %s cannot be resumed: %s", run.run_id[:8], error)
                continue
            store.resume_run(run.run_id, own_mark())
            logger.info("resuming run %s at step %d", run.run_id, stored.step)
            return run.run_id, state
    run_id = store.begin_run(
        experiment_id=experiment.identity_for(GRADIENTS),
        data_id=evaluator.data_id,
        name=experiment.name,
        driver="sgd",
        config=experiment.recorded(evaluator.prices).model_dump(mode="json"),
        seed=experiment.seed,
        notes={**evaluator.notes, **rule_notes(experiment), **own_mark(), "start": training.start_digest},
    )
    return run_id, fresh


def _unfinished(training: Training, store: CheckpointStore) -> list[Run]:
    """The newest first."""
    return list(filter(is_abandoned, training.runs(store)))


class _Session:
    """One session of a run: steps and reports until it is done."""

    def __init__(
        self,
        training: Training,
        store: CheckpointStore,
        run_id: str,
        state: State,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.training, self.store, self.run_id, self.state = training, store, run_id, state
        self.settings, self.objective = training.experiment.sgd, training.experiment.objective.name
        self.progress = progress
        self.resumed_at, self.skipped = int(state.step), 0
        self.said: set[int] = set()
        self.info: Info | None = None
        self.begun = time.monotonic()
        self.patience = _replayed(training, store, run_id, self.objective)

    def run(self) -> bool:
        """Returns whether patience ran out."""
        settings = self.settings
        while True:
            step = int(self.state.step)
            if self.patience.step < step:  # a resumed run has this report already
                self._report(step)
            active = self.patience.active(settings)
            if not active.any():
                return True
            if step >= settings.steps:
                return False
            n_steps = min(settings.report_every - step % settings.report_every, settings.steps - step)
            inputs = self.training.inputs._replace(active=jnp.asarray(active))
            self.state, self.info = advance(self.training.program, self.state, inputs, jnp.asarray(n_steps))
            if refused := int(self.info.skipped.sum()):
                self.skipped += refused
                logger.warning("steps %d to %d: %d updates refused, not finite", step, step + n_steps, refused)

    def _report(self, step: int) -> None:
        """Evaluates all sets on all splits, and stores them with the state to go on from, in one transaction."""
        sets = self._sets()
        metrics = self.training.evaluator.evaluate_many(sets)
        if self.settings.hessian_samples:
            metrics["train"][HESSIAN_TRACE] = self._flatness(sets)
        rows = [
            evaluated(
                self.training.experiment,
                {name: np.asarray(rows[index]) for name, rows in sets.items()},
                {s: {m: float(values[index]) for m, values in table.items()} for s, table in metrics.items()},
                run_id=self.run_id,
                driver="sgd",
                step=step,
                parameter_set=index,
            )
            for index in range(next(iter(sets.values())).shape[0])
        ]
        trained = slice(0, self.training.n_sets)
        decided = {name: values[trained] for name, values in metrics[self.training.decides].items()}
        self._say_why_nan(decided, step)
        self.patience = self.patience.update(decided[self.objective], step, decided[TIE_METRIC])
        progress = self._progress(step, metrics["train"][self.objective][trained])
        report = {"progress": asdict(progress), **self._details()}
        self.store.append(self.run_id, rows, state=dump_state(self.state), state_step=step, report=report)
        if self.progress is not None:
            self.progress(progress)

    def _say_why_nan(self, decided: Mapping[str, FloatArray], step: int) -> None:
        """Warns of parameter sets whose objective is nan, each once a session."""
        for index in np.flatnonzero(np.isnan(decided[self.objective])).tolist():
            if index not in self.said:
                self.said.add(index)
                values = {name: float(column[index]) for name, column in decided.items()}
                reason = nan_reason(self.training.experiment.objective, self.training.decides, self.objective, values)
                logger.warning("step %d, parameter set %d: %s", step, index, reason)

    def _sets(self) -> dict[str, Array]:
        """The sets trained, followed by their averages where these have begun; raw name → (S or 2S, m)."""
        sets = {**self.state.params, **self.training.inputs.frozen}
        averaged = self.settings.average_from_step is not None and bool((self.state.averaged > 0).any())
        if not averaged:
            return sets
        means = {**self.state.average, **self.training.inputs.frozen}
        return {name: jnp.concatenate([rows, means[name]]) for name, rows in sets.items()}

    def _flatness(self, sets: dict[str, Array]) -> FloatArray:
        """The Hessian trace of the sets trained; nan for averages, which nobody trains."""
        inputs = self.training.inputs
        found = np.asarray(flatness(self.training.program, self.state.params, inputs))
        missing = next(iter(sets.values())).shape[0] - found.size
        return np.append(found, np.full(missing, np.nan))

    def _progress(self, step: int, objective: FloatArray) -> Progress:
        seconds, settings, info = time.monotonic() - self.begun, self.settings, self.info
        pace = (step - self.resumed_at) / seconds if seconds > 0 else 0.0
        alive = self.patience.active(settings) & (np.asarray(self.state.refused) == 0)
        return Progress(
            step=step,
            steps=settings.steps,
            objective=_highest(objective),
            median=float(np.median(objective)),
            best=float(self.patience.best),
            decides=self.training.decides,
            learning_rate=float("nan") if info is None else float(info.learning_rate.max()),
            gradient_norm=float("nan") if info is None else float(np.median(info.gradient_norm)),
            alive=int(alive.sum()),
            steps_per_second=pace,
            seconds_left=(settings.steps - step) / pace if pace else float("inf"),
        )

    def _details(self) -> dict[str, list[float]]:
        """What of the last step goes to the log, set by set."""
        found: dict[str, list[float]] = {"restarts": np.asarray(self.state.restarts).tolist()}
        if self.info is not None:
            found |= {name: np.asarray(values).tolist() for name, values in self.info._asdict().items()}
        return found


@dataclass(frozen=True)
class _Patience:
    """Best-so-far of every set, together with the last step seen."""

    sets: tuple[Best, ...]
    step: int = -1

    @property
    def best(self) -> float:
        values = [each.value for each in self.sets]
        index = best_index(values, [each.tie for each in self.sets])
        return math.nan if index is None else values[index]

    def active(self, settings: Sgd) -> NDArray[np.bool_]:
        """Which sets still train, (S,); one that was nan so far does as long as it can be started again."""
        patience, restarts = settings.early_stopping_reports, settings.reinitialise_after is not None
        return np.array(
            [patience is None or each.stale < patience or (restarts and not each.is_known) for each in self.sets]
        )

    def update(self, values: FloatArray, step: int, ties: FloatArray | None = None) -> _Patience:
        """Takes in the deciding objective of a report, (S,), and what tells equal ones apart."""
        ties = np.full(len(self.sets), np.nan) if ties is None else ties
        seen = zip(self.sets, values.tolist(), ties.tolist(), strict=True)
        return _Patience(tuple(each.update(value, step, tie) for each, value, tie in seen), step)


def _replayed(training: Training, store: CheckpointStore, run_id: str, metric: str) -> _Patience:
    """Patience as it stood at the last stored report."""
    patience = _Patience((Best(),) * training.n_sets)
    by_step: dict[int, FloatArray] = {}
    for row in store.checkpoints(run_id=run_id, metrics=[metric, TIE_METRIC]):
        if row.parameter_set < training.n_sets:
            table = by_step.setdefault(row.step, np.full((2, training.n_sets), np.nan))
            for line, name in enumerate((metric, TIE_METRIC)):
                value = row.value(training.decides, name)
                table[line, row.parameter_set] = np.nan if value is None else value
    for step in sorted(by_step):
        values, ties = by_step[step]
        patience = patience.update(values, step, ties)
    return patience


def _highest(values: FloatArray) -> float:
    """The largest value that is not nan; nan if there is none."""
    index = best_index(values.tolist())
    return math.nan if index is None else float(values[index])
