"""The layout of the arrays of a reCLAMM pool's pass, which the kernel and XLA's loop share."""

from __future__ import annotations

__all__ = [
    "CENTEREDNESS_SCALING",
    "CONSTANT_ARC_LENGTH",
    "LONGEST",
    "MARGIN",
    "N_SHIFTS",
    "SHIFT",
    "SMALLEST_CENTEREDNESS",
    "SPEED",
]

N_SHIFTS = 3
MARGIN, SHIFT, SPEED = range(N_SHIFTS)
"""Columns of what moves the range: the margin, the logarithm of a visit's decay, and the arc length of a visit."""

CONSTANT_ARC_LENGTH, CENTEREDNESS_SCALING, LONGEST = range(3)
"""Entries of the options: two flags, and the longest time that a shift counts, in visits."""

SMALLEST_CENTEREDNESS = 1e-10
"""The least centeredness that the speed of a shift is divided by, as in quantammsim."""
