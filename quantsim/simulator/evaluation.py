"""The results of evaluating parameter sets on all splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Evaluation"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The results of ``S`` parameter sets on every split; each split starts with a new pool.

    Attributes:
        metrics: split → metric → (S,).
        daily_log_returns: split → (S, D-1), ``log V[t+1] - log V[t]`` of the pool's value ``V[t]`` at the first bar of each of
            the split's ``D`` days; the last day may be incomplete.
    """

    metrics: Mapping[str, Mapping[str, FloatArray]]
    daily_log_returns: Mapping[str, FloatArray] = field(default_factory=dict)

    def metrics_of(self, index: int) -> dict[str, dict[str, float]]:
        """Returns the metrics of one set: split → metric → value."""
        return {
            split: {name: float(values[index]) for name, values in table.items()}
            for split, table in self.metrics.items()
        }

    def returns_of(self, index: int) -> dict[str, FloatArray]:
        """Returns the daily log returns of one set: split → (D-1,)."""
        return {split: values[index] for split, values in self.daily_log_returns.items()}
