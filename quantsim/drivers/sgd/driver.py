"""The gradient driver on the host: start or resume, report, store, stop."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from quantsim.checkpoints import CheckpointStore, Run
from quantsim.config import Experiment
from quantsim.drivers.best import Best
from quantsim.drivers.evaluated import evaluated
from quantsim.drivers.process import is_abandoned, process_mark
from quantsim.drivers.sgd.optimiser import learning_rate
from quantsim.drivers.sgd.state_io import dump_state, restore_state
from quantsim.drivers.sgd.step import Info, Inputs, Program, State, advance, init
from quantsim.drivers.windows import training_windows
from quantsim.errors import ConfigError
from quantsim.parameters import gaussian_sets, range_sets
from quantsim.precision import in_float64
from quantsim.prices import Prices
from quantsim.simulator import Evaluator

__all__ = ["Progress", "SgdRun", "run_sgd"]

logger = logging.getLogger(__name__)

FloatArray = NDArray[np.float64]
Sets = dict[str, FloatArray]

_GIVEN_TRADES = (
    "with given trades (series.trades) gradients go by automatic differentiation through the bars, which takes two to "
    "four times as long as without, and memory for every bar"
)


@dataclass(frozen=True)
class Progress:
    """What the driver tells whoever watches, once per report.

    Attributes:
        step: steps done.
        steps: steps in all.
        objective: best train metric over the parameter sets, at this step.
        best: best deciding metric so far (validation, or train where there is no validation).
        learning_rate: in use at the next step.
        alive: parameter sets whose last update was not refused.
    """

    step: int
    steps: int
    objective: float
    best: float
    learning_rate: float
    alive: int


@dataclass(frozen=True)
class SgdRun:
    """How a run ended.

    Attributes:
        run_id: of the store.
        steps: steps done in all, earlier sessions included.
        resumed_at: step at which this session took over; 0 for a new run.
        stopped_early: whether patience ran out.
        skipped: updates refused in this session because objective or gradient were not finite.
        seconds: duration of this session.
    """

    run_id: str
    steps: int
    resumed_at: int
    stopped_early: bool
    skipped: int
    seconds: float


@in_float64
def run_sgd(
    experiment: Experiment,
    prices: Prices,
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
        prices: must cover all its periods.
        store: where checkpoints go.
        start: parameters to start from, raw or human-readable: none for the experiment's own, one to draw the sets around,
            several to be the sets.
        resume: whether to take up an unfinished run of the same experiment, prices and start.
        progress: called after every report.

    Raises:
        ConfigError: the rule has nothing to train, or windows do not fit.
        KeyboardInterrupt: as raised; everything up to the last report is stored, and the run marked as interrupted.
    """
    training = _Training(experiment, prices, store, start)
    begun = time.monotonic()
    run_id, state = training.open(resume)
    resumed_at = int(state.step)
    try:
        state, skipped, stopped = training.loop(run_id, state, progress)
    except KeyboardInterrupt:
        store.finish_run(run_id, "interrupted", "interrupted by the user")
        raise
    except BaseException as error:
        store.finish_run(run_id, "failed", f"{type(error).__name__}: {error}")
        raise
    store.finish_run(run_id, "finished", "stopped early: no improvement" if stopped else None)
    return SgdRun(run_id, int(state.step), resumed_at, stopped, skipped, time.monotonic() - begun)


