"""Capped shares: what exceeds a cap goes to the other tokens, in proportion to their shares."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from quantsim.lazy_jax import Array, jax, jnp
from quantsim.parameters.spec import LOG2, ParameterSpec

__all__ = ["cap", "capped_shares", "check_caps", "with_cap"]

cap = ParameterSpec(
    raw_name="log_cap",
    human_name="cap",
    unit="",
    description="largest share of a token; what exceeds it goes to the others, in proportion to their shares",
    transform=LOG2,
    default=1.0,
    low=0.2,
    high=1.0,
    opt_in=True,
)
"""Cap of the shares of an index: one number, or one per token."""


def capped_shares(shares: Array, caps: Array) -> Array:
    """Returns ``min(c·s, cap)`` with the factor ``c`` that makes every row sum to 1.

    This is the limit of capping and of distributing the excess again and again, found in one step (water filling): in the
    order of ``s/cap``, the first ``m`` tokens are at their caps and the others share the rest, where ``m`` is the smallest
    number with which none of the others exceeds its cap. Gradients are exact.

    Args:
        shares: (..., n) positive numbers in proportion to the shares.
        caps: (n,) positive. If their sum is below 1, they are scaled to a sum of 1, which no share can meet otherwise.

    Returns:
        (..., n) shares on the simplex, none above its cap.
    """
    caps = caps / jnp.minimum(jnp.sum(caps), 1.0)
    seen, limits = jax.lax.stop_gradient((shares, caps))
    order = jnp.argsort(-seen / limits, axis=-1)
    share, limit = jnp.take_along_axis(seen, order, axis=-1), limits[order]
    before = jnp.cumsum(limit, axis=-1) - limit
    rest = jnp.flip(jnp.cumsum(jnp.flip(share, axis=-1), axis=-1), axis=-1)
    fits = (1.0 - before) * share <= limit * rest
    fits = fits.at[..., -1].set(True)  # but for rounding
    n_capped = jnp.argmax(fits, axis=-1, keepdims=True)
    is_capped = jnp.argsort(order, axis=-1) < n_capped
    free = jnp.where(is_capped, 0.0, shares)
    left = 1.0 - jnp.sum(jnp.where(is_capped, caps, 0.0), axis=-1, keepdims=True)
    return jnp.where(is_capped, caps, free * (left / jnp.sum(free, axis=-1, keepdims=True)))


def with_cap(shares: Array, params: Mapping[str, Array]) -> Array:
    """Returns shares under the caps of a rule's parameters, ``log_cap``, (n,); rows that sum to 1, also without caps."""
    if cap.raw_name in params:
        return capped_shares(shares, jnp.exp2(params[cap.raw_name]))
    return shares / jnp.sum(shares, axis=-1, keepdims=True)


def check_caps(human: Mapping[str, NDArray[np.float64]]) -> None:
    """Raises ValueError if the caps of a rule's parameters, in human units, sum to less than 1."""
    caps = human.get(cap.human_name)
    if caps is not None and float(caps.sum()) < 1.0 - 1e-12:
        given = f"{caps[0]:g} for each of {caps.size} tokens" if (caps == caps[0]).all() else f"{caps.tolist()}"
        raise ValueError(
            f"{cap.human_name} = {given} sums to {caps.sum():g}: shares sum to 1, so caps must sum to at least 1; "
            f"for {caps.size} tokens, set it to more than {1 / caps.size:.4g}"
        )
