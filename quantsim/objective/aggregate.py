"""Aggregates the values of periods to one number."""

from __future__ import annotations

from typing import Literal

from quantsim.lazy_jax import Array
from quantsim.metrics.series import constant, namespace

__all__ = ["Aggregate", "aggregate"]

Aggregate = Literal["mean", "sum", "min", "softmin", "quantile"]


def aggregate(values: Array, kind: Aggregate, *, temperature: float = 1.0, quantile: float = 0.25) -> Array:
    """Aggregates values of periods, (P, ...), to (...), the same kind of array.

    * ``mean``, ``sum``, ``min``: the usual functions. The gradient of ``min`` depends on one period only.
    * ``softmin``: ``-τ log mean_p exp(-v_p/τ)``, where ``τ`` is the ``temperature``, in units of the values. It is between the
      minimum (``τ → 0``) and the mean (``τ → ∞``). Its gradient has the weights ``softmax(-v/τ)``.
    * ``quantile``: the value below which this share of the periods lies; linear interpolation.

    If a value is nan, the result is nan. If a value is + infinity, ``mean`` and ``sum`` are infinite, and the others depend on
    the other values. Ratios, such as a Sortino ratio without a loss, are bounded before they are aggregated.
    """
    xp = namespace(values)
    if kind == "softmin":
        return _softmin(values, temperature)
    found: Array = xp.quantile(values, quantile, axis=0) if kind == "quantile" else getattr(xp, kind)(values, axis=0)
    return found


def _softmin(values: Array, temperature: float) -> Array:
    xp = namespace(values)
    # Relative to the mean: at high temperatures the small differences would be lost in the rounding of the values.
    finite = xp.isfinite(values)
    centre = xp.where(finite, values, 0.0).sum(axis=0) / xp.maximum(finite.sum(axis=0), 1)
    scaled = (centre - values) / temperature
    largest = constant(scaled.max(axis=0))
    # expm1 keeps the digits of small differences; above 1 the plain form is accurate.
    small = xp.log1p(xp.expm1(xp.minimum(scaled, 1.0)).mean(axis=0))
    large = largest + xp.log(xp.exp(scaled - largest).mean(axis=0))
    found: Array = centre - temperature * xp.where(largest < 1.0, small, large)
    return found
