"""Cuts many parameter sets, windows or variations into calls of one compiled program, and runs several calls at once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import jax
import numpy as np
from numpy.typing import NDArray

from quantsim.memory import memory_budget
from quantsim.precision import in_float64
from quantsim.simulator.plan import Plan
from quantsim.threads import thread_count

__all__ = ["call_width", "check_resources", "cut", "gradient_width", "run_calls"]

R = TypeVar("R")

_MOST_LANES = 32
_MOST_VALUES, _MOST_VALUES_OF_SCANS = 2**21, 2**24
"""Values of an array with all lanes of a call: enough that the fixed cost of a call does not show. Calls on the CPU run at the
same time, so that short ones use the caches of their cores. An accelerator, which has associative scans, runs one at a time."""
_MOST_VALUES_OF_GRADIENTS = 2**18
"""The same for gradients through every bar, which take longer and need more arrays."""

_compiling = threading.Lock()
_bytes: dict[Hashable, int] = {}
"""Memory of a call by program, its static argument and shapes; JAX keeps the programs as long."""


def check_resources() -> None:
    """Raises ConfigError if the environment variables of threads or memory are not valid."""
    thread_count()
    memory_budget()


def call_width(plans: Iterable[Plan], least_values: int = 0) -> int:
    """Returns the number of lanes of a full call that evaluates all plans, a power of two.

    Lanes are parameter sets, windows or variations. The width depends on the arguments alone: the last bits of results depend
    on it, so it must not depend on the machine.

    Args:
        plans: plans that each lane evaluates.
        least_values: number of values of the largest array that is an argument of one lane.
    """
    plans = list(plans)
    most = _MOST_VALUES_OF_SCANS if all(plan.setup.scan_mode == "associative" for plan in plans) else _MOST_VALUES
    n_values = max(sum(plan.n_values for plan in plans), least_values, 1)
    return _floor(min(max(most // n_values, 1), _MOST_LANES))


def gradient_width(plan: Plan, n_windows: int) -> int:
    """Returns the number of parameter sets of a full call that differentiates windows, a power of two.

    A gradient through every bar is one sequential program per set, so that sets run at the same time in calls of a few. Other
    sets are all in one call: vectorised they take less time.
    """
    if plan.lanes_at_once == sys.maxsize:
        return sys.maxsize
    return _floor(min(max(_MOST_VALUES_OF_GRADIENTS // (plan.n_values * n_windows), 1), _MOST_LANES))


def cut(n_lanes: int, width: int, *, fill: bool = False) -> list[NDArray[np.int64]]:
    """Returns the indices of the lanes of each call, (W,). All calls have as many lanes, so that they share a compiled program.

    Calls are filled up with the last lane. Fewer lanes than ``width`` are one call of as many lanes as the next power of two,
    so that few programs serve all numbers of lanes.

    Args:
        n_lanes: number of lanes.
        width: number of lanes of a full call.
        fill: whether to fill up a single call to ``width`` lanes, too, so that one program serves all numbers of lanes.
    """
    if n_lanes <= 1 and not fill:
        return [np.arange(n_lanes)]
    if not fill:
        width = min(width, _floor(2 * n_lanes - 1))
    return [np.minimum(np.arange(begin, begin + width), n_lanes - 1) for begin in range(0, n_lanes, width)]


def _floor(number: int) -> int:
    """Returns the largest power of two that is at most a positive number."""
    return 1 << (number.bit_length() - 1)


def run_calls(
    program: Any, arguments: Callable[[int], tuple[Any, ...]], n_calls: int, finish: Callable[[Any], R]
) -> Iterator[R]:
    """Yields the finished results of all calls of a compiled program, in order.

    JAX releases the interpreter while a program runs, so calls run in parallel, on as many threads as
    :func:`~quantsim.threads.thread_count` and :func:`~quantsim.memory.memory_budget` allow. Calls that have not begun are
    dropped after an error or an interrupt.

    Args:
        program: a function under ``jax.jit`` whose first argument is static.
        arguments: returns the arguments of a call, by its number. Shapes are the same for all calls.
        n_calls: number of calls, at least one.
        finish: takes the result of a call, as arrays of NumPy. It and ``arguments`` are called on the threads.
    """
    first = arguments(0)

    @in_float64
    def result(number: int) -> R:
        return finish(jax.tree.map(np.asarray, program(*(arguments(number) if number else first))))

    if n_calls == 1:
        yield result(0)
        return
    with ThreadPoolExecutor(min(_calls_at_once(program, first), n_calls)) as pool:
        yield from pool.map(result, range(n_calls))


def _calls_at_once(program: Any, arguments: tuple[Any, ...]) -> int:
    """Returns the number of calls that run at the same time; compiles the program if no call has done that before."""
    if jax.default_backend() != "cpu":
        return 1
    static, *others = arguments
    leaves, form = jax.tree.flatten(others)
    key = (program, static, form, tuple((leaf.shape, leaf.dtype) for leaf in leaves))
    with _compiling:
        if key not in _bytes:
            sizes = program.lower(*arguments).compile().memory_analysis()
            _bytes[key] = sizes.temp_size_in_bytes + sizes.argument_size_in_bytes + sizes.output_size_in_bytes
    return max(1, min(thread_count(), memory_budget() // max(_bytes[key], 1)))
