"""Aggregates the values of periods to one number."""

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

    * ``mean``, ``sum``, ``min``: the usual functions. The gradient of ``min`` depends on one period only.
    * ``softmin``: ``-τ log mean_p exp(-v_p/τ)``, where ``τ`` is the ``temperature``, in units of the values. It is between the
      minimum (``τ → 0``) and the mean (``τ → ∞``). Its gradient has the weights ``softmax(-v/τ)``.
    * ``quantile``: the value below which this share of the periods lies; linear interpolation.

    If a value is nan, the result is nan. If a value is + infinity, ``mean`` and ``sum`` are infinite, and the others depend on
    the other values. Ratios, such as a Sortino ratio without a loss, are bounded before they are aggregated.
    """
    if kind == "softmin":
        return _softmin(values, temperature)
    if kind == "quantile":
        return jnp.quantile(values, quantile)
    return _PLAIN[kind](values)


_PLAIN: dict[str, Callable[[Array], Array]] = {"mean": jnp.mean, "sum": jnp.sum, "min": jnp.min}


def _softmin(values: Array, temperature: float) -> Array:
    # Relative to the mean: at high temperatures the small differences would be lost in the rounding of the values.
    finite = jnp.isfinite(values)
    centre = jnp.sum(jnp.where(finite, values, 0.0)) / jnp.maximum(jnp.sum(finite), 1)
    scaled = (centre - values) / temperature
    largest = jax.lax.stop_gradient(jnp.max(scaled))
    # expm1 keeps the digits of small differences; above 1 the plain form is accurate.
    small = jnp.log1p(jnp.mean(jnp.expm1(jnp.minimum(scaled, 1.0))))
    large = largest + jnp.log(jnp.mean(jnp.exp(scaled - largest)))
    return centre - temperature * jnp.where(largest < 1.0, small, large)
