"""Quasi-random trials: a scrambled Sobol sequence over the unit cube, each trial its own point."""

from __future__ import annotations

from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from quantsim.drivers.search.cube import from_unit

__all__ = ["QuasiRandomSampler"]


class QuasiRandomSampler(BaseSampler):
    """Draws one point of the sequence; the study keeps nothing of it, so one that was cut off goes on where it was."""

    def __init__(self, seed: int, index: int) -> None:
        """``seed`` scrambles the sequence, the same for all trials of a study; ``index`` is the place in it."""
        self._seed, self._index = seed, index
        self._independent = RandomSampler(seed=seed)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing: whoever asks knows the space."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The point of the sequence."""
        from scipy.stats import qmc  # takes long to import

        names = sorted(search_space)
        sequence = qmc.Sobol(len(names), scramble=True, rng=np.random.default_rng(self._seed))
        place = sequence.fast_forward(self._index).random(1)[0] if self._index else sequence.random(1)[0]
        return {name: from_unit(search_space[name], float(x)) for name, x in zip(names, place, strict=True)}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """At random."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)
