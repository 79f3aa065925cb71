"""CMA-ES that restores its state from the study's trials, which only store the number of their generation.

Optuna's own sampler stores its optimiser as a pickle, so anyone who can write to the storage can run code in the reader. This
sampler restores the optimiser of the package ``cmaes`` by telling it all generations again. A process keeps the optimiser
between trials.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from quantsim.optuna_private import UnitCube, set_trial_attribute
from quantsim.ranking import stand_ins

if TYPE_CHECKING:
    from cmaes import CMA

__all__ = ["GENERATION", "CmaProgress", "CmaSampler", "first_population_size"]

GENERATION = "quantsim:cma_generation"
"""System attribute of a trial: its generation. Enqueued trials have none, and are not told to the optimiser."""

_SIGMA = 1 / 6  # in the unit cube, so that the ends are three standard deviations from its centre


class CmaSampler(BaseSampler):
    """Covariance matrix adaptation in the unit cube, restarted with twice the population after convergence.

    (Hansen 2016, arXiv:1604.00772; restarts: Auger and Hansen 2005.)
    """

    def __init__(self, seed: int, progress: CmaProgress) -> None:
        """``seed`` is the seed for the next trial; ``progress`` holds the optimiser."""
        self._seed, self._progress = seed, progress

    @property
    def population_size(self) -> int:
        """Number of trials in the current generation."""
        return self._progress.population_size

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Returns an empty space, because the caller passes the space."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draws a point of the current generation. The space must have two or more ranges, and no choices."""
        if len(search_space) < 2:  # cmaes needs two dimensions
            return {}
        cube = UnitCube({name: search_space[name] for name in sorted(search_space)})
        optimiser, generation = self._progress.advance(study, search_space)
        set_trial_attribute(study, trial, GENERATION, generation)
        optimiser.reseed_rng(self._seed)
        return cube.params(optimiser.ask())

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draws at random."""
        return RandomSampler(self._seed).sample_independent(study, trial, param_name, param_distribution)


class CmaProgress:
    """An optimiser, and the number of generations that it was told."""

    def __init__(self) -> None:
        """Starts before the first trial."""
        self._study: tuple[str, datetime | None] | None = None
        self._optimiser: CMA | None = None
        self._generation = self._restarts = 0

    @property
    def population_size(self) -> int:
        """Population size of the current generation; 0 before the first."""
        return 0 if self._optimiser is None else int(self._optimiser.population_size)

    def advance(self, study: Study, space: Mapping[str, BaseDistribution]) -> tuple[CMA, int]:
        """Returns the optimiser after all complete generations of a study, and the number of the current one."""
        trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        identity = (study.study_name, trials[0].datetime_start if trials else None)
        if self._optimiser is None or self._study != identity:
            self._study, self._generation, self._restarts = identity, 0, 0
            self._optimiser = _start(len(space), 0)
        generations: dict[int, list[FrozenTrial]] = {}
        for trial in trials:
            if trial.system_attrs.get(GENERATION, -1) >= self._generation and trial.params.keys() >= space.keys():
                generations.setdefault(trial.system_attrs[GENERATION], []).append(trial)
        cube = UnitCube({name: space[name] for name in sorted(space)})
        while len(drawn := generations.get(self._generation, [])) >= self._optimiser.population_size:
            told = drawn[: self._optimiser.population_size]
            losses = -stand_ins([trial.values[0] for trial in told])
            self._optimiser.tell([(cube.point(trial.params), loss) for trial, loss in zip(told, losses, strict=True)])
            self._generation += 1
            if self._optimiser.should_stop():
                self._restarts += 1
                self._optimiser = _start(len(space), self._restarts)
        return self._optimiser, self._generation


def _start(n_dimensions: int, restarts: int) -> CMA:
    """Returns a new optimiser. The first starts in the centre, later ones at random points with doubled populations."""
    from cmaes import CMA

    mean = np.random.default_rng(restarts).uniform(0.1, 0.9, n_dimensions) if restarts else np.full(n_dimensions, 0.5)
    bounds = np.array([[0.0, 1.0]] * n_dimensions)
    population = first_population_size(n_dimensions) * 2**restarts
    return CMA(mean=mean, sigma=_SIGMA, bounds=bounds, seed=0, population_size=population)


def first_population_size(n_dimensions: int) -> int:
    """Returns the number of trials in a generation before any restart."""
    return 4 + int(3 * np.log(n_dimensions))
