"""Samplers by name. The random numbers of a trial depend on the seed and its position in the study."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from quantsim.config import Experiment
from quantsim.config.driver_sections import Search
from quantsim.drivers.search.samplers.cma import CmaProgress, CmaSampler
from quantsim.drivers.search.samplers.genetic import NSGAIIISampler, NSGAIISampler
from quantsim.errors import ConfigError
from quantsim.optuna_private import BatchTPESampler, IndexedQMCSampler

__all__ = ["Samplers", "check_sampler", "draw"]


_PROGRESS = CmaProgress()  # one per process, which runs one study at a time


def check_sampler(search: Search, distributions: Mapping[str, BaseDistribution], n_objectives: int = 1) -> None:
    """Raises ConfigError if the sampler does not support the space, or its package is missing."""
    name = search.sampler
    if name == "cmaes":
        choices = [key for key, one in distributions.items() if isinstance(one, CategoricalDistribution)]
        if choices:
            raise ConfigError(
                f"search.sampler = {name!r} supports ranges only, and {choices[0]} has choices: fix it, or take "
                "another sampler"
            )
        if n_objectives > 1:
            raise ConfigError(
                f"search.sampler = {name!r} is for one objective, and this study has {n_objectives}: take tpe, "
                "nsga2, nsga3 or gp"
            )
        if len(distributions) < 2:
            raise ConfigError(
                f"search.sampler = {name!r} needs two values to search, and there is one: take tpe or qmc"
            )
    packages = {"cmaes": "cmaes", "gp": "torch"}
    if name in packages and importlib.util.find_spec(packages[name]) is None:
        raise ConfigError(
            f"search.sampler = {name!r} needs the package {packages[name]}: pip install 'quantsim[{name}]', or take tpe"
        )


class Samplers:
    """The samplers of the trials of a study."""

    def __init__(self, experiment: Experiment) -> None:
        """Takes an experiment with ``seed`` and the table ``search``."""
        self._experiment = experiment
        self._kept: BatchTPESampler | None = None

    def at(self, place: int) -> BaseSampler:
        """Returns the sampler of one trial. It draws by the experiment, the trials that it sees, and the position of the trial.

        Args:
            place: position of the trial among those that count, from 0.
        """
        if self._kept is not None:
            self._kept.reseed(self._seed(0, place))
            return self._kept
        made = self._new(place)
        if isinstance(made, BatchTPESampler):
            self._kept = made
        return made

    def _seed(self, *place: int) -> int:
        """Returns a hash of the seed of the experiment and the place, so that the random numbers of trials are independent."""
        return int(np.random.SeedSequence([self._experiment.seed, *place]).generate_state(1)[0])

    def _new(self, place: int) -> BaseSampler:
        search, seed = self._experiment.search, self._seed(0, place)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            match search.sampler:
                case "tpe":
                    return BatchTPESampler(
                        n_startup_trials=search.n_startup_trials,
                        multivariate=search.multivariate,
                        constant_liar=search.batch > 1,  # keeps the trials of a batch apart
                        seed=seed,
                    )
                case "cmaes":
                    return CmaSampler(seed, _PROGRESS)
                case "nsga2":
                    return NSGAIISampler(population_size=search.population_size, seed=seed)
                case "nsga3":
                    return NSGAIIISampler(population_size=search.population_size, seed=seed)
                case "random":
                    return RandomSampler(seed=seed)
                case "qmc":
                    return IndexedQMCSampler(self._seed(), place)
                case "gp":
                    return GPSampler(n_startup_trials=search.n_startup_trials, deterministic_objective=True, seed=seed)


def draw(
    sampler: BaseSampler,
    search: Search,
    study: Study,
    trial: FrozenTrial,
    distributions: Mapping[str, BaseDistribution],
) -> dict[str, Any]:
    """Draws all parameters of a trial.

    A sampler of Optuna infers the space from all trials of the study, which would be repeated for each trial. Here it gets the
    space as an argument.

    Args:
        sampler: sampler of this trial.
        search: settings of the search.
        study: view of the study for the sampler.
        trial: the trial.
        distributions: trial parameter → distribution.
    """
    sampler.before_trial(study, trial)
    together = search.multivariate if search.sampler == "tpe" else search.sampler != "random"
    drawn = dict(sampler.sample_relative(study, trial, dict(distributions))) if together else {}
    for name, distribution in distributions.items():
        if name not in drawn:
            drawn[name] = sampler.sample_independent(study, trial, name, distribution)
    return drawn
