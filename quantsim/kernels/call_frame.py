"""How a compiled function reads the arguments of a call by XLA: the layout of the structures in ``xla/ffi/api/c_api.h``.

XLA calls a handler with the address of a call frame. All positions below are in words of eight bytes from the beginning of a
structure, of version :data:`VERSION` of the interface. A handler states this version when it is registered, and XLA refuses it
if it does not support the version.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from quantsim.kernels.addresses import WORD, set_word, word

__all__ = [
    "FLOAT64",
    "INVALID_ARGUMENT",
    "VERSION",
    "answer_version",
    "asks_for_version",
    "attribute",
    "call",
    "error",
    "n_operands",
    "operand",
    "schedule",
]

VERSION = (0, 3)
"""XLA_FFI_API_MAJOR and XLA_FFI_API_MINOR."""

_VERSION_WORD = VERSION[0] + VERSION[1] * 2**32  # as two numbers of half a word, on little-endian processors

FLOAT64 = 12  # XLA_FFI_DataType_F64
INVALID_ARGUMENT = 3  # XLA_FFI_Error_Code_INVALID_ARGUMENT

# XLA_FFI_CallFrame: its own fields, then XLA_FFI_Args from word 5, XLA_FFI_Rets from word 10 and XLA_FFI_Attrs from word 15.
_EXTENSION, _API, _CONTEXT = 1, 2, 3
_N_ARGUMENTS, _ARGUMENTS = 5 + 2, 5 + 4
_N_RESULTS, _RESULTS = 10 + 2, 10 + 4
_N_ATTRIBUTES, _ATTRIBUTES = 15 + 2, 15 + 5

# XLA_FFI_Buffer; its element type fills half a word.
_TYPE, _DATA, _RANK, _SIZES = 2, 3, 4, 5

# XLA_FFI_Extension_Base (size, type, next), and the pointer of an XLA_FFI_Metadata_Extension that follows it.
_EXTENSION_TYPE, _METADATA = 1, 3
_ASKS_FOR_METADATA = 1  # XLA_FFI_Extension_Metadata

# XLA_FFI_Metadata: its size, then XLA_FFI_Api_Version (size, extension, two 32-bit numbers), then its traits.
_VERSION_IN_METADATA = 1 + 2

# XLA_FFI_Api: its size, its extension, a version of three words, internals, and a table of functions.
_ERROR_CREATE, _ERROR_DESTROY, _THREAD_POOL_SCHEDULE = 6, 8, 17


_HALF_WORD = ir.IntType(32)
_FUNCTION = ir.FunctionType(WORD, [WORD])


@intrinsic
def _half_word(_: Any, address: Any, position: Any) -> Any:
    """Returns the first half of a word of the structure at an address."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = builder.gep(builder.inttoptr(values[0], WORD.as_pointer()), [values[1]])
        return builder.sext(builder.load(builder.bitcast(place, _HALF_WORD.as_pointer())), WORD)

    return types.int64(types.int64, types.int64), generate


@intrinsic
def call(_: Any, function: Any, argument: Any) -> Any:
    """Calls the C function at an address with one argument of a word; returns its result, a word."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.call(builder.inttoptr(values[0], _FUNCTION.as_pointer()), [values[1]])

    return types.int64(types.int64, types.int64), generate


@intrinsic
def _call_with(_: Any, function: Any, structure: Any) -> Any:
    """Calls the C function at an address with the address of a structure, given as a tuple of words; returns a word."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = cgutils.alloca_once(builder, ir.ArrayType(WORD, len(structure)))
        for position, value in enumerate(cgutils.unpack_tuple(builder, values[1])):
            builder.store(value, cgutils.gep_inbounds(builder, place, 0, position))
        address = builder.ptrtoint(place, WORD)
        return builder.call(builder.inttoptr(values[0], _FUNCTION.as_pointer()), [address])

    return types.int64(types.int64, structure), generate


@intrinsic
def _address_of(_: Any, text: Any) -> Any:
    """Returns the address of a literal text, which ends with a zero byte."""
    if not isinstance(text, types.StringLiteral):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.ptrtoint(context.insert_const_string(builder.module, text.literal_value), WORD)

    return types.int64(text), generate


@njit(inline="always", error_model="numpy")
def asks_for_version(frame: int) -> bool:
    """Whether XLA only asks which version of the interface the handler is for, as it does when it is registered."""
    extension = word(frame, _EXTENSION)
    return extension != 0 and _half_word(extension, _EXTENSION_TYPE) == _ASKS_FOR_METADATA


@njit(inline="always", error_model="numpy")
def answer_version(frame: int) -> None:
    """Answers with :data:`VERSION`."""
    metadata = word(word(frame, _EXTENSION), _METADATA)
    set_word(metadata, _VERSION_IN_METADATA, _VERSION_WORD)


@njit(inline="always", error_model="numpy")
def attribute(frame: int) -> int:
    """Returns the value of the only attribute, an int64; -1 if there is another number of attributes."""
    if word(frame, _N_ATTRIBUTES) != 1:
        return -1
    scalar = word(word(frame, _ATTRIBUTES), 0)
    return word(word(scalar, 1), 0)  # an XLA_FFI_Scalar is an element type and an address


@njit(inline="always", error_model="numpy")
def n_operands(frame: int) -> tuple[int, int]:
    """Returns the number of arguments, and of results."""
    return word(frame, _N_ARGUMENTS), word(frame, _N_RESULTS)


@njit(inline="always", error_model="numpy")
def operand(frame: int, index: int) -> tuple[int, int, int, int]:
    """Returns element type, address, number of axes and address of their sizes; results follow the arguments."""
    n_arguments = word(frame, _N_ARGUMENTS)
    listed, position = (_ARGUMENTS, index) if index < n_arguments else (_RESULTS, index - n_arguments)
    buffer = word(word(frame, listed), position)
    return _half_word(buffer, _TYPE), word(buffer, _DATA), word(buffer, _RANK), word(buffer, _SIZES)


@njit(inline="always", error_model="numpy")
def error(frame: int, message: str) -> int:
    """Returns an error for XLA with a literal message; a handler returns it."""
    create = word(word(frame, _API), _ERROR_CREATE)
    return _call_with(create, (28, 0, _address_of(message), INVALID_ARGUMENT))


@njit(inline="always", error_model="numpy")
def schedule(frame: int, task: int, argument: int) -> bool:
    """Lets a thread of XLA's pool call the C function ``task`` with ``argument``; returns whether there is a pool."""
    api = word(frame, _API)
    failure = _call_with(word(api, _THREAD_POOL_SCHEDULE), (40, 0, word(frame, _CONTEXT), task, argument))
    if failure != 0:
        _call_with(word(api, _ERROR_DESTROY), (24, 0, failure))
    return failure == 0
