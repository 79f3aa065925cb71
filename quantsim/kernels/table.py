"""The table where compiled code finds what differs from process to process: addresses, and the number of threads.

The table is at a named symbol, so compiled code can be stored and used by other processes.
"""

from __future__ import annotations

import ctypes
import sys

import llvmlite.binding

from quantsim.kernels.kernel import MOST_KERNELS

__all__ = [
    "ALLOCATE",
    "COMPILING",
    "FREE",
    "HELPER",
    "KERNELS",
    "PAUSE",
    "RANKS",
    "SIZE",
    "SLEEP",
    "SYMBOL",
    "THREADS",
    "YIELD",
    "set_entry",
]

SYMBOL = "quantsim_kernel_table"
ALLOCATE, FREE, YIELD, SLEEP, PAUSE, THREADS, HELPER, KERNELS = range(8)
RANKS = KERNELS + MOST_KERNELS
SIZE = RANKS + MOST_KERNELS

COMPILING = -1
"""The entry of a kernel that will get its address as soon as it is compiled."""


def _system_functions() -> list[int]:
    """Returns the addresses of C functions that allocate memory, free it, let other threads run, and sleep.

    The last number is what the sleep takes as a millisecond.
    """
    if sys.platform == "win32":
        c, kernel = ctypes.CDLL("msvcrt"), ctypes.WinDLL("kernel32")
        leave, sleep, millisecond = kernel.SwitchToThread, kernel.Sleep, 1
    else:
        c = ctypes.CDLL(None)
        leave, sleep, millisecond = c.sched_yield, c.usleep, 1000
    found = (ctypes.cast(function, ctypes.c_void_p).value for function in (c.malloc, c.free, leave, sleep))
    return [*(address or 0 for address in found), millisecond]


_table = (ctypes.c_int64 * SIZE)(*_system_functions())
llvmlite.binding.add_symbol(SYMBOL, ctypes.addressof(_table))


def set_entry(position: int, value: int) -> None:
    """Sets an entry of the table: ``THREADS``, ``HELPER``, or that of a kernel after ``KERNELS`` or ``RANKS``."""
    _table[position] = value
