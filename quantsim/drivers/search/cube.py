"""Trial parameters as points of the unit cube, one side each, for samplers that draw there."""

from __future__ import annotations

import math
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

__all__ = ["from_unit", "to_unit"]


def from_unit(distribution: BaseDistribution, place: float) -> Any:
    """The value at a place between 0 and 1: even in the range or its logarithm; of steps and choices each has equal room."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[_cell(place, len(distribution.choices))]
    span = _range(distribution)
    low, high = span.low, span.high
    if span.step is not None:
        return low + span.step * _cell(place, _n_steps(span, span.step))
    value = low * (high / low) ** place if span.log else low + place * (high - low)
    return min(max(value, low), high)  # rounding


def to_unit(distribution: BaseDistribution, value: Any) -> float:
    """A place that :func:`from_unit` takes to the value: of steps and choices the middle of their room."""
    if isinstance(distribution, CategoricalDistribution):
        return float(distribution.choices.index(value) + 0.5) / len(distribution.choices)
    span = _range(distribution)
    low, high = span.low, span.high
    if span.step is not None:
        return float(round((value - low) / span.step) + 0.5) / _n_steps(span, span.step)
    if span.log:
        return float(math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
    return float((value - low) / (high - low))


def _range(distribution: BaseDistribution) -> FloatDistribution:
    if not isinstance(distribution, FloatDistribution):
        raise TypeError(f"{distribution!r} is neither a range nor a choice")
    return distribution


def _n_steps(span: FloatDistribution, step: float) -> int:
    return 1 + round((span.high - span.low) / step)  # Optuna cuts high to a whole step


def _cell(place: float, n_cells: int) -> int:
    return min(int(place * n_cells), n_cells - 1)
