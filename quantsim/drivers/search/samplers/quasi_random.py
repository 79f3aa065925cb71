"""Quasi-random trials: a scrambled Sobol sequence over the unit cube, each trial its own point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial

from quantsim.drivers.search.samplers.cube import CubeSampler

__all__ = ["QuasiRandomSampler"]


class QuasiRandomSampler(CubeSampler):
    """Draws one point of the sequence; the study keeps nothing of it, so one that was cut off goes on where it was."""

    def __init__(self, seed: int, index: int) -> None:
        """``seed`` scrambles the sequence, the same for all trials of a study; ``index`` is the place in it."""
        super().__init__(seed)
        self._seed, self._index = seed, index

    def place(
        self, study: Study, trial: FrozenTrial, names: Sequence[str], space: Mapping[str, BaseDistribution]
    ) -> NDArray[np.float64]:
        """The point of the sequence."""
        from scipy.stats import qmc  # takes long to import

        sequence = qmc.Sobol(len(names), scramble=True, rng=np.random.default_rng(self._seed))
        if self._index:
            sequence.fast_forward(self._index)
        return np.asarray(sequence.random(1)[0])
