"""Daily log returns of many checkpoints, as one table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ReturnsTable"]


@dataclass(frozen=True, eq=False)
class ReturnsTable:
    """The daily log returns of ``N`` checkpoints on one split of ``D`` days.

    Attributes:
        split: name of the split.
        checkpoint_ids: ids of the checkpoints, by run in the order asked for, then by step and parameter set.
        values: (N, D-1) daily log returns, ``log V[t+1] - log V[t]``.
        missing: number of checkpoints of these runs without stored returns on the split, such as those of older versions.
    """

    split: str
    checkpoint_ids: tuple[str, ...]
    values: NDArray[np.float64]
    missing: int = 0
