"""What a trial is worth to the study: its values, one per objective, how far it breaks the constraints, and which is best."""

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
    """The objectives of an evaluated set, from its train metrics; ± infinity is one of the values.

    With one objective, ``search.overfitting_penalty`` times what train is better than validation by is taken off. A ratio is
    bounded for that; where the difference is infinite all the same, the value is ``-inf``.

    Args:
        experiment: says what is maximised.
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
    """Constraint → how far its train metric falls short of its minimum; at most 0 where it holds, as Optuna has it.

    Finite, unless it is nan: samplers add them up, and the dashboard's JSON has no infinity.
    """
    return {name: clamped(minimum - metrics["train"][name]) for name, minimum in experiment.objective.constraints}


def unfit(experiment: Experiment, metrics: Metrics) -> str | None:
    """Why a trial with these metrics fails: an objective or a constraint that is nan; None if it does not."""
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
    """What tells a completed trial from others of the same value; None where it is not stored."""
    stored = trial.user_attrs.get(METRICS, {}).get("train", {}).get(TIE_METRIC)
    return None if stored is None else float(stored)


def kept_trials(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """The completed trials that keep all constraints, or all completed ones where none does."""
    completed = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    return [trial for trial in completed if all(value <= 0.0 for value in trial.constraints.values())] or completed


def ranked_trials(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Completed trials of one objective, the best first, as :mod:`quantsim.ranking` has it."""
    return sorted(trials, key=lambda trial: rank(trial.values[0], tie_of(trial)), reverse=True)


def best_trials(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """The best of the trials that keep the constraints, alone, or their front where there are several objectives."""
    kept = kept_trials(trials)
    if not kept or len(kept[0].values) == 1:
        return ranked_trials(kept)[:1]
    return [kept[row] for row in pareto_front([trial.values for trial in kept])]


def check_objectives(experiment: Experiment) -> None:
    """Raises ConfigError where ``search.objectives`` names what the evaluator does not give."""
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
                f"search.objectives: {name!r} is no metric here; {nearest(plain, known)} (metrics of periods, such as "
                f"{objective.metric}.worst, are those of the objective, with objective.n_periods above 1)"
            )


def _signed(name: str, values: Mapping[str, float]) -> float:
    plain, sign = signed(name)
    return sign * values[plain]


def _within(value: float, bound: float) -> float:
    return value if math.isnan(value) else min(max(value, -bound), bound)
