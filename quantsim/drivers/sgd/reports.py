"""Reports of gradient training: the state that they continue, what they say, and what they store."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from jax import Array

from quantsim.checkpoints import Checkpoint
from quantsim.checkpoints.checkpoint import STEPS
from quantsim.config import Experiment
from quantsim.drivers.evaluated import evaluated
from quantsim.drivers.sgd.patience import Patience
from quantsim.drivers.sgd.step import StepInfo, TrainState
from quantsim.drivers.sgd.training import Training
from quantsim.ranking import best_index
from quantsim.simulator import Evaluation

__all__ = ["Info", "Progress", "Session", "State", "checkpoints_of", "log_of", "progress_of"]


@dataclass(frozen=True)
class Progress:
    """The progress of a run, once per report.

    Attributes:
        step: number of steps so far.
        steps: number of steps of the run.
        objective: best train objective over the parameter sets, at this step.
        median: the median over the sets.
        best: best objective so far on the split that decides; nan if none is known.
        decides: the split that decides: validation, or train if there is no validation.
        learning_rate: learning rate of the last step, the largest of the sets.
        gradient_norm: norm of the gradient of the last step, the median of the sets; nan before the first step.
        alive: number of parameter sets that still train and whose last update was not rejected.
        steps_per_second: steps per second of this session, including reports.
        seconds_left: estimated remaining time in seconds, at this pace.
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
class Session:
    """Values of this session only.

    Attributes:
        begun: start of the session on the monotonic clock, in seconds.
        first_step: number of steps before this session.
        skipped: number of rejected updates.
        warned: parameter sets with a warning about a nan objective.
    """

    begun: float
    first_step: int
    skipped: int = 0
    warned: frozenset[int] = frozenset()


@dataclass(frozen=True)
class State:
    """The state of a run between reports.

    Attributes:
        train: training state on the device, which is stored.
        patience: state of early stopping, which follows from the stored checkpoints.
        session: values of this session.
    """

    train: TrainState
    patience: Patience
    session: Session


@dataclass(frozen=True)
class Info:
    """The content of a report.

    Attributes:
        sets: the trained sets, followed by their averages if averaging has started: raw name → (S or 2S, m).
        evaluation: metrics and daily log returns of these sets.
        steps: info of the steps since the previous report, (n_steps, S); None before the first one.
    """

    sets: dict[str, Array]
    evaluation: Evaluation
    steps: StepInfo | None


def checkpoints_of(experiment: Experiment, driver: str, run_id: str, step: int, info: Info) -> list[Checkpoint]:
    """Returns the sets of a report as checkpoints."""
    sets = {name: np.asarray(rows) for name, rows in info.sets.items()}
    return [
        evaluated(
            experiment,
            {name: rows[index] for name, rows in sets.items()},
            info.evaluation.metrics_of(index),
            info.evaluation.returns_of(index),
            run_id=run_id,
            driver=driver,
            step=step,
            parameter_set=index,
        )
        for index in range(next(iter(sets.values())).shape[0])
    ]


def progress_of(training: Training, state: State, info: Info) -> Progress:
    """Returns the progress at a report."""
    settings, steps, step = training.experiment.sgd, info.steps, int(state.train.step)
    objective = info.evaluation.metrics["train"][training.experiment.objective.name][: training.n_sets]
    highest = best_index(objective.tolist())
    seconds = time.monotonic() - state.session.begun
    pace = (step - state.session.first_step) / seconds if seconds > 0 else 0.0
    alive = state.patience.active(settings) & (np.asarray(state.train.refused) == 0)
    return Progress(
        step=step,
        steps=settings.steps,
        objective=math.nan if highest is None else float(objective[highest]),
        median=float(np.median(objective)),
        best=state.patience.best,
        decides=training.decides,
        learning_rate=math.nan if steps is None else float(np.max(steps.learning_rate[-1])),
        gradient_norm=math.nan if steps is None else float(np.median(steps.gradient_norm[-1])),
        alive=int(alive.sum()),
        steps_per_second=pace,
        seconds_left=(settings.steps - step) / pace if pace else math.inf,
    )


def log_of(steps: StepInfo) -> dict[str, Any]:
    """Returns the info of the last step and, to six digits, of all steps since the previous report, as JSON values."""
    rows = {name: np.asarray(values) for name, values in steps._asdict().items()}
    skipped = rows.pop("rejected")
    last = {name: values[-1].tolist() for name, values in rows.items()}
    curves = {name: [[float(f"{value:.6g}") for value in row] for row in values] for name, values in rows.items()}
    return {**last, "skipped": skipped.sum(axis=0).tolist(), STEPS: {**curves, "rejected": skipped.tolist()}}
