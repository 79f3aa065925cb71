"""Upper limits of settings: larger than any use needs, and small enough for memory and time."""

from __future__ import annotations

__all__ = [
    "LARGEST_VALUE",
    "LONGEST_DAYS",
    "MOST_CELLS",
    "MOST_COUNT",
    "MOST_FOLDS",
    "MOST_JOBS",
    "MOST_PERIODS",
    "MOST_SETS",
    "MOST_TRIALS",
    "MOST_WINDOWS",
]

MOST_COUNT = 10_000_000
"""Number of steps, reports or bars."""

MOST_TRIALS = 1_000_000
"""Number of trials of a search."""

MOST_JOBS = 1_024
"""Number of parallel jobs."""

MOST_FOLDS = 10_000
"""Number of folds of a walk-forward or a cross-validation. Each fold is a run of a driver."""

MOST_SETS = 100_000
"""Number of parameter sets, or of windows, in one evaluation."""

MOST_CELLS = 10_000_000
"""Number of cells of a grid. The parameters and metrics of so many cells take gigabytes."""

MOST_WINDOWS = 1_000_000
"""Number of windows that one gradient step evaluates: parameter sets times windows per set."""

LONGEST_DAYS = 36_525.0
"""Length of a window, in days: a century."""

LARGEST_VALUE = 1e24
"""Value of a parameter in human units: far beyond any use, and small enough that powers of it do not overflow."""

MOST_PERIODS = 5_000
"""Number of periods of an objective. Each period adds to the compiled program."""
