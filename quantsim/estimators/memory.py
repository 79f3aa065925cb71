"""Limits on memory inside the compiled simulator."""

from __future__ import annotations

import numpy as np

from quantsim.lazy_jax import Array, jnp
from quantsim.parameters import transforms

__all__ = ["capped_logit", "capped_memory_days"]


def capped_logit(logit_lamb: Array, max_memory_days: float, chunk_minutes: float) -> Array:
    """Returns ``logit λ``, limited to that of ``max_memory_days``; same shape.

    Above the limit the gradient is zero.
    """
    limit = float(transforms.logit_from_memory_days(np.asarray(max_memory_days, np.float64), chunk_minutes))
    return jnp.minimum(logit_lamb, limit)


def capped_memory_days(logit_lamb: Array, max_memory_days: float, chunk_minutes: float) -> Array:
    """Returns the memory in days of ``λ = sigmoid(logit_lamb)``, limited to ``max_memory_days``; same shape."""
    capped = capped_logit(logit_lamb, max_memory_days, chunk_minutes)
    return jnp.asarray(transforms.memory_days_from_logit(capped, chunk_minutes))
