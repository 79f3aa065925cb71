"""JAX, imported when it is first used.

Importing JAX takes longer than the whole of ``quantsim select``. Commands that only read a study or a store need the names,
parameters and settings of rules and pools, but not their computations. So the modules that define rules and pools take JAX
from here, and use it inside functions only::

    from quantsim.lazy_jax import Array, jax, jnp

Users' files can import JAX directly.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["Array", "custom_vjp", "jax", "jnp"]


Function = TypeVar("Function", bound=Callable[..., Any])


class _Lazy(ModuleType):
    """Stands for a module, and imports it when one of its attributes is read."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


if TYPE_CHECKING:
    import jax as jax
    import jax.numpy as jnp
    from jax import Array as Array
else:
    jax, jnp = _Lazy("jax"), _Lazy("jax.numpy")
    Array = Any  # in aliases of types; annotations are not evaluated


def custom_vjp(
    function: Function,
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    nondiff_argnums: tuple[int, ...] = (),
) -> Function:
    """Returns a function with a gradient of its own, as ``jax.custom_vjp`` and ``defvjp`` make it, on its first call."""

    @functools.cache
    def differentiable() -> Callable[..., Any]:
        made = jax.custom_vjp(function, nondiff_argnums=nondiff_argnums)
        made.defvjp(forward, backward)
        return made

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        return differentiable()(*arguments)

    return call  # type: ignore[return-value]
