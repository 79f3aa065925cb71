"""Memory inside the compiled simulator: decays never exceed what the experiment's history can fill."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import Array

from quantsim.parameters import transforms

__all__ = ["capped_logit", "capped_memory_days"]


def capped_logit(logit_lamb: Array, max_memory_days: float, chunk_minutes: float) -> Array:
    """``logit λ``, at most that of ``max_memory_days``; shape as given.

    Beyond the cap the gradient is zero: a longer memory than the cap changes nothing.
    """
    limit = float(transforms.logit_from_memory_days(np.asarray(max_memory_days, np.float64), chunk_minutes))
    return jnp.minimum(logit_lamb, limit)


def capped_memory_days(logit_lamb: Array, max_memory_days: float, chunk_minutes: float) -> Array:
    """Memory in days of ``λ = sigmoid(logit_lamb)``, at most ``max_memory_days``; shape as given."""
    capped = capped_logit(logit_lamb, max_memory_days, chunk_minutes)
    return jnp.asarray(transforms.memory_days_from_logit(capped, chunk_minutes))
