"""Arrays of NumPy as arguments of compiled programs."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from quantsim.lazy_jax import Array, jax

__all__ = ["device_array"]


def device_array(values: ArrayLike, *, copy: bool = True) -> Array:
    """Copies values to JAX's default device.

    ``jax.numpy.asarray`` would compile a program for each shape, and ``jax.device_put`` may share memory with its argument.

    Args:
        values: the values.
        copy: False for values that nobody will change.
    """
    return cast(Array, jax.device_put(np.array(values) if copy else values))
