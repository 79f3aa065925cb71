"""How a recursion runs: as a compiled kernel, as a loop of XLA, or as an associative scan.

* ``"kernel"`` is fastest on a CPU. A recursion without a kernel runs as with ``"sequential"``.
* ``"sequential"`` is a loop of XLA, step by step. It works everywhere, and is the reference.
* ``"associative"`` is for accelerators, where a loop of many tiny steps is very slow. An associative scan composes the steps
  pairwise and needs only ``log2(N)`` rounds.

All modes give the same result; tests compare them for every recursion that has several.

The mode is static: it is part of the setup for which a program is compiled.
"""

from __future__ import annotations

from typing import Literal

from quantsim.kernels import are_available
from quantsim.lazy_jax import jax

__all__ = ["ScanMode", "backend_scan_mode"]

ScanMode = Literal["kernel", "sequential", "associative"]
"""How recursions are computed: by a compiled kernel, a loop of XLA, or an associative scan."""


def backend_scan_mode(*, kernels: bool = True) -> ScanMode:
    """Returns the fastest mode that JAX's default backend supports.

    Args:
        kernels: whether a recursion has a kernel. Without one, numba is not imported, which takes longer than many programs.
    """
    if jax.default_backend() != "cpu":
        return "associative"
    return "kernel" if kernels and are_available() else "sequential"
