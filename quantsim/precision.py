"""Computation in float64 that leaves the process-wide setting of JAX unchanged."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["enable_float64", "in_float64"]

P = ParamSpec("P")
R = TypeVar("R")


def enable_float64() -> None:
    """Turns on JAX's 64-bit mode for this process.

    The entry points of quantsim do not need it: they always run in float64. Call it once, before the first JAX computation,
    if your own JAX code uses the traced functions of :mod:`quantsim.simulator`.
    """
    import jax

    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]


def in_float64(function: Callable[P, R]) -> Callable[P, R]:
    """Decorates a host-level function so that all JAX computation inside it is done in float64.

    The setting is thread-local and restored on return, so a user's own float32 code is not affected.
    """

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        import jax

        with jax.enable_x64(True):
            return function(*args, **kwargs)

    return wrapper
