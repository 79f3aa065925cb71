"""How a recursion is run: one step after another, which a CPU does fastest, or as an associative scan.

An accelerator does a long scan of tiny steps thousands of times slower than it could. Composing the steps pairwise takes
``log2`` of their number rounds instead. Both modes compute the same: every recursion that has two is tested for that.

The mode is static: it is a part of the setup that a program is compiled for.
"""

from __future__ import annotations

from typing import Literal

import jax

__all__ = ["ScanMode", "backend_scan_mode"]

ScanMode = Literal["sequential", "associative"]


def backend_scan_mode() -> ScanMode:
    """The mode that suits JAX's default backend."""
    return "sequential" if jax.default_backend() == "cpu" else "associative"
