"""Starting points: several parameter sets around one."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["gaussian_sets"]

FloatArray = NDArray[np.float64]


def gaussian_sets(
    raw: Mapping[str, FloatArray], n_sets: int, *, moved: Collection[str], spread: float, seed: int
) -> dict[str, FloatArray]:
    """Draws parameter sets around a centre; the first one is the centre itself.

    Args:
        raw: raw name → ``(n,)``, the centre.
        n_sets: number of sets.
        moved: raw names that get noise; the others are repeated unchanged.
        spread: standard deviation of the noise, which is added to raw values (dimensionless: logits and log2s).
        seed: seed of the draw; the same seed gives the same sets, and set ``i`` does not depend on ``n_sets``.

    Returns:
        raw name → ``(n_sets, n)``.
    """
    sets: dict[str, list[FloatArray]] = {name: [] for name in raw}
    for index in range(n_sets):
        generator = np.random.default_rng([seed, index])
        for name in sorted(raw):
            centre = np.asarray(raw[name], np.float64)
            noise = spread * generator.standard_normal(centre.shape)
            sets[name].append(centre + noise if index > 0 and name in moved else centre)
    return {name: np.stack(rows) for name, rows in sets.items()}
