"""Variations of the start: windows inside a split that begin later."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["shifted_starts"]


def shifted_starts(
    first: int, n_bars: int, shift_bars: int, chunk_bars: int, most: int
) -> tuple[NDArray[np.int64], int] | None:
    """Returns the first bars of windows of equal length inside a split, evenly spaced, and that length.

    The windows begin whole chunks after the split does, up to ``shift_bars``, or a quarter of the split if that is less. No bar
    of another split is in them.

    Args:
        first: first bar of the split.
        n_bars: number of bars of the split.
        shift_bars: largest shift.
        chunk_bars: bars between decisions of the pool.
        most: largest number of windows.

    Returns:
        (W,) and the number of bars; None if the split is shorter than four chunks.
    """
    n_chunks = min(shift_bars, n_bars // 4) // chunk_bars
    if n_chunks < 1:
        return None
    shifts = np.unique(np.linspace(0, n_chunks, min(most, n_chunks + 1)).round().astype(np.int64)) * chunk_bars
    return first + shifts, n_bars - n_chunks * chunk_bars
