"""Ctrl-C during a database call: it comes after the call, and is not lost."""

from __future__ import annotations

import os
import signal
import weakref

import pytest

from quantsim import CheckpointStore
from quantsim.checkpoints.database.interrupts import interrupts_delayed


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_comes_after_the_call_and_the_transaction_is_whole(store: CheckpointStore):
    def work(_connection: object) -> None:
        reference = weakref.ref(set(), lambda _: press())  # where Python drops what a signal raises
        assert reference() is None
        done.append("to its end")

    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        store.tables.database.transact(work, write=True)
    assert done == ["to its end"]


def test_a_second_interrupt_is_not_delayed():
    reached: list[str] = []

    def press_twice() -> None:
        with interrupts_delayed():
            for which in ("first", "second"):
                press()
                reached.append(which)

    with pytest.raises(KeyboardInterrupt):
        press_twice()
    assert reached == ["first"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
