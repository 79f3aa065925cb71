"""Stores outcomes of trials in the study, and converts them to checkpoints."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from quantsim.checkpoints import Checkpoint
from quantsim.config import Experiment
from quantsim.drivers.evaluated import evaluated
from quantsim.drivers.search.evaluation import Metrics, RawParams, Returns
from quantsim.drivers.search.study import METRICS, REASON
from quantsim.drivers.search.values import constraint_values, trial_values, unfit
from quantsim.optuna_private import set_trial_attribute, trial_id, writing_together
from quantsim.report.study_note import dashboard_attributes
from quantsim.search_space import SearchSpace

__all__ = ["Outcome", "checkpoint_of", "parameters_of", "tell"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a trial.

    Attributes:
        metrics: split → metric → value; None if it failed or was pruned.
        daily_log_returns: split → (D-1,) daily log returns, which the study does not store.
        error: why the trial could not be evaluated; None if it could.
        reports: values for the pruner: means of the objective over the first block of the training period, the first two, …
        pruner_attrs: attributes that the pruner added to the trial.
    """

    metrics: Metrics | None = None
    daily_log_returns: Returns = field(default_factory=dict, compare=False)
    error: str | None = None
    reports: tuple[float, ...] = ()
    pruner_attrs: Mapping[str, Any] = field(default_factory=dict)


def tell(study: Study, experiment: Experiment, trial: FrozenTrial, outcome: Outcome) -> FrozenTrial:
    """Stores the outcome of a running trial, and returns the trial as it is stored.

    The state is stored last: a trial whose telling was interrupted is still running, and is told again.
    """
    running, metrics = Trial(study, trial_id(trial)), outcome.metrics
    reason = outcome.error if metrics is None else unfit(experiment, metrics)
    with writing_together(study):
        for step, value in enumerate(outcome.reports):
            if step not in trial.intermediate_values:
                running.report(value, step)
        for key, value in outcome.pruner_attrs.items():
            set_trial_attribute(study, trial, key, value)
        if reason is not None:
            running.set_user_attr(REASON, reason)
        elif metrics is not None:
            _describe(running, experiment, metrics)
    if reason is not None:
        if metrics is None:
            logger.warning("trial %d failed: %s", trial.number, reason)
        return study.tell(running, state=TrialState.FAIL)
    if metrics is None:
        return study.tell(running, state=TrialState.PRUNED)
    return study.tell(running, trial_values(experiment, metrics))


def _describe(running: Trial, experiment: Experiment, metrics: Metrics) -> None:
    """Stores the metrics of a trial, its columns in the dashboard, and its constraints."""
    stored = {split: {name: _number_or_text(x) for name, x in table.items()} for split, table in metrics.items()}
    for name, column in {METRICS: stored, **dashboard_attributes(metrics, experiment.objective.name)}.items():
        running.set_user_attr(name, column)
    for name, value in constraint_values(experiment, metrics).items():
        running.set_constraint(name, value)


def _number_or_text(value: float) -> float | str:
    """Returns the number as a JSON value; non-finite numbers become texts that ``float`` reads."""
    return value if math.isfinite(value) else str(value)


def parameters_of(trial: FrozenTrial, experiment: Experiment, space: SearchSpace) -> RawParams:
    """Returns the complete parameters of a trial: raw name → (n,)."""
    return experiment.initial_parameters(space.to_params(trial.params))


def checkpoint_of(
    trial: FrozenTrial, returns: Returns, run_id: str, experiment: Experiment, space: SearchSpace
) -> Checkpoint:
    """Returns the checkpoint of a completed trial with its daily log returns; its step is the trial number."""
    completed = trial.datetime_complete  # local and naive, as Optuna keeps times
    return evaluated(
        experiment,
        parameters_of(trial, experiment, space),
        trial.user_attrs[METRICS],
        returns,
        run_id=run_id,
        driver="search",
        step=trial.number,
        created_at=None if completed is None else completed.astimezone(UTC),
    )
