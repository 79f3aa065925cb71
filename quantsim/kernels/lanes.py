"""The handler that XLA calls, which spreads the lanes of a call over the threads of XLA's pool.

A lane is one index of the leading axes of a call, those that ``vmap`` has added. The calling thread takes lane after lane from
a counter, and so does every thread of the pool that is free. The caller waits only for lanes that a running thread has taken,
never for a task to begin, so calls cannot block one another, however many there are and however busy the pool is. A task that
begins late finds no lane left; the last one to leave frees the memory of the call.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from quantsim.kernels import call_frame as xla
from quantsim.kernels.addresses import set_word, word
from quantsim.kernels.call_frame import call
from quantsim.kernels.kernel import MOST_KERNELS
from quantsim.kernels.table import (
    ALLOCATE,
    COMPILING,
    FREE,
    HELPER,
    KERNELS,
    PAUSE,
    RANKS,
    SIZE,
    SLEEP,
    SYMBOL,
    THREADS,
    YIELD,
)

__all__ = ["handle", "help_out"]


@intrinsic
def _entry(_: Any, position: Any) -> Any:
    """Returns an entry of the table."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        module = builder.module
        table = module.globals.get(SYMBOL) or ir.GlobalVariable(module, ir.ArrayType(ir.IntType(64), SIZE), SYMBOL)
        return builder.load(builder.gep(table, [ir.IntType(64)(0), values[0]]))

    return types.int64(types.int64), generate


@intrinsic
def _add(_: Any, address: Any, value: Any) -> Any:
    """Adds to the word at an address, atomically; returns the word before."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = builder.inttoptr(values[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", place, values[1], "seq_cst")

    return types.int64(types.int64, types.int64), generate


# The memory of a call, in words: a header, three words per operand, and two per operand for each thread.
_NEXT, _DONE, _USERS, _SLOTS = 0, 1, 2, 3  # counters: next lane, lanes done, threads that use this memory, places taken
_LANES, _KERNEL, _OPERANDS, _LEADING, _SIZES = 4, 5, 6, 7, 8
_HEADER = 9


@njit(inline="always", error_model="numpy")
def _find_operands(memory: int, lane: int, place: int) -> None:
    """Writes where the operands of a lane are: for each, its address and the address of the sizes of its own axes."""
    n_operands, n_leading, full = word(memory, _OPERANDS), word(memory, _LEADING), word(memory, _SIZES)
    for index in range(n_operands):
        position = _HEADER + 3 * index
        rank, sizes = word(memory, position + 1), word(memory, position + 2)
        stride, offset, rest = 8, 0, lane
        for axis in range(n_leading, rank):
            stride *= word(sizes, axis)
        for axis in range(n_leading - 1, -1, -1):
            size = word(full, axis)
            if word(sizes, axis) > 1:  # else all lanes share it
                offset += (rest % size) * stride
            rest //= size
            stride *= word(sizes, axis)
        set_word(place, 2 * index, word(memory, position) + offset)
        set_word(place, 2 * index + 1, sizes + 8 * n_leading)


@njit(inline="always", error_model="numpy")
def _take_lanes(memory: int) -> None:
    """Runs lane after lane until none is left."""
    n_lanes, n_operands, kernel = word(memory, _LANES), word(memory, _OPERANDS), word(memory, _KERNEL)
    slot = _add(memory + 8 * _SLOTS, 1)
    place = memory + 8 * (_HEADER + 3 * n_operands + 2 * n_operands * slot)
    lane = _add(memory + 8 * _NEXT, 1)
    while lane < n_lanes:
        _find_operands(memory, lane, place)
        call(kernel, place)
        _add(memory + 8 * _DONE, 1)
        lane = _add(memory + 8 * _NEXT, 1)


@njit(inline="always", error_model="numpy")
def _leave(memory: int) -> None:
    if _add(memory + 8 * _USERS, -1) == 1:
        call(_entry(FREE), memory)


def help_out(memory: int) -> int:
    """The task of a thread of the pool."""
    _take_lanes(memory)
    _leave(memory)
    return 0


def handle(frame: int) -> int:
    """The handler: runs a kernel for every lane; see :class:`quantsim.kernels.Kernel`. Returns an XLA error, or 0."""
    if xla.asks_for_version(frame):
        xla.answer_version(frame)
        return 0
    kernel = xla.attribute(frame)
    if kernel < 0 or kernel >= MOST_KERNELS:
        return xla.error(frame, "quantsim: there is no such kernel")
    while _entry(KERNELS + kernel) == COMPILING:
        call(_entry(SLEEP), _entry(PAUSE))
    if _entry(KERNELS + kernel) == 0:
        return xla.error(frame, "quantsim: the kernel is not compiled in this process")
    n_arguments, n_results = xla.n_operands(frame)
    n_operands = n_arguments + n_results
    _, _, rank, full = xla.operand(frame, n_arguments)
    n_leading = rank - _entry(RANKS + kernel)
    n_lanes = 1
    for axis in range(n_leading):
        n_lanes *= word(full, axis)
    n_threads = max(1, min(_entry(THREADS), n_lanes))
    memory = call(_entry(ALLOCATE), 8 * (_HEADER + 3 * n_operands + 2 * n_operands * n_threads))
    if memory == 0:
        return xla.error(frame, "quantsim: there is no memory left for a kernel")
    for position, value in (
        (_NEXT, 0),
        (_DONE, 0),
        (_USERS, 1),
        (_SLOTS, 0),
        (_LANES, n_lanes),
        (_KERNEL, _entry(KERNELS + kernel)),
        (_OPERANDS, n_operands),
        (_LEADING, n_leading),
        (_SIZES, full),
    ):
        set_word(memory, position, value)
    for index in range(n_operands):
        kind, data, rank, sizes = xla.operand(frame, index)
        if kind != xla.FLOAT64 or rank < n_leading:
            _leave(memory)
            return xla.error(frame, "quantsim: a kernel takes float64 arrays with equal leading axes")
        position = _HEADER + 3 * index
        set_word(memory, position, data)
        set_word(memory, position + 1, rank)
        set_word(memory, position + 2, sizes)
    for _ in range(n_threads - 1):
        _add(memory + 8 * _USERS, 1)
        if not xla.schedule(frame, _entry(HELPER), memory):
            _add(memory + 8 * _USERS, -1)
            break
    _add(memory + 8 * _USERS, 1)
    call(_entry(HELPER), memory)  # not its code again, which would take longer to compile
    while _add(memory + 8 * _DONE, 0) < n_lanes:
        call(_entry(YIELD), 0)
    _leave(memory)
    return 0
