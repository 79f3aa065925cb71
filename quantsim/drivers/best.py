"""Best-so-far tracking, shared by all drivers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from quantsim.ranking import is_ranked, rank

__all__ = ["Best"]


@dataclass(frozen=True)
class Best:
    """The best value seen, and how long ago, as :mod:`quantsim.ranking` has it: nan is never the best.

    Attributes:
        value: the best so far; nan before any.
        step: when it was seen; -1 before any.
        stale: observations since it was last improved.
        tie: what told it from others of that value.
    """

    value: float = math.nan
    step: int = -1
    stale: int = 0
    tie: float | None = None

    @property
    def is_known(self) -> bool:
        """Whether there is one."""
        return self.step >= 0

    def update(self, value: float, step: int, tie: float | None = None) -> Best:
        """Takes one more observation into account; ``tie`` is its :data:`~quantsim.ranking.TIE_METRIC`."""
        if is_ranked(value) and (not self.is_known or rank(value, tie) > rank(self.value, self.tie)):
            return Best(value, step, tie=tie)
        return replace(self, stale=self.stale + 1)
