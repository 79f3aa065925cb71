"""The largest numbers that are accepted: larger than any use needs, and small enough for memory and time."""

from __future__ import annotations

__all__ = [
    "LARGEST_VALUE",
    "MOST_CELLS",
    "MOST_COUNT",
    "MOST_JOBS",
    "MOST_PERIODS",
    "MOST_SETS",
    "MOST_TRIALS",
    "MOST_WINDOWS",
]

MOST_COUNT = 10_000_000
"""Of steps, reports, bars."""

MOST_TRIALS = 1_000_000
MOST_JOBS = 1_024

MOST_SETS = 100_000
"""Of parameter sets, or windows, that are evaluated at once."""

MOST_CELLS = 10_000_000
"""Of a grid; their parameters and metrics alone take gigabytes."""

MOST_WINDOWS = 1_000_000
"""That one gradient step evaluates: parameter sets times windows of each."""

LARGEST_VALUE = 1e24
"""Of a parameter in human units: far beyond any use, and far below where powers of it overflow."""

MOST_PERIODS = 5_000
"""Of an objective; each has a part of the compiled program."""