class _Training:
    """One run's fixed parts, so that the functions below need not pass them around."""

    def __init__(
        self, experiment: Experiment, prices: Prices, store: CheckpointStore, start: Sequence[Mapping[str, Any]]
    ) -> None:
        self.experiment, self.store = experiment, store
        self.evaluator = Evaluator(experiment, prices)
        if self.evaluator.setup.has_trades:
            logger.warning(_GIVEN_TRADES)
        settings, metric = experiment.sgd, experiment.objective.metric
        windows = training_windows(self.evaluator)
        plan, _ = self.evaluator.plan(windows.starts, windows.n_bars, (metric,))
        self.program = Program(plan, windows, settings)
        sets = _starting_sets(experiment, start)
        trainable = experiment.trainable
        if not trainable:
            raise ConfigError(f"rule {experiment.pool.strategy_name!r} has no parameter that gradients could train")
        self.initial = {name: jnp.asarray(rows) for name, rows in sets.items() if name in trainable}
        self.inputs = Inputs(
            self.evaluator.market,
            self.evaluator.rates,
            {name: jnp.asarray(rows) for name, rows in sets.items() if name not in trainable},
            jax.random.key(experiment.seed),
        )
        self.decides = "validation" if "validation" in self.evaluator.splits else "train"
        self.start_digest = _digest(sets)

    def open(self, resume: bool) -> tuple[str, State]:
        """Takes up the newest unfinished run that fits, or begins one."""
        fresh = init(self.program, self.initial)
        candidates = self._unfinished() if resume else []
        for run in reversed(candidates):
            stored = self.store.load_state(run.run_id)
            if stored is not None:
                state = restore_state(stored.blob, fresh)
                self.store.resume_run(run.run_id, process_mark())
                logger.info("resuming run %s at step %d", run.run_id, stored.step)
                return run.run_id, state
        run_id = self.store.begin_run(
            experiment_id=self.experiment.identity,
            data_id=self.evaluator.data_id,
            name=self.experiment.name,
            driver="sgd",
            config=self.experiment.model_dump(mode="json"),
            seed=self.experiment.seed,
            notes={**self.evaluator.notes, **process_mark(), "start": self.start_digest},
        )
        return run_id, fresh

    def _unfinished(self) -> list[Run]:
        runs = self.store.find_runs(
            experiment_id=self.experiment.identity, driver="sgd", data_id=self.evaluator.data_id
        )
        same_start = [run for run in runs if run.notes.get("start") == self.start_digest]
        return sorted(filter(is_abandoned, same_start), key=lambda run: run.started_at)

    def loop(self, run_id: str, state: State, progress: Callable[[Progress], None] | None) -> tuple[State, int, bool]:
        """Steps and reports until done; returns the state, the updates refused, and whether patience ran out."""
        settings = self.experiment.sgd
        best = self._replay(run_id)
        skipped, info = 0, None
        while True:
            step = int(state.step)
            if best.step < step:  # a resumed run has this report already
                best = self._report(run_id, state, info, best, progress)
            patience = settings.early_stopping_reports
            if patience is not None and best.stale >= patience:
                return state, skipped, True
            if step >= settings.steps:
                return state, skipped, False
            n_steps = min(settings.report_every - step % settings.report_every, settings.steps - step)
            state, info = advance(self.program, state, self.inputs, jnp.asarray(n_steps))
            skipped += int(info.skipped.sum())
            if refused := int(info.skipped.sum()):
                logger.warning("steps %d to %d: %d updates refused, not finite", step, step + n_steps, refused)

    def _report(
        self,
        run_id: str,
        state: State,
        info: Info | None,
        best: _Patience,
        progress: Callable[[Progress], None] | None,
    ) -> _Patience:
        step = int(state.step)
        sets = {**state.params, **self.inputs.frozen}
        metrics = self.evaluator.evaluate_many(sets)
        rows = [
            evaluated(
                self.experiment,
                {name: np.asarray(rows[index]) for name, rows in sets.items()},
                {s: {m: float(values[index]) for m, values in table.items()} for s, table in metrics.items()},
                run_id=run_id,
                driver="sgd",
                step=step,
                parameter_set=index,
            )
            for index in range(next(iter(sets.values())).shape[0])
        ]
        self.store.append(run_id, rows, state=dump_state(state), state_step=step)
        metric = self.experiment.objective.metric
        best = best.update(_highest(metrics[self.decides][metric]), step)
        if progress is not None:
            alive = len(rows) if info is None else int(np.isfinite(info.objective).sum())
            rate = float(np.asarray(learning_rate(self.experiment.sgd)(state.step)))
            progress(
                Progress(
                    step, self.experiment.sgd.steps, _highest(metrics["train"][metric]), best.best.value, rate, alive
                )
            )
        return best

    def _replay(self, run_id: str) -> _Patience:
        """Patience as it stood at the last stored report."""
        metric = self.experiment.objective.metric
        by_step: dict[int, list[float]] = {}
        for row in self.store.checkpoints(run_id=run_id):
            value = row.value(self.decides, metric)
            by_step.setdefault(row.step, []).append(np.nan if value is None else value)
        return functools.reduce(
            lambda patience, step: patience.update(_highest(np.asarray(by_step[step])), step),
            sorted(by_step),
            _Patience(),
        )


@dataclass(frozen=True)
class _Patience:
    """Best-so-far together with the last step seen."""

    best: Best = field(default_factory=Best)
    step: int = -1

    @property
    def stale(self) -> int:
        return self.best.stale

    def update(self, value: float, step: int) -> _Patience:
        return _Patience(self.best.update(value, step), step)


def _starting_sets(experiment: Experiment, start: Sequence[Mapping[str, Any]]) -> Sets:
    """The sets training starts from, raw name → (S, n)."""
    centres = [experiment.initial_parameters(values) for values in (start or [dict(experiment.parameters)])]
    if len(centres) > 1:
        return {name: np.stack([centre[name] for centre in centres]) for name in centres[0]}
    settings, moved, seed = experiment.sgd, experiment.trainable, experiment.seed
    if settings.initial == "gaussian":
        spread = settings.initial_spread
        return gaussian_sets(centres[0], settings.n_parameter_sets, moved=moved, spread=spread, seed=seed)
    return range_sets(
        settings.initial,
        experiment.layout,
        centres[0],
        settings.n_parameter_sets,
        moved=moved,
        seed=seed,
        scale=settings.initial_scale,
        max_memory_days=experiment.update.max_memory_days,
    )


def _digest(sets: Sets) -> str:
    content = {name: rows.tolist() for name, rows in sorted(sets.items())}
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _highest(values: FloatArray) -> float:
    """The largest finite value; nan if there is none."""
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else float("nan")
