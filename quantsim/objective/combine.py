"""Metrics of periods and constraints, combined into the number that is maximised."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
from jax import Array

from quantsim.objective.aggregate import aggregate
from quantsim.objective.shape import ObjectiveShape

__all__ = ["combine", "violation"]


def combine(shape: ObjectiveShape, of_periods: Mapping[str, Array], of_window: Mapping[str, Array]) -> Array:
    """``aggregate_p(Σ_m weight_m · m_p) - penalty · Σ_c violation_c``, ().

    Args:
        shape: of the objective.
        of_periods: metric → (P,), of the terms.
        of_window: metric → (), of the constraints: they hold over the whole window.
    """
    values = sum((weight * of_periods[name] for name, weight in shape.terms), jnp.zeros(()))
    total = aggregate(values, shape.aggregate, temperature=shape.softmin_temperature, quantile=shape.quantile)
    if shape.constraints:
        total -= shape.constraint_penalty * sum(
            violation(of_window[name], minimum) for name, minimum in shape.constraints
        )
    return total


def violation(value: Array, minimum: float) -> Array:
    """How far a value falls short of its minimum, relative to the minimum's size, or absolute where it is 0; at least 0.

    The penalty on it is exact: from some finite factor on, the maximum keeps to the constraint itself, where that can be met
    (Nocedal and Wright, Numerical Optimization, theorem 17.3).
    """
    # No gradient at the minimum itself, where ``maximum`` would have half of one; what is not a number stays so.
    return jnp.where(value >= minimum, 0.0, minimum - value) / (abs(minimum) or 1.0)
