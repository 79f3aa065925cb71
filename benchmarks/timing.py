"""Times calls of compiled programs."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from typing import Any


def timed(call: Callable[[], Any], n_calls: int = 1) -> float:
    """Mean seconds of some calls, until their results are there."""
    import jax

    begun = time.perf_counter()
    for _ in range(n_calls):
        jax.block_until_ready(call())
    return (time.perf_counter() - begun) / n_calls


def median_ms(call: Callable[[], Any], repeats: int, seconds: float = math.inf) -> float:
    """Median milliseconds of a call; the first one, which compiles, is not counted.

    Args:
        call: the call.
        repeats: number of calls that are counted.
        seconds: time after which no further call is counted.
    """
    timed(call)
    times = [timed(call)]
    while len(times) < repeats and sum(times) < seconds:
        times.append(timed(call))
    return 1e3 * statistics.median(times)
