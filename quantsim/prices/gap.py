"""Gaps: runs of bars that are missing from a source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantsim.prices.instants import MINUTE_US, text

__all__ = ["Gap", "describe_gaps", "find_gaps"]

_GAPS_SPELT_OUT = 5  # in one message; the object holds them all


@dataclass(frozen=True)
class Gap:
    """A run of missing bars.

    Attributes:
        token: whose price is missing.
        first: stamp of the first missing bar, ``datetime64[s]`` in UTC.
        n_bars: how many bars are missing.
        bar_minutes: length of one bar.
    """

    token: str
    first: np.datetime64
    n_bars: int
    bar_minutes: int

    @property
    def last(self) -> np.datetime64:
        """Stamp of the last missing bar."""
        return self.first + np.timedelta64((self.n_bars - 1) * self.bar_minutes * 60, "s")

    @property
    def minutes(self) -> int:
        """Length in minutes."""
        return self.n_bars * self.bar_minutes

    @property
    def first_minute(self) -> int:
        """Stamp of the first missing bar in minutes since 1970."""
        return int(self.first.astype("datetime64[m]").astype(np.int64))

    def __str__(self) -> str:
        stamp = text(self.first_minute * MINUTE_US)
        return f"{stamp}, {self.n_bars} {'bar' if self.n_bars == 1 else 'bars'} of {self.bar_minutes} min"

    def on(self, first_minute: int, last_minute: int, bar_minutes: int) -> Gap | None:
        """Returns this gap on a grid of the same or longer bars; ``None`` if it contains no stamp of that grid.

        Args:
            first_minute: first stamp of that grid, in minutes since 1970, a multiple of ``bar_minutes``.
            last_minute: last stamp of that grid.
            bar_minutes: bar length of that grid, a multiple of this gap's.
        """
        own_last = self.first_minute + (self.n_bars - 1) * self.bar_minutes
        first = max(first_minute, -(-self.first_minute // bar_minutes) * bar_minutes)
        last = min(last_minute, own_last // bar_minutes * bar_minutes)
        if last < first:
            return None
        return Gap(self.token, np.datetime64(first * 60, "s"), (last - first) // bar_minutes + 1, bar_minutes)


def find_gaps(token: str, missing: NDArray[np.bool_], first_minute: int, bar_minutes: int) -> tuple[Gap, ...]:
    """Returns the runs of ``True`` in ``missing``, shape ``(B,)`` on a regular grid, in chronological order."""
    edges = np.diff(missing.astype(np.int8), prepend=0, append=0)
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return tuple(
        Gap(token, np.datetime64((first_minute + begin * bar_minutes) * 60, "s"), end - begin, bar_minutes)
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
    )


def describe_gaps(gaps: Sequence[Gap] | Iterable[Gap]) -> str:
    """Describes the first few gaps, and says how many more there are."""
    gaps = tuple(gaps)
    more = len(gaps) - _GAPS_SPELT_OUT
    spelt = "; ".join(str(gap) for gap in gaps[:_GAPS_SPELT_OUT])
    return f"{spelt}; and {more} more" if more > 0 else spelt
