"""Best-so-far tracking, shared by all drivers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

__all__ = ["Best"]


@dataclass(frozen=True)
class Best:
    """The best value seen, and how long ago; larger is better, and non-finite values never win.

    Attributes:
        value: the best so far; ``-inf`` before any.
        step: when it was seen.
        stale: observations since it was last improved.
    """

    value: float = -math.inf
    step: int = -1
    stale: int = 0

    def update(self, value: float, step: int) -> Best:
        """Takes one more observation into account."""
        if math.isfinite(value) and value > self.value:
            return Best(value, step)
        return replace(self, stale=self.stale + 1)
