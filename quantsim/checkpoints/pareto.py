"""What to make of several objectives: the Pareto front, its balanced member, and the volume it dominates. All are maximised.

One that is to be small has a minus before its name, and is maximised negated.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantsim.ranking import stand_ins

__all__ = ["balanced", "hypervolume", "normalised", "pareto_front", "signed"]

FloatArray = NDArray[np.float64]


def signed(name: str) -> tuple[str, float]:
    """A metric's own name, and the sign with which it is maximised: -1 where a minus stands before the name."""
    return name.removeprefix("-"), -1.0 if name.startswith("-") else 1.0


def pareto_front(values: ArrayLike) -> NDArray[np.int64]:
    """Rows that no other row beats: none is at least as good in every objective, and better in one.

    Args:
        values: (N, K), none nan, each objective to be maximised.

    Returns:
        (F,) rows, in their order. Of equal rows all are on the front or none.
    """
    rows = np.atleast_2d(np.asarray(values, np.float64))
    at_least = (rows[:, None] >= rows).all(axis=-1)
    better = (rows[:, None] > rows).any(axis=-1)
    return np.flatnonzero(~(at_least & better).any(axis=0))


def normalised(values: ArrayLike) -> FloatArray:
    """Objectives between 0, the worst of the rows, and 1, their best, (N, K); 1 throughout for one that does not vary.

    For infinite ones their stand-ins are taken (:func:`quantsim.ranking.stand_ins`).
    """
    rows = stand_ins(np.atleast_2d(np.asarray(values, np.float64)))
    low, high = rows.min(axis=0), rows.max(axis=0)
    varies = high > low
    return np.where(varies, (rows - low) / np.where(varies, high - low, 1.0), 1.0)


def balanced(values: ArrayLike) -> int:
    """The row of a front that is nearest to its ideal point, after normalising; of several the first.

    The ideal point has the best of every objective. An objective that is the same everywhere does not count.

    Args:
        values: (F, K) the front.
    """
    distances = np.linalg.norm(1.0 - normalised(values), axis=1)
    return int(np.flatnonzero(distances <= distances.min() + 1e-12)[0])


def hypervolume(values: ArrayLike, reference: ArrayLike) -> float:
    """Volume of what a front dominates above a reference point, in the product of the objectives' units.

    By slices along the last objective (Zitzler 1999; the cost grows as ``F^(K-1)``).

    Args:
        values: (N, K).
        reference: (K,); rows that do not exceed it in every objective add nothing.
    """
    rows, low = np.atleast_2d(np.asarray(values, np.float64)), np.asarray(reference, np.float64)
    rows = rows[(rows > low).all(axis=1)]
    if not rows.size:
        return 0.0
    if rows.shape[1] == 1:
        return float(rows.max() - low[0])
    rows = rows[np.argsort(-rows[:, -1], kind="stable")]
    heights = rows[:, -1] - np.append(rows[1:, -1], low[-1])
    return float(
        sum(
            height * hypervolume(rows[: index + 1, :-1], low[:-1])
            for index, height in enumerate(heights)
            if height > 0.0
        )
    )
