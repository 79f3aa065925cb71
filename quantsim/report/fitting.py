"""Tables that have another layout on narrow consoles."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.table import Table

__all__ = ["Fitting"]

_WIDEST = 1000  # columns


class Fitting:
    """A table in its wide layout where that fits the console without breaking lines, else in its narrow one.

    Attributes:
        wide: makes the wide layout.
        narrow: makes the narrow one.
    """

    def __init__(self, wide: Callable[[], Table], narrow: Callable[[], Table]) -> None:
        self.wide, self.narrow = wide, narrow

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        """Yields the layout for the console."""
        table = self.wide()
        needed = Measurement.get(console, options.update(width=_WIDEST), table).maximum
        yield table if needed <= options.max_width else self.narrow()
