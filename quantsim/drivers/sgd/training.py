"""The fixed parts of a gradient run: the compiled step, its inputs, and the starting sets."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax import Array
from numpy.typing import NDArray

from quantsim.array_types import FloatArray
from quantsim.config import Experiment
from quantsim.device import device_array
from quantsim.drivers.sgd.step import Inputs, Program, StepInfo, TrainState, advance, init
from quantsim.drivers.windows import TrainingWindows, training_windows
from quantsim.errors import ConfigError
from quantsim.objective import SHORT, short_periods, warn_once
from quantsim.parameters import gaussian_sets, range_sets
from quantsim.precision import in_float64
from quantsim.prices import PriceData
from quantsim.simulator import Evaluator, Objective, cut, run_calls

__all__ = ["Training"]

logger = logging.getLogger(__name__)

Sets = dict[str, FloatArray]

_EXOGENOUS_SWAPS = (
    "with exogenous swaps (series.trades) gradients use automatic differentiation through the bars, which takes two to "
    "four times as long, and memory for every bar"
)
_HARD_MINIMUM = (
    "objective.aggregate = 'min' has a gradient for the worst period only, which jumps when another period becomes the "
    "worst: use 'softmin'"
)
_POOL_SIZE = 16
"""Number of starting points per set in the restart pool; after the last one, the first one is used again."""


class Training:
    """The fixed parts of a run: the compiled program and its inputs.

    Attributes:
        experiment: the experiment.
        evaluator: its evaluator.
        program: static part of the step.
        initial: raw name → (S, m), starting values of the trained parameters.
        inputs: constant arrays of the step.
        decides: the split for early stopping and progress.
        start_digest: hash of the starting sets.
    """

    @in_float64
    def __init__(
        self,
        experiment: Experiment,
        prices: PriceData | None = None,
        start: Sequence[Mapping[str, Any]] = (),
        *,
        series: Mapping[str, Any] | None = None,
    ) -> None:
        trainable = experiment.trainable
        if not trainable:
            raise ConfigError(f"{experiment.pool.called} has no parameter that gradients could train")
        self.experiment = experiment
        self.evaluator = Evaluator(experiment, prices, series)
        self.program = _program(self.evaluator)
        sets = _starting_sets(experiment, start)
        n_sets = next(iter(sets.values())).shape[0]
        self.initial = {name: device_array(rows) for name, rows in sets.items() if name in trainable}
        self.inputs = Inputs(
            objective=_objective(self.evaluator, self.program.windows),
            frozen={name: device_array(rows) for name, rows in sets.items() if name not in trainable},
            restart_pool=_restart_pool(experiment, sets),
            active=device_array(np.ones(n_sets, bool)),
            key=jax.random.key(experiment.seed),
        )
        self.decides = "validation" if "validation" in self.evaluator.splits else "train"
        self.start_digest = _digest(sets)
        if short := self.evaluator.notes.get(SHORT) or _short_windows(self.evaluator, self.program.windows):
            warn_once(short)
        if self.evaluator.series.trades is not None:
            logger.warning(_EXOGENOUS_SWAPS)
        if experiment.objective.aggregate == "min" and not experiment.objective.is_plain:
            logger.warning(_HARD_MINIMUM)

    @property
    def n_sets(self) -> int:
        """Number of parameter sets, ``S``."""
        return int(self.inputs.active.shape[0])

    @functools.cached_property
    def _calls(self) -> list[tuple[NDArray[np.int64], Inputs]]:
        """The sets of each call that takes steps, and their inputs."""
        settings = self.program.settings
        n_windows = self.program.windows.batch(settings.batch_size, settings.sampling)
        width = self.inputs.objective.sets_per_call(n_windows)
        calls = cut(self.n_sets, width) if self.n_sets > width else [np.arange(self.n_sets)]
        of_sets = {name: getattr(self.inputs, name) for name in ("frozen", "restart_pool", "active")}
        return [(sets, self.inputs._replace(**jax.device_put(_rows(of_sets, sets)))) for sets in calls]

    def lower(self) -> jax.stages.Lowered:
        """Returns the program of :meth:`advance`, to be compiled."""
        active = np.ones(self.n_sets, bool)
        return advance.lower(*self._arguments(init(self.program, self.initial), active, 0, 0))

    @in_float64
    def advance(self, state: TrainState, active: NDArray[np.bool_], n_steps: int) -> tuple[TrainState, StepInfo]:
        """Takes steps; see :func:`quantsim.drivers.sgd.step.advance`.

        Sets do not depend on each other. Where a step takes long, they are cut into calls that run at the same time.

        Args:
            state: state before the steps.
            active: (S,) whether a set still trains.
            n_steps: number of steps.
        """
        arguments = functools.partial(self._arguments, state, active, n_steps)
        states, infos = zip(*run_calls(advance, arguments, len(self._calls), tuple), strict=True)
        sets: dict[str, Any] = jax.tree.map(functools.partial(_joined, self.n_sets, 0), *map(_of_sets, states))
        info: StepInfo = jax.tree.map(functools.partial(_joined, self.n_sets, 1), *infos)
        return TrainState(**sets, step=states[0].step), info

    def _arguments(
        self, state: TrainState, active: NDArray[np.bool_], n_steps: int, number: int
    ) -> tuple[Program, TrainState, Inputs, np.int64]:
        """Returns the arguments of a call."""
        sets, inputs = self._calls[number]
        part = TrainState(**_rows(_of_sets(state), sets), step=np.asarray(state.step))  # type: ignore[arg-type]
        return self.program, part, inputs._replace(active=active[sets]), np.int64(n_steps)  # type: ignore[arg-type]


def _rows(tree: Any, sets: NDArray[np.int64]) -> Any:
    """Returns the rows of some sets of all arrays."""
    return jax.tree.map(lambda rows: np.asarray(rows)[sets], tree)


def _of_sets(state: TrainState) -> dict[str, Any]:
    """Returns the values of a state that have the leading axis ``S``."""
    return {name: value for name, value in state._asdict().items() if name != "step"}


def _joined(n_sets: int, axis: int, *parts: FloatArray) -> FloatArray:
    """Joins the values of all calls along the axis of the sets; the last ones may be of filled-up sets."""
    return np.take(np.concatenate(parts, axis), np.arange(n_sets), axis)


def _program(evaluator: Evaluator) -> Program:
    settings, windows = evaluator.experiment.sgd, training_windows(evaluator)
    if settings.optimiser == "lbfgs" and not windows.is_fixed(settings.batch_size, settings.sampling):
        raise ConfigError(
            f"sgd.optimiser = 'lbfgs' needs the same windows in every step, but there are {windows.n_starts} windows: set "
            f"objective.bout_offset_days = 0, or sgd.sampling = 'exhaustive' and sgd.batch_size = {windows.n_starts}"
        )
    return Program(windows, settings)


def _objective(evaluator: Evaluator, windows: TrainingWindows) -> Objective:
    settings = evaluator.experiment.sgd
    return evaluator.objective(
        windows.starts,
        windows.n_bars,
        time_reversed=settings.time_reversed,
        straight_through=settings.straight_through,
    )


def _short_windows(evaluator: Evaluator, windows: TrainingWindows) -> str | None:
    """Returns a warning if there are several windows and they are short; else None."""
    objective, shape = evaluator.experiment.objective, evaluator.planner.objective_shape(windows.n_bars)
    return short_periods(objective, shape, evaluator.prices.bars_per_day, several_windows=windows.n_starts > 1)


def _starting_sets(experiment: Experiment, start: Sequence[Mapping[str, Any]]) -> Sets:
    """Returns the starting sets of training, raw name → (S, n)."""
    given = start or [dict(one) for one in experiment.sgd.starts] or [{}]
    centres = [experiment.initial_parameters(values) for values in given]
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


def _restart_pool(experiment: Experiment, sets: Sets) -> dict[str, Array]:
    """Returns the restart pool, (S, B, m): points around the start of each set, drawn with a separate seed."""
    settings, moved = experiment.sgd, experiment.trainable
    n_sets = next(iter(sets.values())).shape[0]
    pools = [
        gaussian_sets(
            {name: rows[index] for name, rows in sets.items()},
            _POOL_SIZE + 1,  # the first one is the start, which has failed
            moved=moved,
            spread=settings.initial_spread or 0.5,
            seed=int(np.random.SeedSequence([experiment.seed, index]).generate_state(1)[0]),
        )
        for index in range(n_sets)
    ]
    return {name: device_array(np.stack([pool[name][1:] for pool in pools])) for name in moved}


def _digest(sets: Sets) -> str:
    content = {name: rows.tolist() for name, rows in sorted(sets.items())}
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
