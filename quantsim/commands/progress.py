"""Shows progress: a bar or a spinner on a terminal, else a line every few seconds, or nothing if quiet."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from quantsim.commands.output import ERR, OUT, note, say
from quantsim.commands.signals import raise_if_stopped

if TYPE_CHECKING:
    from quantsim.checkpoints.runs.watching import RunProgress

__all__ = ["ProgressLine", "following", "reporting", "watching", "working"]

P = TypeVar("P")

_SECONDS_BETWEEN_LINES = 10.0


@dataclass(frozen=True)
class ProgressLine:
    """The progress of a driver.

    Attributes:
        done: number of completed steps or trials, including earlier sessions.
        total: total number.
        text: the objective and the best value so far, in one line.
        seconds_left: estimated remaining time, if known; a bar computes it itself.
    """

    done: int
    total: int
    text: str
    seconds_left: float = math.inf


Watcher = Callable[[ProgressLine], None]


def _animates() -> bool:
    """Whether lines can be drawn again: not on a dumb terminal, nor in a pipe whose colours are forced."""
    return ERR.is_interactive and ERR.file.isatty()


@contextlib.contextmanager
def watching(what: str, *, quiet: bool, begin: str = "compiling ...") -> Iterator[Watcher]:
    """Yields a function to call with a driver's reports.

    Args:
        what: name of a unit: "step", "trial".
        quiet: whether to show nothing.
        begin: what is done before the first report.
    """
    if quiet:
        yield lambda _: raise_if_stopped()
    elif _animates():
        from rich import progress as bars
        from rich.table import Column

        columns = (
            bars.TextColumn(f"{what}s"),
            bars.BarColumn(bar_width=max(10, ERR.width // 5)),
            bars.MofNCompleteColumn(),
            bars.TimeElapsedColumn(),
            bars.TimeRemainingColumn(),
            bars.TextColumn("{task.fields[text]}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        )
        with bars.Progress(*columns, console=ERR, transient=True, expand=True) as progress:
            bar = progress.add_task(what, total=None, text=begin)

            def update(report: ProgressLine) -> None:
                raise_if_stopped()
                progress.update(bar, completed=report.done, total=report.total, text=report.text)

            yield update
    else:
        yield _Lines(what)


@contextlib.contextmanager
def reporting(
    what: str, line: Callable[[P], ProgressLine], kept: Callable[[P], str], *, quiet: bool
) -> Iterator[Callable[[P], None]]:
    """Yields a function to call with the progress of a driver; an interrupt gets a note on what is stored.

    Args:
        what: as for :func:`watching`.
        line: progress → what is shown.
        kept: last progress → what is stored, and how to resume, in sentences.
        quiet: whether to show nothing.
    """
    last: P | None = None

    def report(progress: P) -> None:
        nonlocal last
        last = progress
        watch(line(progress))

    try:
        with watching(what, quiet=quiet) as watch:
            yield report
    except KeyboardInterrupt as interrupt:
        if last is not None:
            interrupt.add_note(f"Kept: {kept(last)}")
        raise


@contextlib.contextmanager
def working(what: str, *, quiet: bool) -> Iterator[None]:
    """Shows a spinner on a terminal while something takes its time whose progress is not known, such as compiling.

    Args:
        what: what is done, for the user.
        quiet: whether to show nothing.
    """
    if quiet or not _animates():
        yield
        return
    with ERR.status(f"{what} ..."):
        yield


class _Lines:
    """Prints the first report, the last one, and one every few seconds in between."""

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


@contextlib.contextmanager
def following(*, silent: bool) -> Iterator[Callable[[RunProgress], None]]:
    """Yields a function that shows progress: as a bar on a terminal, else as lines."""
    from quantsim.report.run_tables import left_text, progress_text

    if silent:
        yield lambda _: raise_if_stopped()
    elif not OUT.is_terminal:
        yield lambda now: say(progress_text(now))
    else:
        from rich import progress as bars

        columns = (
            bars.TextColumn("{task.fields[unit]}s"),
            bars.BarColumn(None),
            bars.MofNCompleteColumn(),
            bars.TextColumn("{task.fields[text]}"),
        )
        with bars.Progress(*columns, console=OUT, transient=True, expand=True) as progress:
            bar = progress.add_task("", total=None, unit="trial", text="waiting ...")

            def update(now: RunProgress) -> None:
                raise_if_stopped()
                progress.update(
                    bar, completed=now.done, total=now.total, unit=now.unit, text=now.text() + left_text(now)
                )

            yield update
