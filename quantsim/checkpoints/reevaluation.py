"""Evaluates parameter sets in the study of stored runs, for selection methods that need more than stored numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quantsim.checkpoints.checkpoint import IMPORTED, Run
from quantsim.checkpoints.scores import Evaluate
from quantsim.checkpoints.stored import content_of, study_of_run
from quantsim.config import Experiment
from quantsim.config.identity import Decides
from quantsim.errors import SelectionError

if TYPE_CHECKING:
    from quantsim.simulator import Evaluator

__all__ = ["evaluation_of"]

FloatArray = NDArray[np.float64]
Tables = dict[str, dict[str, FloatArray]]


def evaluation_of(
    runs: Sequence[Run], experiment: Experiment, metric: str, split: str, evaluator: Evaluator | None = None
) -> Evaluate:
    """Returns a function that evaluates parameter sets in the study of comparable runs, on their prices.

    Args:
        runs: comparable runs, at least one.
        experiment: a study with the objective; it is evaluated itself if it would give the same metrics as the runs.
        metric: the metric to compute.
        split: the split to compute it on.
        evaluator: evaluator of the study; by default, one is made when the function is called.

    Raises:
        SelectionError: by the function, if the prices are not those of the runs.
    """

    def evaluate(sets: Mapping[str, FloatArray]) -> Tables:
        made = _evaluator(runs[0], experiment) if evaluator is None else evaluator
        if made.data_id != runs[0].data_id:
            raise SelectionError(
                f"the prices or series of study {made.experiment.name!r} are not those of run {runs[0].run_id[:8]}, so the "
                "neighbours of its parameter sets cannot be evaluated: restore the files, or use another method"
            )
        return _in_calls(made, sets, metric, split)

    return evaluate


def _evaluator(run: Run, experiment: Experiment) -> Evaluator:
    """Returns the evaluator of the study of a run."""
    from quantsim.simulator import Evaluator

    if run.driver == IMPORTED:
        raise SelectionError(
            f"run {run.run_id[:8]} was imported, and its metrics were computed by another program: use another method"
        )
    same = experiment.content(Decides.VALUE) == content_of(run, Decides.VALUE)
    return Evaluator(experiment if same else study_of_run(run))


def _in_calls(evaluator: Evaluator, sets: Mapping[str, FloatArray], metric: str, split: str) -> Tables:
    """Evaluates sets in calls of equal width, so that one compiled program serves all of them."""
    n_sets, width = len(next(iter(sets.values()))), evaluator.sets_per_call
    found = []
    for begin in range(0, n_sets, width):
        members = np.minimum(np.arange(begin, begin + width), n_sets - 1)
        # The terms of periods have no names of their own, so all metrics are computed.
        names = None if "." in metric else (metric,)
        tables = evaluator.evaluate_many({name: rows[members] for name, rows in sets.items()}, names, splits=(split,))
        found.append(tables[split][metric])
    return {split: {metric: np.concatenate(found)[:n_sets]}}
