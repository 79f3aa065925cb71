"""Small studies and toy objectives for the tests of the gradient driver."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from quantsim import CheckpointStore, Experiment, Prices
from quantsim.config.driver_sections import Sgd
from quantsim.drivers.sgd.step import Inputs, Program, StepInfo, TrainState, advance, init
from quantsim.drivers.windows import TrainingWindows

STEPS = 12

Row = dict[str, Any]


PERIODS = {
    "train_start": "2023-01-21",
    "train_end": "2023-04-21",
    "validation_end": "2023-05-11",
    "test_end": "2023-06-01",
}


def make_prices(test_scale: float = 1.0) -> Prices:
    """Two trending random walks, 6-hour bars; those of the test period may be drawn out."""
    generator = np.random.default_rng(7)
    times = np.datetime64("2023-01-01", "s") + np.arange(4 * 160) * np.timedelta64(6 * 3600, "s")
    drift = np.repeat(generator.standard_normal((16, 2)), 40, axis=0) * 0.004
    moves = drift + 0.01 * generator.standard_normal((640, 2))
    moves[times >= np.datetime64(PERIODS["validation_end"])] *= test_scale
    return Prices(times, np.exp(np.cumsum(moves, axis=0)), ("A", "B"), 360)


def make_experiment(**sgd: object) -> Experiment:
    settings = {"steps": STEPS, "report_every": 4, "batch_size": 2, "n_parameter_sets": 2, **sgd}
    return Experiment.from_dict(
        {
            "data": {"tokens": ["A", "B"]},
            "periods": PERIODS,
            "pool": {"rule": "momentum"},
            "update": {"max_memory_days": 20.0},
            "objective": {"bout_offset_days": 10.0, "report": ["returns_over_hodl"]},
            "parameters": {"memory_days": 5.0, "k_per_day": 1.0},
            "sgd": settings,
        }
    )


def parameters_at(store: CheckpointStore, run_id: str, at: int = STEPS) -> list[Row]:
    """Raw parameters of all sets at a step."""
    rows = [row for row in store.checkpoints(run_id=run_id) if row.step == at]
    return [dict(row.raw) for row in sorted(rows, key=lambda row: row.parameter_set)]


class Stop(Exception):
    """Stands for whatever ends a run."""


Function = Callable[[Mapping[str, Array], Array], Array]
"""Raw parameters of one set and window starts (W,) → values (W,)."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ToyObjective:
    """Stands for the objective that the evaluator makes."""

    function: Function = field(metadata={"static": True})
    shift: Array | float = 0.0

    def __call__(self, params: Mapping[str, Array], starts: Array) -> Array:
        return self.function(params, starts) + self.shift

    def map_sets(self, function: Callable[[Any], Any], sets: Any) -> Any:
        return jax.vmap(function)(sets)

    def for_windows(self, starts: Array) -> ToyObjective:
        return self

    def with_price_noise(self, scale: float, key: Array) -> ToyObjective:
        return replace(self, shift=scale * jax.random.normal(key))


@dataclass
class Toy:
    """Training on an objective given as a function, through the step that training takes."""

    program: Program
    inputs: Inputs
    state: TrainState
    info: Any = None
    rows: Any = None

    def steps(self, n_steps: int = 1) -> Toy:
        self.state, rows = advance(self.program, self.state, self.inputs, jnp.asarray(n_steps))
        self.rows = StepInfo(*(np.asarray(each)[:n_steps] for each in rows))
        self.info = StepInfo(*(np.asarray(each)[(n_steps - 1) % len(each)] for each in rows))
        return self

    @staticmethod
    def compiled() -> int:
        """Programs compiled so far."""
        return int(advance._cache_size())


def toy(
    function: Function,
    params: Mapping[str, Any],
    *,
    frozen: Mapping[str, Any] | None = None,
    restart_pool: Mapping[str, Any] | None = None,
    n_starts: int = 5,
    **sgd: Any,
) -> Toy:
    """``params`` and ``frozen`` map name → (S, m), ``restart_pool`` name → (S, B, m); windows begin at bars 0 to
    ``n_starts - 1``.
    """
    program = Program(TrainingWindows(0, 1, n_starts, 10), Sgd(**sgd))
    moved = {name: jnp.asarray(value, jnp.float64) for name, value in params.items()}
    n_sets = next(iter(moved.values())).shape[0]
    pool = restart_pool or {name: rows[:, None] for name, rows in moved.items()}
    inputs = Inputs(
        objective=ToyObjective(function),  # type: ignore[arg-type]
        frozen={name: jnp.asarray(value, jnp.float64) for name, value in (frozen or {}).items()},
        restart_pool={name: jnp.asarray(value) for name, value in pool.items()},
        active=jnp.ones(n_sets, bool),
        key=jax.random.key(0),
    )
    return Toy(program, inputs, init(program, moved))
