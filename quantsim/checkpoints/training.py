"""The curves of gradient training, from the checkpoints and reports of stored runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quantsim.array_types import FloatArray
from quantsim.checkpoints.checkpoint import STEPS, Report, Run
from quantsim.checkpoints.stored import study_of_run
from quantsim.errors import SelectionError

if TYPE_CHECKING:
    import pandas as pd

    from quantsim.checkpoints.store import CheckpointStore

__all__ = ["PER_STEP", "Phase", "TrainingCurves", "gradient_runs", "training_curves"]


PER_STEP = ("objective", "gradient_norm", "update_norm", "learning_rate", "rejected")
"""Names of the values of every step; ``objective`` is the mean over the windows of the step."""


@dataclass(frozen=True, eq=False)
class Phase:
    """The curves of one gradient run of ``S`` parameter sets, with ``R`` reports and ``N`` steps.

    Attributes:
        run: the run.
        round: its round in a hybrid run, from 1; 0 for a run of its own.
        reports: steps of the reports, (R,); 0 is the start.
        objective: "train" and, if there is one, "validation" → objective of each set at each report, (R, S).
        steps: numbers of the steps, (N,), from 1.
        per_step: name of :data:`PER_STEP` → values, (N, S). Runs of older versions have only the last step of each report,
            without the norm of the update, and with the number of rejected updates since the previous report.
    """

    run: Run
    round: int
    reports: NDArray[np.int64]
    objective: Mapping[str, FloatArray]
    steps: NDArray[np.int64]
    per_step: Mapping[str, FloatArray]

    @property
    def n_sets(self) -> int:
        """Number of parameter sets, ``S``."""
        return int(self.objective["train"].shape[1])


@dataclass(frozen=True, eq=False)
class TrainingCurves:
    """The curves of a run.

    Attributes:
        run: a gradient run, or the search of a hybrid run.
        metric: name of the objective.
        phases: the gradient run itself, or those of all rounds in their order.
    """

    run: Run
    metric: str
    phases: tuple[Phase, ...]

    @property
    def n_rejected(self) -> int:
        """Number of rejected updates of all sets."""
        return int(sum(phase.per_step["rejected"].sum() for phase in self.phases))

    def to_frame(self) -> pd.DataFrame:
        """Returns a row per step and parameter set.

        Columns: ``round``, ``run_id``, ``step``, ``parameter_set``; ``train`` and ``validation``, the objective at a report;
        ``batch_objective``, ``gradient_norm``, ``update_norm``, ``learning_rate`` and ``rejected`` of the step. The step 0 has
        only the first two.
        """
        import pandas as pd

        return pd.concat([_frame(phase) for phase in self.phases], ignore_index=True)


def training_curves(store: CheckpointStore, run_id: str) -> TrainingCurves:
    """Returns the curves of a gradient run, or of all gradient runs of a hybrid run.

    Args:
        store: store of the run.
        run_id: id of a gradient run, or of the search of a hybrid run; its first characters suffice.

    Raises:
        CheckpointError: there is no such run.
        SelectionError: the run has no gradient steps.

    Example:
        >>> with CheckpointStore("quantsim-results/checkpoints.db") as store:  # doctest: +SKIP
        ...     training_curves(store, "3f9c01ab").to_frame()
    """
    run = store.run(run_id)
    metric = study_of_run(run).objective.name
    first = 0 if run.driver == "sgd" else 1
    phases = [_phase(store, each, metric, at) for at, each in enumerate(gradient_runs(store, run), start=first)]
    found = tuple(phase for phase in phases if phase is not None)
    if not found:
        raise SelectionError(
            f"run {run.key} ({run.driver}) has no curves: only `quantsim sgd` and `quantsim hybrid` take gradient steps"
        )
    return TrainingCurves(run, metric, found)


def gradient_runs(store: CheckpointStore, run: Run) -> list[Run]:
    """Returns the gradient runs of a run: itself, or those of a hybrid run by round; empty for other runs.

    A hybrid run of an older version has none, because the store does not know which they are.
    """
    return [run] if run.driver == "sgd" else [part for part in store.parts(run.run_id) if part.driver == "sgd"]


def _phase(store: CheckpointStore, run: Run, metric: str, number: int) -> Phase | None:
    """Returns the curves of a gradient run; None before its first report."""
    rows = store.checkpoints(run_id=run.run_id, metrics=[metric])
    reports = store.reports(run.run_id)
    if not rows or not reports:
        return None
    n_sets = len(reports[0].content["restarts"])
    steps, per_step = _per_step(reports, n_sets)
    at = np.array(sorted({row.step for row in rows}))
    splits = [split for split in ("train", "validation") if split in rows[0].metrics]
    table = {split: np.full((at.size, n_sets), np.nan) for split in splits}
    index = {step: position for position, step in enumerate(at.tolist())}
    for row in rows:
        if row.parameter_set < n_sets:  # averages follow the sets
            for split, values in table.items():
                value = row.value(split, metric)
                values[index[row.step], row.parameter_set] = np.nan if value is None else value
    return Phase(run, number, at, table, steps, per_step)


def _per_step(reports: list[Report], n_sets: int) -> tuple[NDArray[np.int64], dict[str, FloatArray]]:
    steps: list[int] = []
    rows: dict[str, list[Any]] = {name: [] for name in PER_STEP}
    for report in reports:
        found = report.content.get(STEPS) or _last_step(report.content, n_sets)
        count = len(found["objective"])
        steps += range(report.step - count + 1, report.step + 1)
        for name, values in rows.items():
            values += found[name]
    return np.array(steps, np.int64), {
        name: np.array(values, np.float64).reshape(-1, n_sets) for name, values in rows.items()
    }


def _last_step(content: Mapping[str, Any], n_sets: int) -> dict[str, list[Any]]:
    """Returns the values of the last step of a report of an older version; none for the report of the start."""
    if "objective" not in content:
        return {name: [] for name in PER_STEP}
    known = {**content, "rejected": content["skipped"], "update_norm": [np.nan] * n_sets}
    return {name: [known[name]] for name in PER_STEP}


def _frame(phase: Phase) -> pd.DataFrame:
    import pandas as pd

    def column(index: NDArray[np.int64], values: FloatArray) -> pd.Series[Any]:
        every = pd.MultiIndex.from_product([index, range(phase.n_sets)], names=["step", "parameter_set"])
        return pd.Series(values.ravel(), every)

    columns = {split: column(phase.reports, values) for split, values in phase.objective.items()}
    names = {"objective": "batch_objective"}
    columns |= {names.get(name, name): column(phase.steps, values) for name, values in phase.per_step.items()}
    frame = pd.DataFrame(columns).reset_index()
    return frame.assign(round=phase.round, run_id=phase.run.run_id)[["round", "run_id", *frame.columns]]
