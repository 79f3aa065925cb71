"""The style of all tables for the terminal, and tables with another layout on narrow consoles."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich import box
from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.table import Table

__all__ = ["Fitting", "plain_table"]

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


def plain_table(title: str | None = None, *, edge: bool = True) -> Table:
    """Returns an empty table in the style of all tables.

    Args:
        title: its title, in bold at the left.
        edge: whether it has its outer lines; without them, columns have two more characters.
    """
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=edge,
    )
