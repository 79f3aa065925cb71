"""The results of evaluating parameter sets on all splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.simulator.measures import results_of

if TYPE_CHECKING:
    from quantsim.simulator.evaluate import SplitPlans, SplitSamples

__all__ = ["Evaluation"]


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

    @classmethod
    def of(cls, splits: SplitPlans, samples: SplitSamples) -> Self:
        """Returns the evaluation from the samples of the traced core."""
        results = {split: results_of(plan, samples[split]) for split, plan, _ in splits}
        return cls(
            {
                split: {name: np.asarray(values) for name, values in found.items()}
                for split, (found, _) in results.items()
            },
            {split: np.asarray(returns) for split, (_, returns) in results.items()},
        )

    @classmethod
    def joined(cls, parts: Sequence[Evaluation], n_sets: int) -> Self:
        """Returns the evaluation of the first ``n_sets`` sets of several evaluations, in order."""
        first = parts[0]
        return cls(
            {
                split: {name: np.concatenate([part.metrics[split][name] for part in parts])[:n_sets] for name in table}
                for split, table in first.metrics.items()
            },
            {
                split: np.concatenate([part.daily_log_returns[split] for part in parts])[:n_sets]
                for split in first.daily_log_returns
            },
        )

    def metrics_of(self, index: int) -> dict[str, dict[str, float]]:
        """Returns the metrics of one set: split → metric → value."""
        return {
            split: {name: float(values[index]) for name, values in table.items()}
            for split, table in self.metrics.items()
        }

    def returns_of(self, index: int) -> dict[str, FloatArray]:
        """Returns the daily log returns of one set: split → (D-1,)."""
        return {split: values[index] for split, values in self.daily_log_returns.items()}
