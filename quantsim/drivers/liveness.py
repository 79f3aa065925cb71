"""Finds the runs of a driver that were cut off, and may be resumed."""

from __future__ import annotations

from quantsim.checkpoints import CheckpointStore, Run
from quantsim.checkpoints.liveness import is_abandoned
from quantsim.checkpoints.stored import of_same_study
from quantsim.config.identity import Decides
from quantsim.simulator import Evaluator

__all__ = ["unfinished_runs"]


def unfinished_runs(store: CheckpointStore, driver: str, evaluator: Evaluator, purpose: Decides) -> list[Run]:
    """Returns a driver's abandoned runs on the same data with the same study (keys for ``purpose``), newest first."""
    runs = store.find_runs(driver=driver, data_id=evaluator.data_id)
    return of_same_study(filter(is_abandoned, runs), evaluator.experiment, purpose)
