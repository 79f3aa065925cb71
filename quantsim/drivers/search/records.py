"""From trials to checkpoints: complete parameters, plain metrics, and copying into the checkpoint store."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from quantsim.checkpoints import Checkpoint, CheckpointStore
from quantsim.config import Experiment
from quantsim.drivers.evaluated import evaluated
from quantsim.drivers.search.space import SearchSpace
from quantsim.drivers.search.study import METRICS

__all__ = ["Recorder", "checkpoint_of", "json_number", "plain_metrics"]

FloatArray = NDArray[np.float64]


def plain_metrics(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """The metrics as Python floats, whatever the evaluator made them of: the one place where they are converted."""
    return {split: {name: float(value) for name, value in table.items()} for split, table in metrics.items()}


def json_number(value: float) -> float | str:
    """The number as a JSON value; one that is not finite, which JSON lacks, as text that ``float`` reads."""
    return value if math.isfinite(value) else str(value)


def checkpoint_of(trial: FrozenTrial, run_id: str, experiment: Experiment, space: SearchSpace) -> Checkpoint:
    """The checkpoint of a completed trial; its step is the trial's number."""
    raw = experiment.initial_parameters(space.to_params(trial.params))
    completed = trial.datetime_complete  # local and naive, as Optuna keeps times
    return evaluated(
        experiment,
        raw,
        trial.user_attrs[METRICS],
        run_id=run_id,
        driver="search",
        step=trial.number,
        created_at=None if completed is None else completed.astimezone(UTC),
    )


class Recorder:
    """Copies completed trials into a run of the checkpoint store, each once."""

    def __init__(self, store: CheckpointStore, run_id: str, experiment: Experiment, space: SearchSpace) -> None:
        self._store, self.run_id = store, run_id
        self._experiment, self._space = experiment, space
        self._copied = {checkpoint.step for checkpoint in store.checkpoints(run_id=run_id, metrics=())}
        self._pending: list[Checkpoint] = []

    def add(self, trial: FrozenTrial) -> None:
        """Takes a settled trial, to be written by :meth:`flush`."""
        if trial.state is not TrialState.COMPLETE or trial.number in self._copied:
            return
        self._copied.add(trial.number)
        self._pending.append(checkpoint_of(trial, self.run_id, self._experiment, self._space))

    def flush(self) -> None:
        """Writes what has gathered, in one transaction."""
        if self._pending:
            self._store.append(self.run_id, self._pending)
            self._pending = []
