"""Selects the trials of a study that get a picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from quantsim.checkpoints.pareto import balanced, normalised, pareto_front
from quantsim.config import Experiment
from quantsim.drivers.search.study import METRICS
from quantsim.drivers.search.values import kept_trials, ranked_trials
from quantsim.ranking import TIE_METRIC, best_index

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

__all__ = ["notable_trials"]


def notable_trials(study: Study, experiment: Experiment, k: int = 3) -> list[FrozenTrial]:
    """Returns up to ``k`` completed trials that get a picture.

    With one objective: the trial with the best validation metric, which the default selection picks, then those with the
    highest values. With several: the balanced member of the Pareto front, then the best in each objective, then those nearest
    to the ideal point. Trials that violate constraints are left out, unless all do. Test data is not used.

    Args:
        study: the study.
        experiment: experiment of the study.
        k: largest number of trials.
    """
    kept = kept_trials(study.get_trials(deepcopy=False))
    if not kept:
        return []
    if len(kept[0].values) > 1:
        values = np.array([trial.values for trial in kept], np.float64)
        front = pareto_front(values)
        distances = np.linalg.norm(1.0 - normalised(values[front]), axis=1)
        rows = [balanced(values[front]), *values[front].argmax(axis=0), *np.argsort(distances, kind="stable")]
        order = [kept[front[row]] for row in rows]
    else:
        objective, ties = (
            [float(trial.user_attrs.get(METRICS, {}).get("validation", {}).get(name, math.nan)) for trial in kept]
            for name in (experiment.objective.name, TIE_METRIC)
        )
        chosen = best_index(objective, ties)
        order = [*([] if chosen is None else [kept[chosen]]), *ranked_trials(kept)]
    return list({trial.number: trial for trial in order}.values())[:k]
