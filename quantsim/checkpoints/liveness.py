"""Which process works on a run or a study, and whether it may still be alive."""

from __future__ import annotations

import os
import socket
import sys
import uuid
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from quantsim.checkpoints.checkpoint import Run

__all__ = ["is_abandoned", "is_elsewhere", "is_live", "may_be_alive", "process_identity"]

_FIRST_NAMESPACE = "pid:[4026531836]"
"""The namespace of process ids that every Linux starts with, on any machine; containers have others."""


def process_identity() -> dict[str, Any]:
    """Returns the identity of this process, as JSON values, to be stored with its runs.

    Process ids are used again, on one machine and after it was rebooted. Together with the time the process began and the id of
    the boot they are unique.
    """
    return {**_machine(), "pid": os.getpid(), "begun": _begun(os.getpid())}


def may_be_alive(identity: Mapping[str, Any]) -> bool:
    """Whether a process other than this one may still be alive.

    Nothing can be known of a process on another machine or in another container, so it may. Machines are told apart by their
    host names. Identities that version 0.1.0 stored have a host and a process id only.
    """
    here = _machine()
    if identity.get("host") != here["host"]:
        return True
    if identity.get("namespace", here["namespace"]) != here["namespace"]:
        return True
    if identity.get("boot", here["boot"]) != here["boot"]:
        # The machine was rebooted; in a container it may also be another machine, on which the host name is the same.
        return here["namespace"] not in (None, _FIRST_NAMESPACE)
    pid = identity["pid"]
    return isinstance(pid, int) and pid != os.getpid() and _is_alive(pid, identity.get("begun"))


def is_abandoned(run: Run) -> bool:
    """Whether a run was cut off, and may be resumed: it says so, or it says "running" and its process is gone."""
    if run.status != "running":
        return run.status in ("interrupted", "failed")
    return "pid" in run.notes and not may_be_alive(run.notes)


def is_live(run: Run) -> bool:
    """Whether a run is in progress, as far as is known: in this process, in another one, or on another machine."""
    if run.status != "running":
        return False
    return "pid" not in run.notes or may_be_alive(run.notes) or _is_this_process(run.notes)


def is_elsewhere(run: Run) -> bool:
    """Whether a run says "running", and nothing here shows whether its process is alive."""
    return run.status == "running" and ("pid" not in run.notes or run.notes.get("host") != _machine()["host"])


def _is_this_process(identity: Mapping[str, Any]) -> bool:
    own = process_identity()
    return all(identity.get(name, value) == value for name, value in own.items())


def _is_alive(pid: int, begun: str | None) -> bool:
    if sys.platform == "win32":  # os.kill would terminate the process on Windows
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # there is no such number
        return False
    except PermissionError:
        pass
    now = _begun(pid)
    return now != "ended" and (begun is None or now is None or now == begun)


def _begun(pid: int) -> str | None:
    """Returns when a process began, as the kernel counts; "ended" for one that waits to be collected, None if unknown."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name of the program may contain any characters
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
