"""Best-so-far tracking, shared by all drivers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from quantsim.ranking import is_ranked, rank

__all__ = ["Best"]


@dataclass(frozen=True)
class Best:
    """The best value so far, ranked by :mod:`quantsim.ranking`; nan is never the best.

    Attributes:
        value: the best value so far; nan before the first one.
        step: step of the best value; -1 before the first one.
        stale: number of observations since the last improvement.
        tie: the value that breaks ties.
    """

    value: float = math.nan
    step: int = -1
    stale: int = 0
    tie: float | None = None

    @property
    def is_known(self) -> bool:
        """Whether there is a best value."""
        return self.step >= 0

    def update(self, value: float, step: int, tie: float | None = None) -> Best:
        """Returns the best value after one more observation; ``tie`` is its :data:`~quantsim.ranking.TIE_METRIC`."""
        if is_ranked(value) and (not self.is_known or rank(value, tie) > rank(self.value, self.tie)):
            return Best(value, step, tie=tie)
        return replace(self, stale=self.stale + 1)
