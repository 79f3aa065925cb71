"""Optuna's genetic algorithms, with parents that are the same whenever a trial is drawn.

Optuna 5.0 selects the parents of a generation with its first trial, stores their numbers, and reads them for the other trials.
The first trial has them in the order of fitness, after random numbers were spent on selecting them; the others in the order of
their numbers, with fresh random numbers. So the first trial would be another one if it is drawn again after an interruption.
Here all trials have what the others have.
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
        """Optuna's, with its defaults for all else."""
        super().__init__(population_size=population_size, seed=seed)
        self._seed = seed

    def select_parent(self, study: Study, generation: int) -> list[FrozenTrial]:
        """The parents, by their numbers."""
        parents = super().select_parent(study, generation)
        reseed(self, self._seed)
        return sorted(parents, key=lambda trial: trial.number)


class NSGAIIISampler(optuna.samplers.NSGAIIISampler):
    """NSGA-III (Deb and Jain 2014)."""

    def __init__(self, population_size: int, seed: int) -> None:
        """Optuna's, with its defaults for all else."""
        super().__init__(population_size=population_size, seed=seed)
        self._seed = seed

    def select_parent(self, study: Study, generation: int) -> list[FrozenTrial]:
        """The parents, by their numbers."""
        parents = super().select_parent(study, generation)
        reseed(self, self._seed)
        return sorted(parents, key=lambda trial: trial.number)
