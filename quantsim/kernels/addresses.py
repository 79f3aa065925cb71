"""Reading and writing at addresses, in compiled functions: words of eight bytes, and float64 values."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

__all__ = ["WORD", "get", "put", "set_word", "word"]

WORD = ir.IntType(64)


def _place(builder: Any, address: Any, position: Any, kind: ir.Type) -> Any:
    return builder.gep(builder.inttoptr(address, kind.as_pointer()), [position])


def _reads(kind: ir.Type, result: Any) -> Any:
    """Returns a function from an address and a position, in values of eight bytes, to the value there."""

    @intrinsic
    def read(_: Any, address: Any, position: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return builder.load(_place(builder, *values, kind))

        return result(types.int64, types.int64), generate

    return read


def _writes(kind: ir.Type, value: Any) -> Any:
    """Returns a function that sets the value at an address and a position."""

    @intrinsic
    def write(_: Any, address: Any, position: Any, given: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            builder.store(values[2], _place(builder, values[0], values[1], kind))
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, value), generate

    return write


word, set_word = _reads(WORD, types.int64), _writes(WORD, types.int64)
get, put = _reads(ir.DoubleType(), types.float64), _writes(ir.DoubleType(), types.float64)
