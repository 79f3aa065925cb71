"""The one store that both drivers write to, and the one logic that picks from it.

``CheckpointStore`` is imported on first use, so that selecting among rows already at hand does not load SQLAlchemy.
``docs/checkpoints.md`` says what is stored and what each selection method means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quantsim.checkpoints.checkpoint import Checkpoint, Report, Run, RunState
from quantsim.checkpoints.methods import FRONT_METHODS, LOAD_METHODS, SELECTION_METHODS
from quantsim.checkpoints.selection import Selection, select, top

if TYPE_CHECKING:
    from quantsim.checkpoints.store import CheckpointStore

__all__ = [
    "FRONT_METHODS",
    "LOAD_METHODS",
    "SELECTION_METHODS",
    "Checkpoint",
    "CheckpointStore",
    "Report",
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
