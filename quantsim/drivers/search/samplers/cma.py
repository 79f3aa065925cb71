"""CMA-ES whose state follows from the study's trials: each stores the number of its generation, and nothing else.

Optuna's own sampler stores its optimiser as a pickle, so anyone who can write to the storage can make the reader run code.
Here the optimiser, that of the package ``cmaes``, is rebuilt by telling it the generations so far. A process that continues a
study keeps what it has built.
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
"""System attribute of a trial: the generation it was drawn in. Trials that were enqueued have none, and are not told."""

_SIGMA = 1 / 6  # of the unit cube: its centre is three standard deviations from the ends


class CmaSampler(BaseSampler):
    """Covariance matrix adaptation in the unit cube, restarted with twice the population where it has converged.

    (Hansen 2016, arXiv:1604.00772; restarts: Auger and Hansen 2005.)
    """

    def __init__(self, seed: int, progress: CmaProgress) -> None:
        """``seed`` is of the random numbers of the next trial; ``progress`` is continued."""
        self._seed, self._progress = seed, progress

    @property
    def population_size(self) -> int:
        """How many trials the present generation has."""
        return self._progress.population_size

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing: the caller knows the space."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A point drawn from the present generation. The space is of two or more ranges, without choices."""
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
        """At random."""
        return RandomSampler(self._seed).sample_independent(study, trial, param_name, param_distribution)


class CmaProgress:
    """An optimiser and how many generations it was told."""

    def __init__(self) -> None:
        """Before any trial."""
        self._study: tuple[str, datetime | None] | None = None
        self._optimiser: CMA | None = None
        self._generation = self._restarts = 0

    @property
    def population_size(self) -> int:
        """Of the generation that is being drawn; 0 before any is."""
        return 0 if self._optimiser is None else int(self._optimiser.population_size)

    def advance(self, study: Study, space: Mapping[str, BaseDistribution]) -> tuple[CMA, int]:
        """The optimiser after all complete generations of a study, and the number of the one that is being drawn."""
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
    """A new optimiser: the first begins in the middle, later ones anywhere, with a population that doubles."""
    from cmaes import CMA

    mean = np.random.default_rng(restarts).uniform(0.1, 0.9, n_dimensions) if restarts else np.full(n_dimensions, 0.5)
    bounds = np.array([[0.0, 1.0]] * n_dimensions)
    population = first_population_size(n_dimensions) * 2**restarts
    return CMA(mean=mean, sigma=_SIGMA, bounds=bounds, seed=0, population_size=population)


def first_population_size(n_dimensions: int) -> int:
    """Trials in a generation, before any restart."""
    return 4 + int(3 * np.log(n_dimensions))
