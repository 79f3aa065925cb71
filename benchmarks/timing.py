"""Times calls of compiled programs."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Timed(NamedTuple):
    """Seconds of a call.

    Attributes:
        wall: seconds that pass.
        processor: seconds of all processors for this process and those that it starts.
    """

    wall: float
    processor: float


def timed(call: Callable[[], Any], n_calls: int = 1) -> Timed:
    """Means of some calls, until their results are there."""
    import jax

    begun, before = time.perf_counter(), _processor()
    for _ in range(n_calls):
        jax.block_until_ready(call())
    wall, processor = time.perf_counter() - begun, _processor() - before
    return Timed(wall / n_calls, processor / n_calls)


def _processor() -> float:
    """Processor seconds of this process, and of those it has waited for."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def median_ms(call: Callable[[], Any], repeats: int, seconds: float = math.inf) -> float:
    """Median milliseconds of a call; the first one, which compiles, is not counted.

    Args:
        call: the call.
        repeats: number of calls that are counted.
        seconds: time after which no further call is counted.
    """
    timed(call)
    times = [timed(call).wall]
    while len(times) < repeats and sum(times) < seconds:
        times.append(timed(call).wall)
    return 1e3 * statistics.median(times)
