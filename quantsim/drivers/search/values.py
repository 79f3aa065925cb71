"""The values of trials: objectives, constraint violations, and ranking."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from optuna.trial import FrozenTrial, TrialState

from quantsim.checkpoints.pareto import pareto_front, signed
from quantsim.config import Experiment
from quantsim.drivers.search.study import METRICS
from quantsim.errors import ConfigError, nearest
from quantsim.metrics import get_metric, metric_names
from quantsim.objective import OBJECTIVE, nan_reason
from quantsim.ranking import TIE_METRIC, clamped, gain, rank

__all__ = [
    "best_trials",
    "check_objectives",
    "constraint_values",
    "kept_trials",
    "ranked_trials",
    "tie_of",
    "trial_values",
    "unfit",
]

Metrics = Mapping[str, Mapping[str, float]]


def trial_values(experiment: Experiment, metrics: Metrics) -> tuple[float, ...]:
    """Returns the objectives of an evaluated set, from its train metrics; they may be infinite.

    With one objective, ``search.overfitting_penalty`` times the excess of train over validation is subtracted. Ratios are
    bounded for this. If the excess is infinite, the value is ``-inf``.

    Args:
        experiment: experiment with the objectives.
        metrics: split → metric → value.
    """
    train, penalty = metrics["train"], experiment.search.overfitting_penalty
    if not penalty:
        return tuple(_signed(name, train) for name in experiment.search_objectives)
    name = experiment.objective.name
    bound = math.inf if name == OBJECTIVE else get_metric(name).bound
    value, other = (_within(metrics[split][name], bound) for split in ("train", "validation"))
    gap = gain(value, other)
    if gap == math.inf:
        return (-math.inf,)
    return (gap if math.isnan(gap) else value - penalty * max(gap, 0.0),)


def constraint_values(experiment: Experiment, metrics: Metrics) -> dict[str, float]:
    """Returns constraint → minimum minus its train metric, which is at most 0 if it is met, as Optuna expects.

    Infinite values are clamped, because samplers add them and the dashboard's JSON has no infinity.
    """
    return {name: clamped(minimum - metrics["train"][name]) for name, minimum in experiment.objective.constraints}


def unfit(experiment: Experiment, metrics: Metrics) -> str | None:
    """Returns why a trial with these metrics fails: an objective or a constraint is nan. None if it does not fail."""
    for name, value in zip(experiment.search_objectives, trial_values(experiment, metrics), strict=True):
        if math.isnan(value):
            plain, _ = signed(name)
            splits = ("train", "validation") if experiment.search.overfitting_penalty else ("train",)
            return "; ".join(
                nan_reason(experiment.objective, split, plain, metrics[split])
                for split in splits
                if math.isnan(metrics[split][plain])
            )
    for name, _ in experiment.objective.constraints:
        if math.isnan(metrics["train"][name]):
            return f"constraint: {nan_reason(experiment.objective, 'train', name, metrics['train'])}"
    return None


def tie_of(trial: FrozenTrial) -> float | None:
    """Returns the metric that breaks ties between completed trials of equal value; None if it is not stored."""
    stored = trial.user_attrs.get(METRICS, {}).get("train", {}).get(TIE_METRIC)
    return None if stored is None else float(stored)


def kept_trials(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Returns the completed trials that meet all constraints, or all completed ones if none does."""
    completed = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    return [trial for trial in completed if all(value <= 0.0 for value in trial.constraints.values())] or completed


def ranked_trials(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Returns completed trials of one objective, the best first, ranked as in :mod:`quantsim.ranking`."""
    return sorted(trials, key=lambda trial: rank(trial.values[0], tie_of(trial)), reverse=True)


def best_trials(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Returns the best trial that meets the constraints, or for several objectives the Pareto front of such trials."""
    kept = kept_trials(trials)
    if not kept or len(kept[0].values) == 1:
        return ranked_trials(kept)[:1]
    return [kept[row] for row in pareto_front([trial.values for trial in kept])]


def check_objectives(experiment: Experiment) -> None:
    """Raises ConfigError if ``search.objectives`` has a name that the evaluator does not compute."""
    objective = experiment.objective
    periods = objective.n_periods + objective.n_random_periods + len(objective.periods)
    parts = ("mean", "std", "worst", *(f"period_{index}" for index in range(1, periods + 1)))
    known = {*metric_names(), objective.name}
    if periods > 1:
        known |= {f"{term}.{part}" for term, _ in objective.terms for part in parts}
    for name in experiment.search.objectives:
        plain, _ = signed(name)
        if plain not in known:
            raise ConfigError(
                f"search.objectives: {name!r} is not a metric of this study; {nearest(plain, known)} (metrics of periods, such "
                f"as {objective.metric}.worst, need objective.n_periods above 1)"
            )


def _signed(name: str, values: Mapping[str, float]) -> float:
    plain, sign = signed(name)
    return sign * values[plain]


def _within(value: float, bound: float) -> float:
    return value if math.isnan(value) else min(max(value, -bound), bound)
