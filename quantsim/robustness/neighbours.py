"""Parameter sets near a given one."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import ArrayLike

from quantsim.array_types import FloatArray
from quantsim.config import Experiment
from quantsim.errors import ParameterError
from quantsim.limits import MOST_SETS
from quantsim.parameters.spec import MEMORY_DAYS

__all__ = ["neighbours", "raw_bounds"]

Bounds = Mapping[str, tuple[float, float]]


def neighbours(
    params: Mapping[str, ArrayLike],
    n: int,
    *,
    radius: float = 0.5,
    seed: int = 0,
    moved: Collection[str] | None = None,
    bounds: Bounds | None = None,
) -> dict[str, FloatArray]:
    """Returns parameter sets drawn uniformly from the box around one set, in raw units.

    The offsets do not depend on the values: sets with the same parameters get the same ones. More neighbours do not change the
    first ones.

    Args:
        params: raw name → (m,).
        n: number of neighbours.
        radius: largest distance in each raw parameter. Raw parameters are logits and binary logarithms, so 0.5 is about a
            factor of 1.4 in a rate and of 1.5 in a memory.
        seed: seed of the random numbers.
        moved: raw names that move; by default, all.
        bounds: raw name → (low, high), where values are cut, such as :func:`raw_bounds`; never beyond the set itself.

    Returns:
        raw name → (n, m). The set itself is not among them.

    Raises:
        ParameterError: ``n`` is below 1 or too large, or ``radius`` is not a positive number.

    Example:
        >>> near = neighbours({"logit_lamb": [2.0, 3.0]}, 4, radius=0.1)
        >>> near["logit_lamb"].shape, bool((abs(near["logit_lamb"] - [2.0, 3.0]) <= 0.1).all())
        ((4, 2), True)
    """
    if not 1 <= n <= MOST_SETS:
        raise ParameterError(f"n = {n} neighbours: give 1 to {MOST_SETS:,}")
    if not (math.isfinite(radius) and radius > 0):
        raise ParameterError(f"radius = {radius} must be a positive number")
    centres = {name: np.asarray(params[name], np.float64) for name in sorted(params)}
    offsets = np.random.default_rng(seed).uniform(-radius, radius, (n, sum(one.size for one in centres.values())))
    sets, begin = {}, 0
    for name, centre in centres.items():
        own = offsets[:, begin : begin + centre.size]
        begin += centre.size
        low, high = (bounds or {}).get(name, (-math.inf, math.inf))
        near = centre + (own if moved is None or name in moved else 0.0 * own)
        sets[name] = np.clip(near, np.minimum(low, centre), np.maximum(high, centre))
    return sets


def raw_bounds(experiment: Experiment) -> dict[str, tuple[float, float]]:
    """Returns the limits beyond which raw values have no effect, raw name → (low, high): memories of ``max_memory_days``."""
    longest = experiment.update.max_memory_days
    return {
        parameter.raw_name: (
            -math.inf,
            float(MEMORY_DAYS.to_raw(np.asarray([longest]), {}, parameter.chunk_minutes)[0]),
        )
        for parameter in experiment.layout
        if parameter.spec.transform is MEMORY_DAYS
    }
