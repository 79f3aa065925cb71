"""Which trials of a study are worth a picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

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
    """The completed trials that are worth a look, at most ``k``.

    With one objective: first the one that is best on validation data, which the default selection takes, then those of the
    highest value. With several: of the Pareto front, first its balanced member, then the best in each objective, then
    those nearest to the ideal point. Trials that break constraints come only if all do; test data have no say.

    Args:
        study: whose values are maximised.
        experiment: what it searches.
        k: how many.
    """
    kept = kept_trials(study.get_trials(deepcopy=False))
    if not kept:
        return []
    if len(kept[0].values) > 1:
        values = np.array([trial.values for trial in kept], np.float64)
        front = pareto_front(values)
        order = [kept[front[row]] for row in _front_order(values[front])]
    else:
        name = experiment.objective.name
        chosen = best_index(
            [_validation(trial, name) for trial in kept], [_validation(trial, TIE_METRIC) for trial in kept]
        )
        order = [*([] if chosen is None else [kept[chosen]]), *ranked_trials(kept)]
    return list({trial.number: trial for trial in order}.values())[:k]


def _front_order(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[int]:
    """All rows of a front (F, K): the balanced one, the best in each objective, the others by distance to the ideal point."""
    distances = np.linalg.norm(1.0 - normalised(values), axis=1)
    return [balanced(values), *values.argmax(axis=0).tolist(), *np.argsort(distances, kind="stable").tolist()]


def _validation(trial: FrozenTrial, metric: str) -> float:
    """A metric on validation data, nan where there is none."""
    return float(trial.user_attrs.get(METRICS, {}).get("validation", {}).get(metric, math.nan))
