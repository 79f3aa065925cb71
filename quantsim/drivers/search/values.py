"""What a trial is worth to the study: its values, one per objective, and how far it breaks the constraints."""

from __future__ import annotations

import math
from collections.abc import Mapping

from quantsim.checkpoints.pareto import signed
from quantsim.config import Experiment
from quantsim.errors import ConfigError, nearest
from quantsim.metrics import metric_names

__all__ = ["check_objectives", "constraint_values", "objective_names", "trial_values", "unfit"]

Metrics = Mapping[str, Mapping[str, float]]


def objective_names(experiment: Experiment) -> tuple[str, ...]:
    """The study's objectives, all maximised: those of ``search.objectives``, or the experiment's own objective.

    A name is a metric, or a metric of the periods such as ``sharpe.worst``; with a minus before it, it is minimised.
    """
    return experiment.search.objectives or (experiment.objective.name,)


def trial_values(experiment: Experiment, metrics: Metrics) -> tuple[float, ...]:
    """The objectives of an evaluated set, from its train metrics.

    With one objective, ``search.overfitting_penalty`` times what train is better than validation by is taken off.

    Args:
        experiment: says what is maximised.
        metrics: split → metric → value.
    """
    train = metrics["train"]
    values = tuple(_signed(name, train) for name in objective_names(experiment))
    penalty = experiment.search.overfitting_penalty
    if not penalty:
        return values
    (value,), name = values, experiment.objective.name
    gap = train[name] - metrics["validation"][name]
    return (value - penalty * max(gap, 0.0) if math.isfinite(gap) else gap,)


def constraint_values(experiment: Experiment, metrics: Metrics) -> dict[str, float]:
    """Constraint → how far its train metric falls short of its minimum; at most 0 where it holds, as Optuna has it."""
    return {name: minimum - metrics["train"][name] for name, minimum in experiment.objective.constraints}


def unfit(experiment: Experiment, metrics: Metrics) -> str | None:
    """Why a trial with these metrics fails: an objective or a constraint that is not finite; None if it does not."""
    for name, value in zip(objective_names(experiment), trial_values(experiment, metrics), strict=True):
        if not math.isfinite(value):
            plain, _ = signed(name)
            found = {
                split: table[plain] for split, table in metrics.items() if not math.isfinite(table.get(plain, 0.0))
            }
            return ", ".join(f"{split} {plain} is {number}" for split, number in found.items() if split != "test")
    for name, value in constraint_values(experiment, metrics).items():
        if math.isnan(value):
            return f"constraint {name} is {metrics['train'][name]}"
    return None


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
