"""The memory that the computations of a call may take."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping

from quantsim.errors import ConfigError

__all__ = ["MEMORY", "memory_budget"]

MEMORY = "QUANTSIM_MEMORY"
"""The environment variable that sets the memory budget, in gigabytes."""

_GIGABYTE = 10**9
_MOST_GIGABYTES = 1e6
_UNKNOWN_MACHINE = 4 * _GIGABYTE


def memory_budget(environment: Mapping[str, str] = os.environ) -> int:
    """Returns the memory that parallel evaluations may take together, in bytes.

    The environment variable ``QUANTSIM_MEMORY`` sets it, in gigabytes (10^9 bytes); by default, it is half of the machine's
    memory, or 4 GB if the operating system does not say how much that is. Fewer evaluations run at the same time if all would
    exceed it; one always runs. Results do not depend on it.

    Raises:
        ConfigError: ``QUANTSIM_MEMORY`` is not a positive number.

    Example:
        >>> memory_budget({"QUANTSIM_MEMORY": "1.5"})
        1500000000
    """
    text = environment.get(MEMORY, "").strip()
    if not text:
        return _half_of_machine()
    try:
        gigabytes = float(text)
    except ValueError:
        gigabytes = math.nan
    if not 0.0 < gigabytes <= _MOST_GIGABYTES:
        raise ConfigError(
            f"{MEMORY} = {text[:40]!r} must be a positive number of gigabytes, such as 4; unset it to use half of the memory"
        )
    return math.ceil(gigabytes * _GIGABYTE)


def _half_of_machine() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):  # Windows, or a system that does not say
        return _UNKNOWN_MACHINE
