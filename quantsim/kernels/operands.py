"""The operands of a lane.

A kernel receives the address of a list with two words for each operand, arguments before results: the address of its float64
values, in row-major order, and that of the sizes of its axes. Kernels work on addresses: numba's arrays count references with
every call, which would take longer than a step of a recursion.
"""

from __future__ import annotations

from numba import njit

from quantsim.kernels.addresses import put, word

__all__ = ["clear", "length", "row", "values"]


@njit(inline="always", error_model="numpy")
def values(operands: int, index: int) -> int:
    """Returns the address of the values of operand ``index``."""
    return word(operands, 2 * index)


@njit(inline="always", error_model="numpy")
def length(operands: int, index: int, axis: int) -> int:
    """Returns the size of an axis of operand ``index``."""
    return word(word(operands, 2 * index + 1), axis)


@njit(inline="always", error_model="numpy")
def row(address: int, position: int, n_columns: int) -> int:
    """Returns the address of a row."""
    return address + 8 * position * n_columns


@njit(inline="always", error_model="numpy")
def clear(address: int, size: int) -> None:
    """Sets values to zero."""
    for position in range(size):
        put(address, position, 0.0)
