"""The operands of a lane, as arrays of compiled code.

A kernel receives the address of a list with two words for each operand, arguments before results: the address of its float64
values, and that of the sizes of its axes.
"""

from __future__ import annotations

from numba import carray, njit

from quantsim.kernels.call_frame import at_address, word

__all__ = ["matrix", "vector"]


@njit(inline="always", error_model="numpy")
def vector(operands, index):
    """Returns operand ``index`` as an array with one axis."""
    return carray(at_address(word(operands, 2 * index)), (word(word(operands, 2 * index + 1), 0),))


@njit(inline="always", error_model="numpy")
def matrix(operands, index):
    """Returns operand ``index`` as an array with two axes."""
    sizes = word(operands, 2 * index + 1)
    return carray(at_address(word(operands, 2 * index)), (word(sizes, 0), word(sizes, 1)))
