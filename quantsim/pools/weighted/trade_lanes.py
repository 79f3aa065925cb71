"""What the compiled loops share: the columns of the costs, and the growth of reserves by a trade.

A trade waits for the one before it, and calls of ``expm1`` and ``log1p`` one after the other take longer than all the rest of
it. So small moves, which almost all are, take series. Their absolute errors are below 1e-16.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["ARB_FEE", "BAND", "GAIN", "GAS", "NOISE", "N_COSTS", "SWAP_FEE", "growth", "log_growth"]

N_COSTS = 6
BAND, GAIN, NOISE, SWAP_FEE, ARB_FEE, GAS = range(N_COSTS)
"""Columns of the costs; :func:`quantsim.pools.weighted.fee_kernels.kernel_pass` computes them."""

_SMALL = 0.01


@njit(forceinline=True, error_model="numpy")
def growth(move):
    """Returns ``expm1(move)`` for a move that is at least 0."""
    if move < _SMALL:
        square = move * move
        odd = 1 / 6 + square * (1 / 120 + square * (1 / 5040))
        even = 0.5 + square * (1 / 24 + square * (1 / 720))
        return move + square * (even + move * odd)
    return np.expm1(move)


@njit(forceinline=True, error_model="numpy")
def log_growth(move, gain):
    """Returns ``log1p(gain · expm1(move))`` for a move that is at least 0, and a gain of at least 1.

    For small ones, from ``1 + c (e^h - 1) = e^h (1 + y)`` with ``y = (c - 1)(1 - e^(-h))``.
    """
    extra = gain - 1.0
    if move < _SMALL and extra < _SMALL:
        square = move * move
        y = extra * (move * ((1.0 - 0.5 * move) + square * ((1 / 6 - move * (1 / 24)) + square * (1 / 120))))
        return move + y * (1.0 - y * (0.5 - y * (1 / 3)))
    return np.log1p(gain * np.expm1(move))
