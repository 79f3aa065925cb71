"""The trials of runs as arrays: daily log returns of every evaluated set, those of constant weights, and the metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.checkpoints.checkpoint import Checkpoint, chronological

__all__ = ["Trials"]


_SAME = 1e-12
"""Standard deviation of daily log differences up to which a set trades like constant weights."""


@dataclass(frozen=True)
class Trials:
    """The evaluated parameter sets of one or more runs, N in number.

    Attributes:
        rows: the checkpoints, with their metrics.
        selected: index of the selected one.
        returns: split → daily log returns, (T, N), finite.
        constant_weights: split → daily log returns of constant weights with the same costs, (T,).
        left_out: number of checkpoints without stored or without finite returns.
    """

    rows: tuple[Checkpoint, ...]
    selected: int
    returns: Mapping[str, FloatArray]
    constant_weights: Mapping[str, FloatArray]
    left_out: int = 0

    @property
    def count(self) -> int:
        """Number of trials, N."""
        return len(self.rows)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits with returns, in chronological order."""
        return tuple(chronological(self.returns))

    def excess(self, splits: Sequence[str]) -> FloatArray:
        """Returns daily log returns minus those of constant weights over these splits, one after another, (T, N)."""
        return np.concatenate([self.returns[split] - self.constant_weights[split][:, None] for split in splits])

    def benchmark(self, splits: Sequence[str]) -> FloatArray:
        """Returns daily log returns of constant weights over these splits, one after another, (T,)."""
        return np.concatenate([self.constant_weights[split] for split in splits])

    def scores(self, split: str, metric: str) -> FloatArray:
        """Returns the stored metric of every trial, (N,); nan where it is not stored."""
        values = (row.value(split, metric) for row in self.rows)
        return np.array([np.nan if value is None else value for value in values])

    def that_differ(self, splits: Sequence[str]) -> Trials | None:
        """Returns the trials whose returns on these splits differ from constant weights; None if the selected one's do not."""
        differs = self.excess(splits).std(axis=0) > _SAME
        if not differs[self.selected]:
            return None
        kept = np.flatnonzero(differs)
        return replace(
            self,
            rows=tuple(self.rows[index] for index in kept),
            selected=int(np.searchsorted(kept, self.selected)),
            returns={split: values[:, kept] for split, values in self.returns.items()},
        )
