"""Kernels: functions compiled by numba that run inside JAX's compiled programs on the CPU."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quantsim.environment import kernel_cache
from quantsim.lazy_jax import jax
from quantsim.threads import thread_count

if TYPE_CHECKING:
    from jax import Array

__all__ = ["MOST_KERNELS", "Kernel", "are_available"]

logger = logging.getLogger(__name__)

MOST_KERNELS = 16

_TARGET = "quantsim_kernel"
_numbers: set[int] = set()
_compiling = threading.RLock()
_kept: dict[int, Any] = {}  # compiled functions, whose addresses XLA has


@dataclass(frozen=True)
class Kernel:
    """A sequential computation over float64 arrays, for one lane; ``vmap`` adds lanes, which run on several threads.

    Attributes:
        number: number in compiled programs, unique and less than :data:`MOST_KERNELS`.
        module: module with the function, which imports numba; imported with the first call.
        function: name of the function. It takes the address of its operands, see :mod:`quantsim.kernels.operands`, writes the
            results and returns 0. It must not raise, and only read arguments.
        rank: number of axes of its first result, for one lane.
    """

    number: int
    module: str
    function: str
    rank: int

    def __post_init__(self) -> None:
        if self.number in _numbers or not 0 <= self.number < MOST_KERNELS:
            raise ValueError(f"the number of a kernel must be unique and less than {MOST_KERNELS}, not {self.number}")
        _numbers.add(self.number)

    def __call__(self, results: Sequence[jax.ShapeDtypeStruct], *arguments: Array) -> list[Array]:
        """Runs the kernel; for traced code. The first call in a process compiles it, or loads it from the user's cache."""
        self._compile()
        run = jax.ffi.ffi_call(_TARGET, list(results), vmap_method="expand_dims")
        found: list[Array] = list(run(*arguments, kernel=np.int64(self.number)))
        return found

    def _compile(self) -> None:
        with _compiling:
            if self.number in _kept:
                return
            from quantsim.kernels import lanes

            _register()
            function = getattr(importlib.import_module(self.module), self.function)
            lanes.set_entry(lanes.RANKS + self.number, self.rank)
            lanes.set_entry(lanes.KERNELS + self.number, _compiled(function, self.number))


@functools.cache
def are_available() -> bool:
    """Whether kernels can be registered in this process: the platform, numba and the version of XLA's interface support it.

    Raises:
        ConfigError: the number of threads is invalid; see :func:`~quantsim.threads.thread_count`.
    """
    thread_count()
    try:
        with _compiling:
            _register()
    except Exception as error:
        logger.warning("compiled kernels are not available, and loops take longer: %s: %s", type(error).__name__, error)
        return False
    return True


_HANDLER, _HELPER = -1, -2


@functools.cache
def _register() -> None:
    """Registers the handler of all kernels with XLA."""
    import ctypes

    from quantsim.kernels import lanes

    lanes.set_entry(lanes.THREADS, thread_count())
    lanes.set_entry(lanes.HELPER, _compiled(lanes.help_out, _HELPER))
    capsule = ctypes.pythonapi.PyCapsule_New
    capsule.restype, capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    handler = capsule(_compiled(lanes.handle, _HANDLER), None, None)
    jax.ffi.register_ffi_target(_TARGET, handler, platform="cpu", api_version=1)


def _compiled(function: Any, number: int) -> int:
    """Compiles a function from a word to a word, or loads it; returns its address."""
    import numba

    from quantsim.kernels.lanes import SIGNATURE

    with _cache_folder():
        try:
            made = numba.cfunc(SIGNATURE, cache=True, error_model="numpy")(function)
        except (OSError, RuntimeError):  # no folder to write to
            made = numba.cfunc(SIGNATURE, error_model="numpy")(function)
    _kept[number] = made
    return int(made.address or 0)


@contextlib.contextmanager
def _cache_folder() -> Iterator[None]:
    """Lets numba keep compiled functions in a folder for exactly this code: it does not look at what a function calls."""
    import numba

    config: Any = numba.config
    before, config.CACHE_DIR = config.CACHE_DIR, str(kernel_cache() / _fingerprint())
    try:
        yield
    finally:
        config.CACHE_DIR = before


@functools.cache
def _fingerprint() -> str:
    """Returns a hash of all code of this package's kernels."""
    root = Path(__file__).parents[1]
    files = [*sorted(root.glob("kernels/*.py")), *sorted(root.rglob("*_lanes.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
