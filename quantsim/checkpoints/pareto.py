"""Several objectives: the Pareto front, its balanced member, and its hypervolume. All objectives are maximised.

An objective with a minus before its name is minimised: it is negated and maximised.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantsim.array_types import FloatArray
from quantsim.ranking import stand_ins

__all__ = ["balanced", "hypervolume", "normalised", "pareto_front", "signed"]


def signed(name: str) -> tuple[str, float]:
    """Returns a metric's name and sign: -1 if there is a minus before the name, else 1."""
    return name.removeprefix("-"), -1.0 if name.startswith("-") else 1.0


def pareto_front(values: ArrayLike) -> NDArray[np.int64]:
    """Returns the rows that no other row dominates, that is, is as good in every objective and better in one.

    Args:
        values: (N, K) objectives, maximised, without nan.

    Returns:
        (F,) indices of rows, in order. Equal rows are all on the front, or none is.
    """
    rows = np.atleast_2d(np.asarray(values, np.float64))
    at_least = (rows[:, None] >= rows).all(axis=-1)
    better = (rows[:, None] > rows).any(axis=-1)
    return np.flatnonzero(~(at_least & better).any(axis=0))


def normalised(values: ArrayLike) -> FloatArray:
    """Scales objectives to 0 (worst row) … 1 (best row), (N, K); a constant objective is 1.

    Infinite values are first replaced by :func:`quantsim.ranking.stand_ins`.
    """
    rows = stand_ins(np.atleast_2d(np.asarray(values, np.float64)))
    low, high = rows.min(axis=0), rows.max(axis=0)
    varies = high > low
    return np.where(varies, (rows - low) / np.where(varies, high - low, 1.0), 1.0)


def balanced(values: ArrayLike) -> int:
    """Returns the row of a front that is nearest to its ideal point after normalising; the first one for ties.

    The ideal point has the best value of every objective. A constant objective does not count.

    Args:
        values: (F, K) objectives of the front.
    """
    distances = np.linalg.norm(1.0 - normalised(values), axis=1)
    return int(np.flatnonzero(distances <= distances.min() + 1e-12)[0])


def hypervolume(values: ArrayLike, reference: ArrayLike) -> float:
    """Returns the hypervolume of a front above a reference point, in the product of the objectives' units.

    It is computed by slices along the last objective (Zitzler 1999); the cost grows as ``F^(K-1)``.

    Args:
        values: (N, K) objectives.
        reference: (K,) reference point; rows that do not exceed it in every objective add nothing.
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
