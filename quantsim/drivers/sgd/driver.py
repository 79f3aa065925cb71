"""The gradient driver on the host: reports between compiled steps, early stopping, and resuming."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from quantsim.array_types import FloatArray
from quantsim.checkpoints import Baseline, CheckpointStore, Run
from quantsim.checkpoints.liveness import is_abandoned
from quantsim.checkpoints.stored import of_same_study
from quantsim.config import Experiment
from quantsim.config.identity import GRADIENTS
from quantsim.drivers.best import Best
from quantsim.drivers.driver import Driver, NewRun, Resumed, StepReport
from quantsim.drivers.loop import run_driver
from quantsim.drivers.sgd.patience import Patience
from quantsim.drivers.sgd.reports import Info, Progress, Session, State, checkpoints_of, log_of, progress_of
from quantsim.drivers.sgd.state_io import dump_state, restore_state
from quantsim.drivers.sgd.step import StepInfo, TrainState, flatness, init
from quantsim.drivers.sgd.training import Training
from quantsim.errors import DriverError
from quantsim.objective import nan_reason
from quantsim.prices import PriceData
from quantsim.ranking import TIE_METRIC
from quantsim.tracking import Tracking

__all__ = ["HESSIAN_TRACE", "GradientDriver", "Progress", "SgdRun", "run_sgd"]

logger = logging.getLogger(__name__)


HESSIAN_TRACE = "hessian_trace"
"""Name of the train metric for the flatness of a set; lower is flatter."""


@dataclass(frozen=True)
class SgdRun:
    """How a run ended.

    Attributes:
        run_id: id of the run in the store.
        steps: number of steps, including those of earlier sessions.
        resumed_at: step at which this session resumed the run; 0 for a new run.
        stopped_early: whether all sets stopped early.
        skipped: number of updates of this session that were rejected, because the objective or the gradient was not finite.
        restarts: number of parameter sets that were started again from the restart pool.
        seconds: duration of this session in seconds.
    """

    run_id: str
    steps: int
    resumed_at: int
    stopped_early: bool
    skipped: int
    restarts: int
    seconds: float


def run_sgd(
    experiment: Experiment,
    prices: PriceData | None,
    store: CheckpointStore,
    *,
    series: Mapping[str, Any] | None = None,
    start: Sequence[Mapping[str, Any]] = (),
    resume: bool = True,
    group: tuple[str, int] | None = None,
    progress: Callable[[Progress], None] | None = None,
    tracking: Tracking | None = None,
) -> SgdRun:
    """Trains parameter sets by gradient ascent on windows of the training period.

    Every report evaluates all sets on all splits, and stores them with the state for resuming in one transaction. An
    interrupted run is resumed at its last report, and ends with the same parameters.

    Args:
        experiment: experiment with the tables ``sgd`` and ``objective``.
        prices: prices that cover all periods; None to load those of ``experiment.data``.
        store: store for the checkpoints.
        series: series in memory instead of files; see :class:`~quantsim.simulator.Evaluator`.
        start: starting parameters, raw or human-readable: none to use those of the experiment, one to draw the sets around it,
            several to use them as the sets. Missing parameters are those of the experiment.
        resume: whether to resume an unfinished run of the same experiment, prices and start.
        group: id of the group of a new run in the store, and its position in it; None for none.
        progress: function that is called after every report.
        tracking: experiment trackers; see :func:`quantsim.tracking.open_tracking`.

    Raises:
        ConfigError: the rule has nothing to train, or settings contradict each other.
        WindowError: windows or periods do not fit into the training period.
        KeyboardInterrupt: everything up to the last report is stored, and the run is stored as interrupted.
    """
    driver = GradientDriver(experiment, prices, series=series, start=start)
    done = run_driver(driver, store, resume=resume, group=group, progress=progress, tracking=tracking)
    return SgdRun(
        run_id=done.run_id,
        steps=int(done.state.train.step),
        resumed_at=int(done.first.train.step),
        stopped_early=bool(done.ending),
        skipped=done.state.session.skipped,
        restarts=int(np.sum(np.asarray(done.state.train.restarts))),
        seconds=done.seconds,
    )


class GradientDriver(Driver[State, Info, Progress]):
    """Gradient ascent on windows of the training period, for many parameter sets at once.

    A step of the driver takes the gradient steps up to the next report, and evaluates all sets on all splits.

    Args:
        experiment: experiment with the tables ``sgd`` and ``objective``.
        prices: as in :func:`run_sgd`.
        series: as in :func:`run_sgd`.
        start: as in :func:`run_sgd`.

    Attributes:
        training: the compiled program and its inputs.

    Raises:
        ConfigError: the rule has nothing to train, or settings contradict each other.
        WindowError: windows or periods do not fit into the training period.
    """

    name: ClassVar[str] = "sgd"

    def __init__(
        self,
        experiment: Experiment,
        prices: PriceData | None = None,
        *,
        series: Mapping[str, Any] | None = None,
        start: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.training = Training(experiment, prices, start, series=series)
        self._compiling: Future[Any] | None = None

    def new_run(self) -> NewRun:
        """Returns the entry of a new run in the store."""
        return NewRun.of(self.training.evaluator, GRADIENTS, {"start": self.training.start_digest})

    def baselines(self) -> Mapping[str, Baseline]:
        """Returns the baselines of the experiment. Compiles the program of :meth:`step` at the same time."""
        traced = self.training.lower()  # in Python: faster alone
        beside = ThreadPoolExecutor(1)
        self._compiling = beside.submit(traced.compile)
        beside.shutdown(wait=False)
        return self.training.evaluator.baselines(self.training.n_sets)

    def runs(self, store: CheckpointStore) -> list[Run]:
        """Returns the stored runs with the same steps, starting sets and data, the newest first."""
        runs = store.find_runs(driver=self.name, data_id=self.training.evaluator.data_id)
        same_start = [run for run in runs if run.notes.get("start") == self.training.start_digest]
        return of_same_study(same_start, self.training.experiment, GRADIENTS)

    def resume(self, store: CheckpointStore) -> Resumed[State, Info] | None:
        """Returns the newest unfinished run that can be restored; without any, one that was cut off before its first report."""
        fresh = init(self.training.program, self.training.initial)
        empty: list[Run] = []
        for run in filter(is_abandoned, self.runs(store)):
            if (stored := store.load_state(run.run_id)) is None:
                empty += [run] if run.status != "failed" else []
                continue
            try:
                train = restore_state(stored.blob, fresh)
            except DriverError as error:
                logger.warning("run %s cannot be resumed: %s", run.key, error)
                continue
            logger.info("resuming run %s at step %d", run.run_id, stored.step)
            rows = store.checkpoints(run_id=run.run_id, metrics=[self._metric, TIE_METRIC])
            patience = self._no_reports().replay(rows, self.training.decides, self._metric)
            return Resumed(run.run_id, State(train, patience, Session(time.monotonic(), int(train.step))))
        return Resumed(empty[0].run_id, *self.init()) if empty else None

    def init(self) -> tuple[State, Info | None]:
        """Returns the evaluated starting sets."""
        train = init(self.training.program, self.training.initial)
        return self._evaluated(State(train, self._no_reports(), Session(time.monotonic(), 0)), None)

    def step(self, state: State) -> tuple[State, Info]:
        """Takes gradient steps up to the next report, and evaluates all sets."""
        settings, done = self.training.experiment.sgd, int(state.train.step)
        n_steps = min(settings.report_every - done % settings.report_every, settings.steps - done)
        if self._compiling is not None:
            self._compiling.result()
            self._compiling = None
        train, rows = self.training.advance(state.train, state.patience.active(settings), n_steps)
        steps = jax.tree.map(lambda each: np.asarray(each)[:n_steps], rows)
        session = state.session
        if refused := int(np.sum(steps.rejected)):
            logger.warning("steps %d to %d: %d updates rejected, not finite", done, done + n_steps, refused)
            session = replace(session, skipped=session.skipped + refused)
        return self._evaluated(State(train, state.patience, session), steps)

    def report(self, run_id: str, state: State, info: Info) -> StepReport[Progress]:
        """Returns all sets on all splits, and the state for resuming."""
        step, progress = int(state.train.step), progress_of(self.training, state, info)
        log: dict[str, Any] = {"progress": asdict(progress), "restarts": np.asarray(state.train.restarts).tolist()}
        if info.steps is not None:
            log |= log_of(info.steps)
        rows = checkpoints_of(self.training.experiment, self.name, run_id, step, info)
        return StepReport(step, rows, progress, dump_state(state.train), log)

    def ending(self, state: State) -> str | None:
        """Ends if all sets have stopped early, or all steps are done."""
        settings = self.training.experiment.sgd
        if not state.patience.active(settings).any():
            return "stopped early: no improvement"
        return "" if int(state.train.step) >= settings.steps else None

    @property
    def _metric(self) -> str:
        return self.training.experiment.objective.name

    def _no_reports(self) -> Patience:
        return Patience((Best(),) * self.training.n_sets)

    def _evaluated(self, state: State, steps: StepInfo | None) -> tuple[State, Info]:
        """Evaluates all sets on all splits, and updates early stopping."""
        sets = self._sets(state.train)
        found = self.training.evaluator.evaluate_sets(sets)
        if self.training.experiment.sgd.hessian_samples:
            trace = {HESSIAN_TRACE: self._flatness(state.train, sets)}
            found = replace(found, metrics={**found.metrics, "train": {**found.metrics["train"], **trace}})
        step, table = int(state.train.step), found.metrics[self.training.decides]
        decided = {name: values[: self.training.n_sets] for name, values in table.items()}
        session = self._say_why_nan(state.session, decided, step)
        patience = state.patience.update(decided[self._metric], step, decided[TIE_METRIC])
        return State(state.train, patience, session), Info(sets, found, steps)

    def _sets(self, train: TrainState) -> dict[str, Array]:
        """Returns the trained sets, followed by their averages if averaging has started: raw name → (S or 2S, m)."""
        frozen = self.training.inputs.frozen
        sets = {**train.params, **frozen}
        averaged = self.training.experiment.sgd.average_from_step is not None and bool((train.averaged > 0).any())
        if not averaged:
            return sets
        means = {**train.average, **frozen}
        return {name: jnp.concatenate([rows, means[name]]) for name, rows in sets.items()}

    def _flatness(self, train: TrainState, sets: dict[str, Array]) -> FloatArray:
        """Returns the Hessian trace of the trained sets; nan for averages, which are not trained."""
        found = np.asarray(flatness(self.training.program, train.params, self.training.inputs))
        missing = next(iter(sets.values())).shape[0] - found.size
        return np.append(found, np.full(missing, np.nan))

    def _say_why_nan(self, session: Session, decided: Mapping[str, FloatArray], step: int) -> Session:
        """Warns about parameter sets whose objective is nan, once per session and set."""
        broken = frozenset(np.flatnonzero(np.isnan(decided[self._metric])).tolist())
        for index in sorted(broken - session.warned):
            values = {name: float(column[index]) for name, column in decided.items()}
            objective = self.training.experiment.objective
            reason = nan_reason(objective, self.training.decides, self._metric, values)
            logger.warning("step %d, parameter set %d: %s", step, index, reason)
        return replace(session, warned=session.warned | broken)
