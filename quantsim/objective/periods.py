"""Periods of a window: parts of one continuous simulation over which metrics are computed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from quantsim.errors import WindowError

__all__ = ["Period", "dated_periods", "even_periods", "period_bars", "random_periods"]


class Period(NamedTuple):
    """A part of a window.

    Attributes:
        first: index of the first bar in the window.
        n_bars: length in bars.
    """

    first: int
    n_bars: int

    @property
    def end(self) -> int:
        """Index of the bar after the last one."""
        return self.first + self.n_bars

    def visits(self, stride: int) -> slice:
        """Returns the slice of the events at every ``stride``-th bar of the window: after the first bar, up to the last one.

        Events at the first bar do not count: the initial reserves of the period already include them.
        """
        return slice(self.first // stride + 1, (self.end - 1) // stride + 1)


def even_periods(n_bars: int, n_periods: int, overlap: float = 0.0) -> tuple[Period, ...]:
    """Periods that cover a window of ``n_bars`` bars exactly, from its first bar to its last.

    With the length ``l = T/(1 + (N-1)(1-o))``, period ``i`` runs from bar ``round(i (1-o) l)`` to ``round(i (1-o) l + l)``. So
    it overlaps the next one by the share ``o`` of its length, up to rounding. Lengths differ by at most one bar.

    Args:
        n_bars: length of the window, ``T``.
        n_periods: number of periods, ``N``.
        overlap: share of a period that overlaps the next one, ``0 ≤ o < 1``.

    Raises:
        WindowError: there are several periods, and one would have fewer than three bars.

    Example:
        >>> [tuple(period) for period in even_periods(100, 3, 0.5)]
        [(0, 50), (25, 50), (50, 50)]
    """
    length = period_bars(n_bars, n_periods, overlap)
    step = (1 - _as_written(overlap)) * length
    bounds = [(_nearest_bar(index * step), _nearest_bar(index * step + length)) for index in range(n_periods)]
    return tuple(Period(first, end - first) for first, end in bounds)


def period_bars(n_bars: int, n_periods: int, overlap: float = 0.0) -> Fraction:
    """Returns the exact length in bars of the periods of :func:`even_periods`, before rounding. Raises the same errors.

    All boundaries are exact fractions, so that a boundary halfway between two bars is rounded the same way for both periods.
    """
    length = n_bars / (1 + (n_periods - 1) * (1 - _as_written(overlap)))
    # Two bars have a return; the third allows for rounding.
    if n_periods > 1 and length < 3:
        raise WindowError(
            f"objective.n_periods = {n_periods} leaves {float(length):.3g} of {n_bars} bars to each period: "
            "take fewer periods"
        )
    return length


def _as_written(overlap: float) -> Fraction:
    return Fraction(str(overlap))  # 0.1 is a tenth


def _nearest_bar(place: Fraction) -> int:
    return math.floor(place + Fraction(1, 2))


def random_periods(n_bars: int, n_periods: int, length: int, seed: int) -> tuple[Period, ...]:
    """Returns periods of ``length`` bars at random places in the window, in chronological order, the same for a seed."""
    firsts = np.random.default_rng(seed).integers(0, n_bars - length + 1, n_periods)
    return tuple(Period(int(first), length) for first in np.sort(firsts))


def dated_periods(
    times: Sequence[tuple[datetime, datetime]], bar_of: Callable[[datetime], int], n_bars: int
) -> tuple[Period, ...]:
    """Returns periods given by date.

    Args:
        times: start and end (exclusive) of each period.
        bar_of: maps a time to the index of the bar that begins then, counted from the first bar of the window.
        n_bars: length of the window.

    Raises:
        WindowError: a period does not lie within the window, or has fewer than two bars.
    """
    periods = []
    for begin, end in times:
        first, last = bar_of(begin), bar_of(end)
        if first < 0 or last > n_bars:
            raise WindowError(
                f"objective.periods: {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} does not lie within the training period"
            )
        if last - first < 2:
            raise WindowError(
                f"objective.periods: {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} has fewer than two bars"
            )
        periods.append(Period(first, last - first))
    return tuple(periods)
