"""Tells whether the process that works on a run or a study is still at it."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

from quantsim.checkpoints import Run

__all__ = ["is_abandoned", "may_live", "process_mark"]


def process_mark() -> dict[str, Any]:
    """What identifies this process, to be stored with what it works on."""
    return {"host": socket.gethostname(), "pid": os.getpid()}


def may_live(mark: Mapping[str, Any]) -> bool:
    """Whether the process of a mark could still be there, this one excepted.

    Of a process on another machine nothing can be known from here, so it may.
    """
    if mark["host"] != socket.gethostname():
        return True
    pid = int(mark["pid"])
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_abandoned(run: Run) -> bool:
    """Whether a run was cut off, and may be taken up: it says so, or it says "running" and its process is gone."""
    if run.status != "running":
        return run.status in ("interrupted", "failed")
    return "pid" in run.notes and not may_live(run.notes)
