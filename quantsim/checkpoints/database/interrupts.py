"""Delays Ctrl-C while something is done that it must not cut in two, or that would swallow it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

__all__ = ["interrupts_delayed"]


@contextlib.contextmanager
def interrupts_delayed() -> Iterator[None]:
    """Delays SIGINT and SIGTERM to the end of the block, in the main thread; a second signal is not delayed.

    Python drops an exception that a signal raises in a callback of a weak reference. SQLAlchemy has many of them: without this,
    one in ten interrupts of a database call was lost.
    """
    if threading.current_thread() is not threading.main_thread():  # signals come to the main thread only
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    delayed: list[int] = []

    def delay(number: int, frame: FrameType | None) -> None:
        delayed.append(number)
        if len(delayed) > 1:
            forward(number, frame)

    def forward(number: int, frame: FrameType | None) -> None:
        handler = handlers[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in handlers:
        signal.signal(number, delay)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for first in delayed[:1]:
            forward(first, None)
