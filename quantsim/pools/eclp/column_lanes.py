"""The layout of the arrays of an E-CLP's pass, which the kernel and XLA's loop share."""

from __future__ import annotations

__all__ = [
    "ALPHA",
    "A_IN",
    "A_OUT",
    "BETA",
    "B_IN",
    "B_OUT",
    "COSINE",
    "FIRST",
    "N_CURVE",
    "N_ELLIPSE",
    "N_SIDE",
    "N_STATE",
    "POSITION",
    "SECOND",
    "SINE",
    "SIZE",
    "SPAN",
    "STRETCH",
    "G",
    "H",
    "K",
]

N_SIDE = 6
A_IN, B_IN, A_OUT, B_OUT, H, G = range(N_SIDE)
"""Entries of a curve for each token that can come in: see :class:`quantsim.pools.eclp.curve.Side`."""

N_CURVE = 2 * N_SIDE + 2
SPAN, K = 2 * N_SIDE, 2 * N_SIDE + 1
"""Entries for both: the position of the other end of the range, and the constant ``K``."""

N_ELLIPSE = 5
ALPHA, BETA, COSINE, SINE, STRETCH = range(N_ELLIPSE)
"""Entries of an ellipse, as in :class:`quantsim.pools.eclp.curve.Ellipse`."""

N_STATE = 4
SIZE, POSITION, FIRST, SECOND = range(N_STATE)
"""Columns of a path: size and position, and the balances of both tokens."""
