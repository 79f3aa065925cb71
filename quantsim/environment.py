"""Environment variables that JAX reads when it is imported. Child processes inherit them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path

__all__ = ["XLA_FLAGS", "compilation_cache", "prepare_environment"]

XLA_FLAGS = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1000000000"
"""Keeps the bodies of long scans compiled as one loop on the CPU; some gradients are 12 times faster with it."""


def prepare_environment(environment: MutableMapping[str, str] = os.environ) -> None:
    """Sets the environment of the command line: float64, XLA flags for fast gradients, and a cache of compiled programs.

    Call it before JAX is imported. Variables that are already set are kept, except ``JAX_ENABLE_X64``.

    Args:
        environment: variables of this process, or of one to be started.

    Example:
        >>> import quantsim
        >>> quantsim.prepare_environment()  # doctest: +SKIP
    """
    environment["JAX_ENABLE_X64"] = "1"
    environment.setdefault("XLA_FLAGS", XLA_FLAGS)
    environment.setdefault("JAX_COMPILATION_CACHE_DIR", str(compilation_cache(environment)))
    environment.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    environment.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")  # -1: no floor, on no file system


def compilation_cache(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """The folder of compiled programs: ``quantsim/xla`` in the user's cache folder, as the platform has it."""
    if environment.get("XDG_CACHE_HOME"):
        base = Path(environment["XDG_CACHE_HOME"])
    elif platform == "win32" and environment.get("LOCALAPPDATA"):
        base = Path(environment["LOCALAPPDATA"])
    elif platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path.home() / ".cache"
    return base / "quantsim" / "xla"
