"""The table where compiled code finds what differs from process to process: addresses, and the number of threads.

The table is at a named symbol, so compiled code can be stored and used by other processes.
"""

from __future__ import annotations

import ctypes
import sys

import llvmlite.binding

from quantsim.kernels.kernel import MOST_KERNELS

__all__ = ["ALLOCATE", "FREE", "HELPER", "KERNELS", "RANKS", "SIZE", "SYMBOL", "THREADS", "YIELD", "set_entry"]

SYMBOL = "quantsim_kernel_table"
ALLOCATE, FREE, YIELD, THREADS, HELPER, KERNELS = range(6)
RANKS = KERNELS + MOST_KERNELS
SIZE = RANKS + MOST_KERNELS


def _system_functions() -> tuple[int, int, int]:
    """Returns the addresses of C functions that allocate memory, free it, and let other threads run."""
    if sys.platform == "win32":
        c, yields = ctypes.CDLL("msvcrt"), ctypes.WinDLL("kernel32").SwitchToThread
    else:
        c = ctypes.CDLL(None)
        yields = c.sched_yield
    found = (ctypes.cast(function, ctypes.c_void_p).value for function in (c.malloc, c.free, yields))
    allocate, free, leave = (address or 0 for address in found)
    return allocate, free, leave


_table = (ctypes.c_int64 * SIZE)(*_system_functions())
llvmlite.binding.add_symbol(SYMBOL, ctypes.addressof(_table))


def set_entry(position: int, value: int) -> None:
    """Sets an entry of the table: ``THREADS``, ``HELPER``, or that of a kernel after ``KERNELS`` or ``RANKS``."""
    _table[position] = value
