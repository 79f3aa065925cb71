"""Optuna's genetic algorithms, made so that a trial that is drawn anew is drawn as it was.

Optuna selects the parents of a generation when its first trial is drawn, keeps their numbers in the study, and reads them
from there for the others. The first trial has them in the order of their fitness, and after noise was spent on selecting
them; the others, and the first one where it was cut off and is drawn again, in the order of their numbers and with fresh
noise. Here all have what the others have.
"""

from __future__ import annotations

import optuna.samplers
from optuna.study import Study
from optuna.trial import FrozenTrial

__all__ = ["NSGAIIISampler", "NSGAIISampler"]

# The names of the classes are part of the keys under which Optuna keeps generations in a study.


class NSGAIISampler(optuna.samplers.NSGAIISampler):
    """NSGA-II (Deb et al. 2002)."""

    def __init__(self, population_size: int, seed: int) -> None:
        """As Optuna's, all else by default."""
        super().__init__(population_size=population_size, seed=seed)
        self._seed = seed

    def select_parent(self, study: Study, generation: int) -> list[FrozenTrial]:
        """The parents, by their numbers."""
        return _selected(super().select_parent(study, generation), self, self._seed)


class NSGAIIISampler(optuna.samplers.NSGAIIISampler):
    """NSGA-III (Deb and Jain 2014)."""

    def __init__(self, population_size: int, seed: int) -> None:
        """As Optuna's, all else by default."""
        super().__init__(population_size=population_size, seed=seed)
        self._seed = seed

    def select_parent(self, study: Study, generation: int) -> list[FrozenTrial]:
        """The parents, by their numbers."""
        return _selected(super().select_parent(study, generation), self, self._seed)


def _selected(parents: list[FrozenTrial], sampler: NSGAIISampler | NSGAIIISampler, seed: int) -> list[FrozenTrial]:
    sampler._rng.rng.seed(seed)
    return sorted(parents, key=lambda trial: trial.number)
