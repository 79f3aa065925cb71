"""The number of threads that computations of this process use."""

from __future__ import annotations

import os
from collections.abc import Mapping

from quantsim.errors import ConfigError
from quantsim.limits import MOST_JOBS

__all__ = ["THREADS", "thread_count"]

THREADS = "QUANTSIM_THREADS"
"""The environment variable that sets the number of threads."""


def thread_count(environment: Mapping[str, str] = os.environ) -> int:
    """Returns the number of threads that computations of this process may use.

    The environment variable ``QUANTSIM_THREADS`` sets it; by default, it is the number of processors that this process may
    use. Results do not depend on it.

    Raises:
        ConfigError: ``QUANTSIM_THREADS`` is not a whole number, or out of range.

    Example:
        >>> thread_count({"QUANTSIM_THREADS": "4"})
        4
    """
    text = environment.get(THREADS, "").strip()
    if not text:
        return _processors()
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MOST_JOBS):
        raise ConfigError(
            f"{THREADS} = {text[:40]!r} must be a whole number from 1 to {MOST_JOBS:,}; unset it to use all processors"
        )
    return int(text)


def _processors() -> int:
    """Returns the number of processors that this process may use, which an affinity mask may limit."""
    if hasattr(os, "process_cpu_count"):  # from Python 3.13 on
        found = os.process_cpu_count()
    elif hasattr(os, "sched_getaffinity"):
        found = len(os.sched_getaffinity(0))
    else:
        found = os.cpu_count()
    return found or 1
