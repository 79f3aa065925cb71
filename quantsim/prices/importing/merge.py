"""Merges the pieces of one token: sorts and thins each, and finds the bars on which they disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from quantsim.prices.align import RawSeries, RegularSeries
from quantsim.prices.time_grid import TimeGrid

__all__ = ["Disagreement", "Thinned", "merge", "thinned"]


@dataclass(frozen=True)
class Disagreement:
    """Bars whose price is not the same in two places.

    Attributes:
        kept: the file whose prices are kept.
        other: the file whose prices are not; the same one if a file has several rows for a bar.
        n_bars: number of such bars.
        largest: largest relative difference from the kept price.
        at: time of the largest difference, ``datetime64[s]`` in UTC: the end of the bar; within one file, the stamp of the row.
    """

    kept: str
    other: str
    n_bars: int
    largest: float
    at: np.datetime64


@dataclass(frozen=True, eq=False)
class Thinned:
    """A column in chronological order, each stamp once.

    Attributes:
        raw: the column.
        n_repeated: number of rows that were left out.
        reordered: whether rows were neither in chronological nor in reverse order.
        disagreement: repeated rows with other prices; None if there are none.
    """

    raw: RawSeries
    n_repeated: int
    reordered: bool
    disagreement: Disagreement | None


def thinned(raw: RawSeries) -> Thinned:
    """Returns a column in chronological order, each stamp once: of rows with one stamp, the last one that has a price."""
    steps = np.diff(raw.times_us)
    if steps.size == 0 or steps.min() > 0 or steps.max() < 0:
        return Thinned(raw, 0, reordered=False, disagreement=None)
    rows = np.arange(raw.times_us.size) if raw.rows is None else raw.rows
    order = np.lexsort((~np.isnan(raw.prices), raw.times_us))  # stable; rows without a price come first
    times, prices, rows = raw.times_us[order], raw.prices[order], rows[order]
    last = np.append(np.diff(times) != 0, True)
    kept = prices[last][np.cumsum(np.append(0, last[:-1]))]  # of each row's stamp
    found = _disagreement(raw.where, raw.where, times // 1_000_000, kept, prices)
    whole = replace(raw, times_us=times[last], prices=prices[last], rows=rows[last])
    return Thinned(whole, int((~last).sum()), bool((steps < 0).any() and (steps > 0).any()), found)


def merge(pieces: Sequence[RegularSeries]) -> tuple[RegularSeries, int, tuple[Disagreement, ...]]:
    """Merges pieces of one token with equal bars. Where several have a price, that of the first one is kept.

    Returns:
        The whole series, the number of prices that another piece had before, and the disagreements.
    """
    first = min(piece.grid.first_minute for piece in pieces)
    last = max(piece.grid.last_minute for piece in pieces)
    bar = pieces[0].grid.bar_minutes
    grid = TimeGrid(first, (last - first) // bar + 1, bar)
    prices, owners = np.full(grid.n_bars, np.nan), np.zeros(grid.n_bars, np.int32)
    n_repeated, found = 0, []
    for number, piece in enumerate(pieces):
        begin = (piece.grid.first_minute - first) // bar
        part = slice(begin, begin + piece.grid.n_bars)
        held, new = prices[part], piece.prices
        both = ~np.isnan(held) & ~np.isnan(new)
        n_repeated += int(both.sum())
        stamps = 60 * (piece.grid.first_minute + bar * np.arange(piece.grid.n_bars, dtype=np.int64))
        for owner in np.unique(owners[part][both]).tolist():
            own = both & (owners[part] == owner)
            one = _disagreement(pieces[owner].where, piece.where, stamps[own], held[own], new[own])
            found += [] if one is None else [one]
        fresh = np.isnan(held) & ~np.isnan(new)
        held[fresh] = new[fresh]
        owners[part][fresh] = number
    return RegularSeries(pieces[0].token, pieces[0].where, grid, prices), n_repeated, tuple(found)


def _disagreement(
    kept: str, other: str, seconds: NDArray[np.int64], ours: NDArray[np.float64], theirs: NDArray[np.float64]
) -> Disagreement | None:
    """Compares prices at the same times, each ``(N,)``; a missing price agrees with every other."""
    apart = np.nan_to_num(np.abs(theirs / ours - 1.0), nan=0.0)
    n_bars = int(np.count_nonzero(apart))
    if not n_bars:
        return None
    place = int(np.argmax(apart))
    return Disagreement(kept, other, n_bars, float(apart[place]), np.datetime64(int(seconds[place]), "s"))
