"""The operands of a lane.

A kernel receives the address of a list with two words for each operand, arguments before results: the address of its float64
values, in row-major order, and that of the sizes of its axes. Kernels work on addresses: numba's arrays count references with
every call, which would take longer than a step of a recursion.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from quantsim.kernels.call_frame import word

__all__ = ["clear", "get", "length", "put", "row", "values"]


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


_VALUE = ir.DoubleType()


@intrinsic
def get(_: Any, address: Any, position: Any) -> Any:
    """Returns a value."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load(builder.gep(builder.inttoptr(values[0], _VALUE.as_pointer()), [values[1]]))

    return types.float64(types.int64, types.int64), generate


@intrinsic
def put(_: Any, address: Any, position: Any, value: Any) -> Any:
    """Sets a value."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store(values[2], builder.gep(builder.inttoptr(values[0], _VALUE.as_pointer()), [values[1]]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.float64), generate
