"""Starting points: several parameter sets around one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from quantsim.parameters.spec import ParameterSpec

__all__ = ["gaussian_sets"]

FloatArray = NDArray[np.float64]


def gaussian_sets(
    specs: Sequence[ParameterSpec], raw: Mapping[str, FloatArray], n_sets: int, *, spread: float, seed: int
) -> dict[str, FloatArray]:
    """Draws parameter sets around a centre; the first one is the centre itself.

    Args:
        specs: the rule's parameters; those that are not trainable are repeated unchanged.
        raw: raw name → ``(n,)``, the centre.
        n_sets: number of sets.
        spread: standard deviation of the noise added to the raw values (dimensionless: raw values are logits and log2s).
        seed: seed of the draw; the same seed gives the same sets, and set ``i`` does not depend on ``n_sets``.

    Returns:
        raw name → ``(n_sets, n)``.
    """
    trainable = {spec.raw_name for spec in specs if spec.trainable}
    sets: dict[str, list[FloatArray]] = {name: [] for name in raw}
    for index in range(n_sets):
        generator = np.random.default_rng([seed, index])
        for name in sorted(raw):
            centre = np.asarray(raw[name], np.float64)
            noise = spread * generator.standard_normal(centre.shape)
            moved = index > 0 and name in trainable
            sets[name].append(centre + noise if moved else centre)
    return {name: np.stack(rows) for name, rows in sets.items()}
