"""Marks of processes: whether the one that left it is still there."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from quantsim.drivers import marks
from quantsim.drivers.marks import Presence, may_live, own_mark, presence


def test_marks_tell_processes_apart():
    own = own_mark()
    assert presence(own) is Presence.ALIVE
    assert presence({**own, "host": "far away"}) is Presence.ELSEWHERE
    assert presence({**own, "pid": 2**22 + 1}) is Presence.GONE


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs Linux")
def test_marks_tell_apart_what_linux_tells_apart(monkeypatch):
    own = own_mark()
    assert presence({**own, "begun": "1"}) is Presence.GONE  # the number was given out again
    assert presence({**own, "namespace": "pid:[1]"}) is Presence.ELSEWHERE  # another container
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and not collected yet
        assert presence({**own, "pid": child.pid, "begun": None}) is Presence.GONE
    namespaces = {marks._FIRST_NAMESPACE: Presence.GONE, "pid:[7]": Presence.ELSEWHERE}
    for namespace, found in namespaces.items():
        monkeypatch.setattr(marks, "_machine", lambda namespace=namespace: {**own, "namespace": namespace})
        assert presence({**own, "namespace": namespace, "boot": "another"}) is found


def test_a_run_may_go_on_elsewhere_and_not_in_this_process():
    assert not may_live(own_mark())
    assert may_live({**own_mark(), "host": "far away"})
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert may_live({"host": socket.gethostname(), "pid": child.pid})  # as version 0.1.0 left it
        assert not may_live({**own_mark(), "pid": child.pid})  # begun at another time: the number was given out again
        child.communicate(b"\n")
    assert not may_live({"host": socket.gethostname(), "pid": child.pid})
