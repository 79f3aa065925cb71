"""Optuna's genetic algorithms, with reproducible parents.

Optuna 5.0 selects the parents of a generation when it draws the first trial, and stores their numbers for the other trials. The
first trial gets them ordered by fitness, after the selection has used random numbers. The others get them ordered by number,
with fresh random numbers. So the first trial would differ if it was drawn again after an interruption. Here all trials get
their parents in the second way.
"""

from __future__ import annotations

import optuna.samplers
from optuna.study import Study
from optuna.trial import FrozenTrial

from quantsim.optuna_private import reseed

__all__ = ["NSGAIIISampler", "NSGAIISampler"]

# Optuna stores generations under keys that contain the names of these classes.


class NSGAIISampler(optuna.samplers.NSGAIISampler):
    """NSGA-II (Deb et al. 2002)."""

    def __init__(self, population_size: int, seed: int) -> None:
        """Takes Optuna's defaults for all other arguments."""
        super().__init__(population_size=population_size, seed=seed)
        self._seed = seed

    def select_parent(self, study: Study, generation: int) -> list[FrozenTrial]:
        """Returns the parents, ordered by number."""
        parents = super().select_parent(study, generation)
        reseed(self, self._seed)
        return sorted(parents, key=lambda trial: trial.number)


class NSGAIIISampler(optuna.samplers.NSGAIIISampler):
    """NSGA-III (Deb and Jain 2014)."""

    def __init__(self, population_size: int, seed: int) -> None:
        """Takes Optuna's defaults for all other arguments."""
        super().__init__(population_size=population_size, seed=seed)
        self._seed = seed

    def select_parent(self, study: Study, generation: int) -> list[FrozenTrial]:
        """Returns the parents, ordered by number."""
        parents = super().select_parent(study, generation)
        reseed(self, self._seed)
        return sorted(parents, key=lambda trial: trial.number)
