"""Settings of the process before JAX is imported: variables that JAX reads, and the memory allocator."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import os
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from quantsim.threads import THREADS, thread_count

__all__ = [
    "collect_less_often",
    "compilation_cache",
    "keep_freed_memory",
    "kernel_cache",
    "prepare_environment",
    "release_freed_memory",
    "xla_flags",
]

_LONG_LOOPS = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1000000000"
_FAST_COMPILATION = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
_SHORT_SUMS = "--xla_cpu_experimental_ynn_fusion_type="  # no kinds of fusion
_KNOWN = ((0, 7), (0, 10))
_KNOWN_SHORT_SUMS = (0, 10)


def xla_flags(jaxlib: tuple[int, ...] | None = None) -> str:
    """Returns the flags of XLA for programs on the CPU.

    One keeps the bodies of long scans compiled as one loop, with which some gradients are 12 times faster. Others take
    the older emitters, on one thread a program: compilation takes two thirds of the processor time, and programs run as fast.
    The last one keeps XLA from handing sums to its library YNN, which is slow for sums over a few tokens: without it, the
    fee gradient of five tokens takes 1.6 times as long. XLA aborts the process on flags that it does not know, so those are
    left out for other versions than were tested.

    Args:
        jaxlib: version of jaxlib; by default, the installed one.
    """
    from jaxlib.version import __version_info__ as installed

    version = (jaxlib or installed)[:2]
    flags = [_LONG_LOOPS]
    if _KNOWN[0] <= version <= _KNOWN[1]:
        flags.append(_FAST_COMPILATION)
    if version == _KNOWN_SHORT_SUMS:
        flags.append(_SHORT_SUMS)
    return " ".join(flags)


def prepare_environment(environment: MutableMapping[str, str] = os.environ) -> None:
    """Sets the environment of the command line: float64, :func:`xla_flags`, and a cache of compiled programs.

    ``QUANTSIM_THREADS``, if it is set, also limits the threads of a compiled program.

    Call it before JAX is imported. Variables that are already set are kept, except ``JAX_ENABLE_X64``. For the environment
    of this process, it also calls :func:`keep_freed_memory` and :func:`collect_less_often`.

    Args:
        environment: variables of this process, or of one to be started.

    Raises:
        ConfigError: ``QUANTSIM_THREADS`` is not valid.

    Example:
        >>> import quantsim
        >>> quantsim.prepare_environment()  # doctest: +SKIP
    """
    environment["JAX_ENABLE_X64"] = "1"
    if "XLA_FLAGS" not in environment:
        environment["XLA_FLAGS"] = xla_flags()
    environment.setdefault("JAX_COMPILATION_CACHE_DIR", str(compilation_cache(environment)))
    environment.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    environment.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")  # -1: no floor, on no file system
    if environment.get(THREADS, "").strip():
        environment.setdefault("PJRT_NPROC", str(thread_count(environment)))
    if environment is os.environ:
        keep_freed_memory()
        collect_less_often()


_COLLECT_AFTER, _DEFAULTS = 100_000, (700, 2_000)  # new objects; the defaults of Python 3.11 and 3.13


def collect_less_often() -> None:
    """Makes Python run its garbage collector less often, unless its thresholds are set already.

    Imports and traced programs make more than a million objects that stay. By default, the collector goes through all of them
    a dozen times before a command begins to work, which takes a tenth of the processor time of a first run.
    """
    if gc.get_threshold()[0] in _DEFAULTS:
        gc.set_threshold(_COLLECT_AFTER)


_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # of mallopt(3)
_NEVER = 2**31 - 1
_LARGEST_HEAP = 2**26  # of the arena of a thread


def keep_freed_memory() -> None:
    """Makes glibc's allocator keep freed memory of this process for reuse; does nothing on other systems.

    By default, arrays of many megabytes are returned to the operating system when they are freed, and every page of the next
    such array costs a page fault. For three splits of minutes this was a third of the time of an evaluation. Settings
    in the environment, such as ``MALLOC_MMAP_MAX_``, are kept.
    """
    if any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        return
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library, or Windows
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, _NEVER)
        libc.mallopt(_M_TOP_PAD, _LARGEST_HEAP)  # the arena of a thread keeps a heap that this would leave too small


@functools.cache
def release_freed_memory() -> None:
    """Returns the freed memory of this process to the operating system, once and with glibc; does nothing on other systems.

    Loading prices leaves freed pieces of up to their size, which are kept, but too small for the arrays of a program.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def compilation_cache(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Returns the folder of compiled programs: ``quantsim/xla`` in the user's cache folder, as the platform has it."""
    return _cache(environment, platform) / "xla"


def kernel_cache(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Returns the folder of compiled kernels: ``quantsim/kernels`` in the user's cache folder, or ``NUMBA_CACHE_DIR``."""
    given = environment.get("NUMBA_CACHE_DIR")
    return Path(given) if given else _cache(environment, platform) / "kernels"


def _cache(environment: Mapping[str, str], platform: str) -> Path:
    if environment.get("XDG_CACHE_HOME"):
        base = Path(environment["XDG_CACHE_HOME"])
    elif platform == "win32" and environment.get("LOCALAPPDATA"):
        base = Path(environment["LOCALAPPDATA"])
    elif platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path.home() / ".cache"
    return base / "quantsim"
