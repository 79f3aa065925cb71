"""From a value per period to one number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array

__all__ = ["Aggregate", "aggregate"]

Aggregate = Literal["mean", "sum", "min", "softmin", "quantile"]


def aggregate(values: Array, kind: Aggregate, *, temperature: float = 1.0, quantile: float = 0.25) -> Array:
    """Aggregates values of periods, (P,), to ().

    * ``mean``, ``sum``, ``min``: as they say. The gradient of ``min`` reaches one period only.
    * ``softmin``: ``-τ log mean_p exp(-v_p/τ)``, with ``τ`` the ``temperature``, in units of the values: the minimum as it goes
      to 0, the mean as it goes to infinity, and between them for all others. Its gradient is spread over the periods by
      ``softmax(-v/τ)``.
    * ``quantile``: that share of the periods is worse; linear between neighbours.

    A value that is not a number makes the result none, too; one of + infinity makes ``mean`` and ``sum`` infinite and leaves
    the others to the rest. Ratios, such as a Sortino ratio without a loss, are bounded before they come here.
    """
    if kind == "softmin":
        return _softmin(values, temperature)
    if kind == "quantile":
        return jnp.quantile(values, quantile)
    return _PLAIN[kind](values)


_PLAIN: dict[str, Callable[[Array], Array]] = {"mean": jnp.mean, "sum": jnp.sum, "min": jnp.min}


def _softmin(values: Array, temperature: float) -> Array:
    # About the mean: for high temperatures the differences are all there is, and they must not drown in the values.
    finite = jnp.isfinite(values)
    centre = jnp.sum(jnp.where(finite, values, 0.0)) / jnp.maximum(jnp.sum(finite), 1)
    scaled = (centre - values) / temperature
    largest = jax.lax.stop_gradient(jnp.max(scaled))
    # expm1 keeps the digits of small differences; beyond 1 the plain form has none to lose.
    small = jnp.log1p(jnp.mean(jnp.expm1(jnp.minimum(scaled, 1.0))))
    large = largest + jnp.log(jnp.mean(jnp.exp(scaled - largest)))
    return centre - temperature * jnp.where(largest < 1.0, small, large)
