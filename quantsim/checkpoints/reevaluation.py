"""Evaluates parameter sets in the study of stored runs, for selection methods that need more than stored numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from quantsim.array_types import FloatArray
from quantsim.checkpoints.checkpoint import IMPORTED, Run
from quantsim.checkpoints.scores import Evaluate
from quantsim.checkpoints.stored import content_of, study_of_run
from quantsim.config import Experiment
from quantsim.config.identity import Decides
from quantsim.errors import SelectionError

if TYPE_CHECKING:
    from quantsim.simulator import Evaluator

__all__ = ["evaluation_of"]


def evaluation_of(
    runs: Sequence[Run], experiment: Experiment, metric: str, split: str, evaluator: Evaluator | None = None
) -> Evaluate:
    """Returns a function that evaluates parameter sets in the study of comparable runs, on their prices.

    Args:
        runs: comparable runs, at least one.
        experiment: a study with the objective; it is evaluated itself if it would give the same metrics as the runs.
        metric: name of the metric.
        split: name of the split.
        evaluator: evaluator of the study; by default, one is made when the function is called.

    Raises:
        SelectionError: by the function, if the prices are not those of the runs.
    """

    def evaluate(sets: Mapping[str, FloatArray]) -> Mapping[str, Mapping[str, FloatArray]]:
        made = _evaluator(runs[0], experiment) if evaluator is None else evaluator
        if made.data_id != runs[0].data_id:
            raise SelectionError(
                f"the prices or series of study {made.experiment.name!r} are not those of run {runs[0].key}, so the "
                "neighbours of its parameter sets cannot be evaluated: restore the files, or use another method"
            )
        names = None if "." in metric else (metric,)  # metrics of periods are computed with all others
        return made.evaluate_sets(sets, names, splits=(split,)).metrics

    return evaluate


def _evaluator(run: Run, experiment: Experiment) -> Evaluator:
    """Returns the evaluator of the study of a run."""
    from quantsim.simulator import Evaluator

    if run.driver == IMPORTED:
        raise SelectionError(
            f"run {run.key} was imported, and its metrics were computed by another program: use another method"
        )
    same = experiment.content(Decides.VALUE) == content_of(run, Decides.VALUE)
    return Evaluator(experiment if same else study_of_run(run))
