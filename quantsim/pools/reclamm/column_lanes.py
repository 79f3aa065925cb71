"""The layout of the arrays of a reCLAMM pool's pass, which the kernel and XLA's loop share."""

from __future__ import annotations

__all__ = [
    "ARB_FEE",
    "CENTEREDNESS_SCALING",
    "CONSTANT_ARC_LENGTH",
    "EDGE",
    "GAIN",
    "GAS",
    "LONGEST",
    "MARGIN",
    "NOISE",
    "N_COSTS",
    "N_SHIFTS",
    "SHIFT",
    "SMALLEST_CENTEREDNESS",
    "SPEED",
    "SWAP_FEE",
]

N_SHIFTS = 3
MARGIN, SHIFT, SPEED = range(N_SHIFTS)
"""Columns of what moves the range: the margin, the logarithm of a visit's decay, and the arc length of a visit."""

N_COSTS = 6
EDGE, GAIN, NOISE, SWAP_FEE, ARB_FEE, GAS = range(N_COSTS)
"""Columns of the costs: ``e^g`` with the width ``g`` of the no-trade band, then those of a weighted pool's pass."""

CONSTANT_ARC_LENGTH, CENTEREDNESS_SCALING, LONGEST = range(3)
"""Entries of the options: two flags, and the longest time that a shift counts, in visits."""

SMALLEST_CENTEREDNESS = 1e-10
"""The least centeredness that the speed of a shift is divided by, as in quantammsim."""
