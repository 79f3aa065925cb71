"""The checkpoint store that all drivers write to, and selection from it.

* Storing: ``checkpoint`` (values), ``store`` and ``database``, ``stored`` and ``older`` (the study of a run), ``published``
  (results of quantammsim).
* Selecting: ``methods``, ``eligible``, ``pareto`` and ``selection`` among rows, ``comparable`` and ``picking`` among runs.
* Using stored parameter sets: ``starts``, ``finding`` and ``gains``.

``CheckpointStore`` is imported on first use, so that selecting among rows in memory does not load SQLAlchemy.
``docs/checkpoints.md`` explains the store and the selection methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quantsim.baseline import BASELINES, Baseline
from quantsim.checkpoints.checkpoint import Checkpoint, Report, Run, RunState
from quantsim.checkpoints.methods import FRONT_METHODS, LOAD_METHODS, SELECTION_METHODS
from quantsim.checkpoints.returns import ReturnsTable
from quantsim.checkpoints.selection import Selection, select, top

if TYPE_CHECKING:
    from quantsim.checkpoints.store import CheckpointStore

__all__ = [
    "BASELINES",
    "FRONT_METHODS",
    "LOAD_METHODS",
    "SELECTION_METHODS",
    "Baseline",
    "Checkpoint",
    "CheckpointStore",
    "Report",
    "ReturnsTable",
    "Run",
    "RunState",
    "Selection",
    "select",
    "top",
]


def __getattr__(name: str) -> Any:
    if name == "CheckpointStore":
        from quantsim.checkpoints.store import CheckpointStore

        return CheckpointStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
