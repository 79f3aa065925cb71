"""float64, without flipping a process-wide switch behind anybody's back."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["enable_float64", "in_float64"]

P = ParamSpec("P")
R = TypeVar("R")


def enable_float64() -> None:
    """Turns JAX's 64-bit mode on for this process.

    quantsim's own entry points do not need it: they run in float64 by themselves, whatever the process is set to. Call it
    (once, before the first JAX computation) to use the traced building blocks of :mod:`quantsim.simulator` inside
    JAX code of your own.
    """
    import jax

    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]


def in_float64(function: Callable[P, R]) -> Callable[P, R]:
    """Decorates a host-level function so that all JAX work inside it is done in float64.

    The switch is thread-local and restored on return, so a library user's own float32 code is left alone.
    """

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        import jax

        with jax.enable_x64(True):
            return function(*args, **kwargs)

    return wrapper
