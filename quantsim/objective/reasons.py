"""Explains why an objective is nan, from the other metrics."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from quantsim.objective.shape import OBJECTIVE
from quantsim.ranking import TIE_METRIC

if TYPE_CHECKING:
    from quantsim.objective.settings import Objective

__all__ = ["nan_reason"]


def nan_reason(objective: Objective, split: str, name: str, values: Mapping[str, float]) -> str:
    """Says which metric is nan, in which periods, and whether the pool's value or the length of the period is the reason.

    Args:
        objective: objective of the study.
        split: the split of the values.
        name: name of the value that is nan: a metric, a metric of periods, or the objective.
        values: metric → value, on this split.
    """
    parts = list(_parts(objective, values)) if name == OBJECTIVE else []
    text = f"{split} {name} is nan" + (f": {' and '.join(parts)}" if parts else "")
    returns = values.get(TIE_METRIC)
    if returns is None:
        return text
    if not math.isfinite(returns):
        return f"{text}; the pool's return is {returns}: with these parameters its value is not a finite number"
    return (
        f"{text}; the pool's return is {returns:.4g}, so the period is too short for the metric (see docs/metrics.md)"
    )


def _parts(objective: Objective, values: Mapping[str, float]) -> Iterator[str]:
    """Yields the metrics of the objective that are nan, with their periods if these are stored."""
    for term, _ in objective.terms:
        prefix = f"{term}.period_"
        periods = [key.removeprefix(f"{term}.") for key in values if key.startswith(prefix) and math.isnan(values[key])]
        if periods:
            yield f"{term} of {', '.join(periods)}"
        elif math.isnan(values.get(term, 0.0)):
            yield term
    for constraint, _ in objective.constraints:
        if math.isnan(values.get(constraint, 0.0)):
            yield f"constraint {constraint}"
