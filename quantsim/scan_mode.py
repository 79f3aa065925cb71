"""How a recursion runs: step by step, which is fastest on a CPU, or as an associative scan.

On an accelerator, a sequential scan over many tiny steps is very slow. An associative scan composes the steps pairwise and
needs only ``log2(N)`` rounds. Both modes give the same result; tests compare them for every recursion that has both.

The mode is static: it is part of the setup for which a program is compiled.
"""

from __future__ import annotations

from typing import Literal

import jax

__all__ = ["ScanMode", "backend_scan_mode"]

ScanMode = Literal["sequential", "associative"]


def backend_scan_mode() -> ScanMode:
    """Returns the faster mode on JAX's default backend."""
    return "sequential" if jax.default_backend() == "cpu" else "associative"
