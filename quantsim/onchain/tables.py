"""Tables of what a pool on a chain really had: times of updates."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from quantsim.prices.read import read_named

__all__ = ["load_times"]


def load_times(source: str | Path) -> tuple[np.datetime64, ...]:
    """Reads times, in UTC, from the column ``time`` of a table.

    Raises:
        PriceError: the file cannot be read, or has no times.
    """
    return tuple(read_named(Path(source)).times_us.view("datetime64[us]"))
