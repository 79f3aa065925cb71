"""Identities of processes: whether the process that left one may still be alive."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from quantsim.checkpoints import liveness
from quantsim.checkpoints.liveness import may_be_alive, process_identity


@pytest.fixture(scope="module")
def other() -> Iterator[int]:
    """The id of another process that lives."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        yield child.pid
        child.communicate(b"\n")


def test_this_process_and_those_that_are_gone_are_not_waited_for():
    own = process_identity()
    assert not may_be_alive(own)
    assert not may_be_alive({**own, "pid": 2**22 + 1})
    assert not may_be_alive({"host": socket.gethostname(), "pid": 2**22 + 1})


def test_another_process_may_be_alive_here_or_elsewhere(other: int):
    assert may_be_alive({"host": socket.gethostname(), "pid": other})  # as version 0.1.0 stored it
    assert may_be_alive({**process_identity(), "host": "far away"})


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs Linux")
def test_linux_tells_processes_of_one_id_apart(other: int, monkeypatch: pytest.MonkeyPatch):
    own = process_identity()
    assert not may_be_alive({**own, "pid": other})  # it began at another time: the id was used again
    assert may_be_alive({**own, "pid": other, "begun": liveness._begun(other)})
    assert may_be_alive({**own, "namespace": "pid:[1]"})  # another container
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and not collected yet
        assert not may_be_alive({**own, "pid": child.pid, "begun": None})
    for namespace, alive in {liveness._FIRST_NAMESPACE: False, "pid:[7]": True}.items():
        monkeypatch.setattr(liveness, "_machine", lambda namespace=namespace: {**own, "namespace": namespace})
        assert may_be_alive({**own, "namespace": namespace, "boot": "another"}) is alive
