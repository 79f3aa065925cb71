"""Marks of processes, to be stored with what they work on; and whether the process of a mark is still at it."""

from __future__ import annotations

import os
import socket
import sys
import uuid
from collections.abc import Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from quantsim.checkpoints import CheckpointStore, Run
from quantsim.checkpoints.stored import of_same_study
from quantsim.config.identity import Decides
from quantsim.simulator import Evaluator

__all__ = ["Presence", "is_abandoned", "may_live", "own_mark", "presence", "unfinished_runs"]

_FIRST_NAMESPACE = "pid:[4026531836]"
"""The namespace of process numbers that every Linux starts with, whatever machine it is; containers have others."""


class Presence(Enum):
    """What can be known here of the process of a mark."""

    ALIVE = "alive"
    GONE = "gone"
    ELSEWHERE = "elsewhere"


def own_mark() -> dict[str, Any]:
    """The mark of this process.

    A process number is given out again, within one machine and after it was started anew; with the time the process began
    and the number of the machine's start it is not.
    """
    return {**_machine(), "pid": os.getpid(), "begun": _begun(os.getpid())}


def presence(mark: Mapping[str, Any]) -> Presence:
    """Whether the process of a mark is there. Host names are taken to tell machines apart; marks of 0.1.0 hold no more."""
    here = _machine()
    if mark.get("host") != here["host"]:
        return Presence.ELSEWHERE
    if mark.get("namespace", here["namespace"]) != here["namespace"]:
        return Presence.ELSEWHERE  # another container of this machine, whose processes have numbers of their own
    if mark.get("boot", here["boot"]) != here["boot"]:
        started_anew = here["namespace"] in (None, _FIRST_NAMESPACE)
        return Presence.GONE if started_anew else Presence.ELSEWHERE
    return Presence.ALIVE if _is_alive(int(mark["pid"]), mark.get("begun")) else Presence.GONE


def may_live(mark: Mapping[str, Any]) -> bool:
    """Whether the process of a mark could still be at it, this one excepted.

    Of a process elsewhere nothing can be known from here, so it may.
    """
    found = presence(mark)
    return found is Presence.ELSEWHERE or (found is Presence.ALIVE and int(mark["pid"]) != os.getpid())


def is_abandoned(run: Run) -> bool:
    """Whether a run was cut off, and may be taken up: it says so, or it says "running" and its process is gone."""
    if run.status != "running":
        return run.status in ("interrupted", "failed")
    return "pid" in run.notes and not may_live(run.notes)


def unfinished_runs(store: CheckpointStore, driver: str, evaluator: Evaluator, purpose: Decides) -> list[Run]:
    """The abandoned runs of a driver on the same data whose study decides ``purpose`` as the evaluator's does, newest first."""
    runs = store.find_runs(driver=driver, data_id=evaluator.data_id)
    return of_same_study(filter(is_abandoned, runs), evaluator.experiment, purpose)


def _is_alive(pid: int, begun: str | None) -> bool:
    if sys.platform == "win32":  # os.kill would end the process there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    now = _begun(pid)
    return now != "ended" and (begun is None or now is None or now == begun)


def _begun(pid: int) -> str | None:
    """When a process began, in the kernel's own count; "ended" for one that waits to be collected, None if unknown."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before may hold anything
    return "ended" if fields[0] in "ZX" else fields[19]


@cache
def _machine() -> dict[str, Any]:
    return {"host": socket.gethostname(), "boot": _boot(), "namespace": _namespace()}


def _boot() -> str | None:
    try:
        return str(uuid.UUID(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()))
    except (OSError, ValueError):
        return None


def _namespace() -> str | None:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return None
