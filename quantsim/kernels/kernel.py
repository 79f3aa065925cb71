"""Kernels: functions compiled by numba that run inside JAX's compiled programs on the CPU."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from quantsim.lazy_jax import Array, jax
from quantsim.threads import thread_count

__all__ = ["MOST_KERNELS", "Kernel", "are_available", "compile_ahead", "result_like"]

logger = logging.getLogger(__name__)

MOST_KERNELS = 16

_TARGET = "quantsim_kernel"
_HANDLER, _HELPER = ("quantsim.kernels.lanes", "handle"), ("quantsim.kernels.lanes", "help_out")
_numbers: set[int] = set()
_providing = threading.RLock()
_provided: set[int] = set()


@dataclass(frozen=True)
class Kernel:
    """A sequential computation over float64 arrays, for one lane; ``vmap`` adds lanes, which run on several threads.

    Attributes:
        number: number in compiled programs, unique and less than :data:`MOST_KERNELS`.
        module: module with the function, which imports numba; imported to compile it.
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
        """Runs the kernel; for traced code.

        The first call in a process compiles it, or loads it from the user's cache. If another process is compiling it
        (:func:`compile_ahead`), the program that calls it waits when it runs, so that it can be traced and compiled meanwhile.
        """
        self._provide()
        run = jax.ffi.ffi_call(_TARGET, list(results), vmap_method="expand_dims")
        found: list[Array] = list(run(*arguments, kernel=np.int64(self.number)))
        return found

    def _provide(self) -> None:
        """Lets the handler find the kernel."""
        with _providing:
            if self.number in _provided:
                return
            from quantsim.kernels import table
            from quantsim.kernels.machine_code import address_of, is_pending

            _register()
            table.set_entry(table.RANKS + self.number, self.rank)
            function = self.module, self.function
            if is_pending(function):
                table.set_entry(table.KERNELS + self.number, table.COMPILING)
                threading.Thread(target=self._provide_late, name=f"quantsim-kernel-{self.number}", daemon=True).start()
            else:
                table.set_entry(table.KERNELS + self.number, address_of(function))
            _provided.add(self.number)

    def _provide_late(self) -> None:
        """Waits for the kernel, and lets the programs go on that wait for it."""
        from quantsim.kernels import table
        from quantsim.kernels.machine_code import address_of

        address = 0
        try:
            address = address_of((self.module, self.function))
        except Exception as error:
            logger.error("%s of %s cannot be compiled: %s: %s", self.function, self.module, type(error).__name__, error)
            with _providing:
                _provided.discard(self.number)
        finally:
            table.set_entry(table.KERNELS + self.number, address)


def result_like(array: Array) -> jax.ShapeDtypeStruct:
    """Returns the shape and type of a result that are those of an array."""
    return jax.ShapeDtypeStruct(array.shape, array.dtype)  # type: ignore[no-untyped-call]


def compile_ahead(kernels: Iterable[Kernel]) -> None:
    """Starts a process that compiles what the user's cache does not have, and returns at once."""
    functions = [(kernel.module, kernel.function) for kernel in kernels]
    if not functions:
        return
    from quantsim.kernels import machine_code

    machine_code.compile_ahead([_HELPER, _HANDLER, *functions])


@functools.cache
def are_available() -> bool:
    """Whether kernels can be registered in this process: the platform, numba and the version of XLA's interface support it.

    Raises:
        ConfigError: the number of threads is invalid; see :func:`~quantsim.threads.thread_count`.
    """
    thread_count()
    try:
        with _providing:
            _register()
    except Exception as error:
        logger.warning("compiled kernels are not available, and loops take longer: %s: %s", type(error).__name__, error)
        return False
    return True


@functools.cache
def _register() -> None:
    """Registers the handler of all kernels with XLA."""
    import ctypes

    from quantsim.kernels import table
    from quantsim.kernels.machine_code import address_of

    table.set_entry(table.THREADS, thread_count())
    table.set_entry(table.HELPER, address_of(_HELPER))
    capsule = ctypes.pythonapi.PyCapsule_New
    capsule.restype, capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    handler = capsule(address_of(_HANDLER), None, None)
    jax.ffi.register_ffi_target(_TARGET, handler, platform="cpu", api_version=1)
