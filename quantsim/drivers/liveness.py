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

from quantsim.checkpoints import CheckpointStore, Run
from quantsim.checkpoints.stored import of_same_study
from quantsim.config.identity import Decides
from quantsim.simulator import Evaluator

__all__ = ["is_abandoned", "may_be_alive", "process_identity", "unfinished_runs"]

_FIRST_NAMESPACE = "pid:[4026531836]"
"""The namespace of process ids that every Linux starts with, on any machine; containers have others."""


def process_identity() -> dict[str, Any]:
    """The identity of this process, as JSON values, to be stored with what it works on.

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
    pid = int(identity["pid"])
    return pid != os.getpid() and _is_alive(pid, identity.get("begun"))


def is_abandoned(run: Run) -> bool:
    """Whether a run was cut off, and may be resumed: it says so, or it says "running" and its process is gone."""
    if run.status != "running":
        return run.status in ("interrupted", "failed")
    return "pid" in run.notes and not may_be_alive(run.notes)


def unfinished_runs(store: CheckpointStore, driver: str, evaluator: Evaluator, purpose: Decides) -> list[Run]:
    """Returns a driver's abandoned runs on the same data with the same study (keys for ``purpose``), newest first."""
    runs = store.find_runs(driver=driver, data_id=evaluator.data_id)
    return of_same_study(filter(is_abandoned, runs), evaluator.experiment, purpose)


def _is_alive(pid: int, begun: str | None) -> bool:
    if sys.platform == "win32":  # os.kill would terminate the process on Windows
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
    """When a process began, as the kernel counts; "ended" for one that waits to be collected, None if unknown."""
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
