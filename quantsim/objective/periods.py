"""Periods of a window: parts of one continuous simulation that metrics are taken over."""

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
    """Part of a window.

    Attributes:
        first: its first bar, counted from the window's.
        n_bars: its length.
    """

    first: int
    n_bars: int

    @property
    def end(self) -> int:
        """The bar behind its last."""
        return self.first + self.n_bars

    def visits(self, stride: int) -> slice:
        """Which of the visits at every ``stride``-th bar of the window fall behind the first bar and not behind the last.

        What happens at the first bar belongs to what came before: the period's first reserves have it already.
        """
        return slice(self.first // stride + 1, (self.end - 1) // stride + 1)


def even_periods(n_bars: int, n_periods: int, overlap: float = 0.0) -> tuple[Period, ...]:
    """Periods that cover a window of ``n_bars`` bars exactly, from its first bar to its last.

    With the length ``l = T/(1 + (N-1)(1-o))`` period ``i`` runs from bar ``round(i (1-o) l)`` to ``round(i (1-o) l + l)``, so
    each shares the part ``o`` of its length with the next, up to rounding; lengths differ by one bar at most.

    Args:
        n_bars: length of the window, ``T``.
        n_periods: how many, ``N``.
        overlap: share of a period that the next one has, too, ``0 ≤ o < 1``.

    Raises:
        WindowError: there are several, and one would have fewer than three bars.

    Example:
        >>> [tuple(period) for period in even_periods(100, 3, 0.5)]
        [(0, 50), (25, 50), (50, 50)]
    """
    length = period_bars(n_bars, n_periods, overlap)
    step = (1 - _as_written(overlap)) * length
    bounds = [(_nearest_bar(index * step), _nearest_bar(index * step + length)) for index in range(n_periods)]
    return tuple(Period(first, end - first) for first, end in bounds)


def period_bars(n_bars: int, n_periods: int, overlap: float = 0.0) -> Fraction:
    """Length of the periods of :func:`even_periods`, in bars, before it is rounded; raises as it does.

    Exact, as all boundaries are: one halfway between two bars must not be rounded up for one period and down for the next.
    """
    length = n_bars / (1 + (n_periods - 1) * (1 - _as_written(overlap)))
    # Two would do for a return; the third is for what rounds.
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
    """Periods of ``length`` bars that begin anywhere in the window, in time order; the same seed gives the same ones."""
    firsts = np.random.default_rng(seed).integers(0, n_bars - length + 1, n_periods)
    return tuple(Period(int(first), length) for first in np.sort(firsts))


def dated_periods(
    times: Sequence[tuple[datetime, datetime]], bar_of: Callable[[datetime], int], n_bars: int
) -> tuple[Period, ...]:
    """Periods given by date.

    Args:
        times: first moment and end of each, half open.
        bar_of: the bar that begins at a moment, counted from the window's first.
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
