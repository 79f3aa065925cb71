"""Shows how far a driver is: a bar on a terminal, a line now and then elsewhere, nothing where quiet is asked for."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from quantsim.commands.session import ERR, note, raise_if_stopped

__all__ = ["ProgressLine", "Watcher", "watching"]

_SECONDS_BETWEEN_LINES = 10.0


@dataclass(frozen=True)
class ProgressLine:
    """How far a driver is.

    Attributes:
        done: steps or trials done, those of earlier sessions included.
        total: of how many.
        text: the objective and the best so far, in one line.
        seconds_left: as far as is known; a bar works it out by itself.
    """

    done: int
    total: int
    text: str
    seconds_left: float = math.inf


Watcher = Callable[[ProgressLine], None]


@contextlib.contextmanager
def watching(what: str, *, quiet: bool) -> Iterator[Watcher]:
    """Yields what a driver's reports are to be handed to.

    Args:
        what: the name of one unit: "step", "trial".
        quiet: whether to show nothing.
    """
    if quiet:
        yield lambda _: raise_if_stopped()
    elif ERR.is_terminal:
        columns = (
            TextColumn(f"{what}s"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=ERR, transient=True, expand=True) as progress:
            bar = progress.add_task(what, total=None, text="compiling ...")

            def update(report: ProgressLine) -> None:
                raise_if_stopped()
                progress.update(bar, completed=report.done, total=report.total, text=report.text)

            yield update
    else:
        yield _Lines(what)


class _Lines:
    """Writes the first report, the last one, and in between one every few seconds."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._due = 0.0

    def __call__(self, report: ProgressLine) -> None:
        raise_if_stopped()
        now = time.monotonic()
        if now >= self._due or report.done >= report.total:
            left = f", {report.seconds_left:.0f} s left" if math.isfinite(report.seconds_left) else ""
            note(f"{self._what} {report.done} of {report.total}: {report.text}{left}")
            self._due = now + _SECONDS_BETWEEN_LINES
