"""Collects what a block writes, to write it in one piece at its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

__all__ = ["Collector"]

T = TypeVar("T")


class Collector(Generic[T]):
    """Collects items inside a block.

    Attributes:
        items: the items so far; None outside of a block.
    """

    def __init__(self) -> None:
        self.items: list[T] | None = None

    @contextlib.contextmanager
    def block(self, write: Callable[[list[T]], Any]) -> Iterator[None]:
        """Collects until the end of the block, and then writes the items; nothing if there are none, or if the block raises."""
        self.items = []
        try:
            yield
            collected = self.items
        finally:
            self.items = None
        if collected:
            write(collected)
