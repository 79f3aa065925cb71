"""Ctrl-C and SIGTERM while a command runs."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

__all__ = ["Terminated", "handling_signals", "raise_if_stopped"]


class Terminated(KeyboardInterrupt):
    """SIGTERM was received. Drivers handle it like Ctrl-C, and end cleanly."""


@contextlib.contextmanager
def handling_signals() -> Iterator[None]:
    """Handles Ctrl-C and SIGTERM while a command runs, so that neither is lost."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _stops.clear()
    unraisable, sys.unraisablehook = sys.unraisablehook, _hide_stops
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # it is ignored under nohup
            signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = unraisable


def _stop(number: int, _frame: FrameType | None) -> None:
    stop = Terminated() if number == signal.SIGTERM else KeyboardInterrupt()
    _stops.append(stop)
    raise stop


_stops: list[KeyboardInterrupt] = []


def _hide_stops(unraisable: sys.UnraisableHookArgs) -> None:
    if unraisable.exc_value not in _stops:  # raise_if_stopped raises them again
        sys.__unraisablehook__(unraisable)


def raise_if_stopped() -> None:
    """Raises a Ctrl-C again that Python could not raise where it occurred.

    This happens inside a callback, such as JAX's callback of the garbage collector, where Python only prints the exception.
    """
    if _stops and threading.current_thread() is threading.main_thread():
        raise _stops[-1]
