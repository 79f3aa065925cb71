"""Times calls of compiled programs."""

from __future__ import annotations

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


def median_ms(call: Callable[[], Any], repeats: int) -> float:
    """Median milliseconds of a call; the first one, which compiles, is not counted."""
    timed(call)
    return 1e3 * statistics.median(timed(call) for _ in range(repeats))
