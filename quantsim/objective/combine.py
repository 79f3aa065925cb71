"""Metrics of periods and constraints, combined into the number that is maximised."""

from __future__ import annotations

import math
from collections.abc import Mapping

import jax.numpy as jnp
from jax import Array

from quantsim.metrics import bounded, get_metric
from quantsim.objective.aggregate import aggregate
from quantsim.objective.shape import ObjectiveShape

__all__ = ["combine", "violation"]


def combine(shape: ObjectiveShape, of_periods: Mapping[str, Array], of_window: Mapping[str, Array]) -> Array:
    """``aggregate_p(Σ_m weight_m · m_p) - penalty · Σ_c violation_c``, ().

    Ratios are bounded (:attr:`~quantsim.metrics.Metric.bound`) before they are weighted and aggregated.

    Args:
        shape: of the objective.
        of_periods: metric → (P,), of the terms.
        of_window: metric → (), of the constraints: they hold over the whole window.
    """
    values = sum((weight * bounded(name, of_periods[name]) for name, weight in shape.terms), jnp.zeros(()))
    total = aggregate(values, shape.aggregate, temperature=shape.softmin_temperature, quantile=shape.quantile)
    if shape.constraints:
        total -= shape.constraint_penalty * sum(
            violation(of_window[name], minimum, get_metric(name).bound) for name, minimum in shape.constraints
        )
    return total


def violation(value: Array, minimum: float, bound: float = math.inf) -> Array:
    """How far a value falls short of its minimum, relative to the minimum's size, or absolute where it is 0; at least 0.

    The penalty on it is exact: from some finite factor on, the maximum keeps to the constraint itself, where that can be met
    (Nocedal and Wright, Numerical Optimization, theorem 17.3).

    Args:
        value: () of the metric.
        minimum: its least value.
        bound: of the metric: a value below ``-bound`` falls short by no more than one at ``-bound``.
    """
    # No gradient at the minimum itself, where ``maximum`` would have half of one; what is not a number stays so.
    shortfall = jnp.where(value >= minimum, 0.0, minimum - value)
    return jnp.minimum(shortfall, bound + abs(minimum)) / (abs(minimum) or 1.0)
