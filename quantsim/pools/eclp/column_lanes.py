"""The layout of the arrays of an E-CLP's pass, which the kernel and XLA's loop share."""

from __future__ import annotations

__all__ = ["A_IN", "A_OUT", "B_IN", "B_OUT", "N_CURVE", "N_SIDE", "SPAN", "G", "H", "K"]

N_SIDE = 6
A_IN, B_IN, A_OUT, B_OUT, H, G = range(N_SIDE)
"""Entries of a curve for each token that can come in: see :class:`quantsim.pools.eclp.curve.Side`."""

N_CURVE = 2 * N_SIDE + 2
SPAN, K = 2 * N_SIDE, 2 * N_SIDE + 1
"""Entries for both: the position of the other end of the range, and the constant ``K``."""
