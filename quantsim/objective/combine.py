"""Combines metrics of periods and constraints into the number that is maximised."""

from __future__ import annotations

import math
from collections.abc import Mapping

from quantsim.lazy_jax import Array
from quantsim.metrics import bounded, get_metric
from quantsim.metrics.series import namespace
from quantsim.objective.aggregate import aggregate
from quantsim.objective.shape import ObjectiveShape

__all__ = ["combine", "violation"]


def combine(shape: ObjectiveShape, of_periods: Mapping[str, Array], of_window: Mapping[str, Array]) -> Array:
    """``aggregate_p(Σ_m weight_m · m_p) - penalty · Σ_c violation_c``, (...), of arrays of JAX or NumPy.

    Ratios are bounded (:attr:`~quantsim.metrics.Metric.bound`) before they are weighted and aggregated.

    Args:
        shape: shape of the objective.
        of_periods: metrics of the terms over the periods: metric → (P, ...).
        of_window: metrics of the constraints over the whole window: metric → (...).
    """
    values: Array = sum(weight * bounded(name, of_periods[name]) for name, weight in shape.terms)  # type: ignore[assignment]
    total = aggregate(values, shape.aggregate, temperature=shape.softmin_temperature, quantile=shape.quantile)
    if shape.constraints:
        total -= shape.constraint_penalty * sum(
            violation(of_window[name], minimum, get_metric(name).bound) for name, minimum in shape.constraints
        )
    return total


def violation(value: Array, minimum: float, bound: float = math.inf) -> Array:
    """Returns the shortfall of a value from its minimum, relative to the size of the minimum (absolute if it is 0); at least 0.

    The penalty on it is exact: above a finite penalty factor, the maximum meets the constraint, if it can be met (Nocedal and
    Wright, Numerical Optimization, theorem 17.3).

    Args:
        value: values of the metric, of JAX or NumPy, of any shape.
        minimum: smallest allowed value.
        bound: bound of the metric; values below ``-bound`` count as ``-bound``.
    """
    xp = namespace(value)
    # The gradient at the minimum is 0; that of ``maximum`` would be one half. nan stays nan.
    shortfall = xp.where(value >= minimum, 0.0, minimum - value)
    relative: Array = xp.minimum(shortfall, bound + abs(minimum)) / (abs(minimum) or 1.0)
    return relative
