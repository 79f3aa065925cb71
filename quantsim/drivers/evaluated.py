"""Converts an evaluated parameter set to a checkpoint. Arrays only become plain numbers here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from quantsim.array_types import FloatArray
from quantsim.checkpoints import Checkpoint
from quantsim.config import Experiment

__all__ = ["evaluated"]


def evaluated(
    experiment: Experiment,
    raw: Mapping[str, FloatArray],
    metrics: Mapping[str, Mapping[str, float]],
    daily_log_returns: Mapping[str, FloatArray],
    *,
    run_id: str,
    driver: str,
    step: int,
    parameter_set: int = 0,
    created_at: datetime | None = None,
) -> Checkpoint:
    """Returns the checkpoint of a parameter set. Its objective is the train metric that the experiment maximises.

    Args:
        experiment: experiment of the set.
        raw: raw name → (n,), complete.
        metrics: split → metric → value.
        daily_log_returns: split → (D-1,); empty if they are not known.
        run_id: id of the run in the store.
        driver: name of the driver.
        step: gradient step or trial number.
        parameter_set: index within the step.
        created_at: time of creation; default: now.
    """
    times: dict[str, Any] = {} if created_at is None else {"created_at": created_at}
    return Checkpoint(
        run_id=run_id,
        step=step,
        parameter_set=parameter_set,
        driver=driver,
        raw=_plain(raw),
        human=_plain(experiment.human_parameters(raw)),
        metrics=metrics,
        daily_log_returns=daily_log_returns,
        objective=metrics["train"][experiment.objective.name],
        **times,
    )


def _plain(arrays: Mapping[str, FloatArray]) -> dict[str, tuple[float, ...]]:
    return {name: tuple(values.tolist()) for name, values in arrays.items()}
