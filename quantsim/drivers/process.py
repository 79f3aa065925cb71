"""Tells whether the process that began a run is still at it."""

from __future__ import annotations

import os
import socket
from typing import Any

from quantsim.checkpoints import Run

__all__ = ["is_abandoned", "process_mark"]


def process_mark() -> dict[str, Any]:
    """What identifies this process, to be stored with a run's notes."""
    return {"host": socket.gethostname(), "pid": os.getpid()}


def is_abandoned(run: Run) -> bool:
    """Whether an unfinished run may be taken up: it was cut off, or its process is gone from this machine.

    A run that still says "running" on another machine is left alone: whether it lives cannot be known from here.
    """
    if run.status != "running":
        return run.status in ("interrupted", "failed")
    if run.notes.get("host") != socket.gethostname():
        return False
    pid = int(run.notes.get("pid", 0))
    if pid == os.getpid() or pid <= 0:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
