"""The parameter set of a run that the drivers' default selection picks, without opening the study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quantsim.checkpoints.checkpoint import IMPORTED, Checkpoint
from quantsim.checkpoints.pareto import signed
from quantsim.checkpoints.runs.entries import RunSummary
from quantsim.checkpoints.selection import select
from quantsim.errors import SelectionError
from quantsim.ranking import TIE_METRIC

if TYPE_CHECKING:
    from quantsim.checkpoints.store import CheckpointStore

__all__ = ["chosen_of_run"]

_OF_IMPORTED = "best_train_objective"
"""The method for runs of quantammsim, which store what they maximised."""


def chosen_of_run(store: CheckpointStore, summary: RunSummary) -> tuple[Checkpoint, str]:
    """Returns the selected set of a run with its daily log returns, and how it was selected: "best_validation", ...

    It is the best by the objective on validation data, or on train data if there is none; for several objectives, the balanced
    choice of their front on train data, among the sets that meet the constraints; for an imported run, the best by its own
    objective on train data.

    Raises:
        SelectionError: nothing can be selected.
    """
    if not summary.checkpoints:
        raise SelectionError(f"run {summary.run.key} has no checkpoint yet")
    if summary.run.driver == IMPORTED:
        selection = select(store.checkpoints(run_id=summary.run.run_id), _OF_IMPORTED)
        return store.get(selection.checkpoint.checkpoint_id), _OF_IMPORTED
    config = summary.run.config
    objectives = _table(config, "search").get("objectives") or ()
    metrics: tuple[str, ...] = tuple(objectives) if len(objectives) > 1 else ()
    if not metrics and summary.objective is None:
        raise SelectionError(f"the study of run {summary.run.key} names no objective")
    metrics = metrics or (str(summary.objective),)
    several = len(metrics) > 1
    constraints = dict(_table(config, "objective").get("constraints") or {}) if several else {}
    names = {*(signed(name)[0] for name in metrics), *constraints, TIE_METRIC}
    rows = store.checkpoints(run_id=summary.run.run_id, metrics=names)
    has_validation = any(row.value("validation", metrics[0]) is not None for row in rows)
    method = "balanced" if several else "best_validation" if has_validation else "best_train"
    selection = select(rows, method, metrics if several else metrics[0], constraints=constraints or None)
    return store.get(selection.checkpoint.checkpoint_id), method


def _table(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = config.get(name)
    return table if isinstance(table, Mapping) else {}
