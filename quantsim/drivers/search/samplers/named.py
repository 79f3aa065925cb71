"""The sampler of one trial, by name, over a known space; its noise is fixed by where the trial stands in the study."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from quantsim.config import Experiment
from quantsim.config.driver_sections import Search
from quantsim.drivers.search.samplers.cma import CmaProgress, CmaSampler
from quantsim.drivers.search.samplers.genetic import NSGAIIISampler, NSGAIISampler
from quantsim.errors import ConfigError
from quantsim.optuna_private import IndexedQMCSampler

__all__ = ["check_sampler", "draw", "make_sampler"]


_PROGRESS = CmaProgress()  # of this process, whose studies come one after another


def check_sampler(search: Search, distributions: Mapping[str, BaseDistribution], n_objectives: int = 1) -> None:
    """Raises ConfigError where the sampler cannot draw from such a space, or its package is missing."""
    name = search.sampler
    if name == "cmaes":
        choices = [key for key, one in distributions.items() if isinstance(one, CategoricalDistribution)]
        if choices:
            raise ConfigError(
                f"search.sampler = {name!r} draws from ranges only, and {choices[0]} has choices: fix it, or take "
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


def make_sampler(experiment: Experiment, place: int) -> BaseSampler:
    """The sampler of one trial. What it draws depends on the experiment, on the trials it is shown, and on the place alone.

    Args:
        experiment: its ``seed`` and ``search`` table.
        place: of the trial among those that count, from 0.
    """
    # A hash, so that no two trials share their noise.
    seed, study_seed = (
        int(np.random.SeedSequence(entropy).generate_state(1)[0])
        for entropy in ([experiment.seed, 0, place], [experiment.seed])
    )
    search = experiment.search
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        match search.sampler:
            case "tpe":
                return TPESampler(
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
                return IndexedQMCSampler(study_seed, place)
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

    A sampler of Optuna finds the space by going through all trials of the study, and one that is made anew for each trial
    would go through them each time. Here it is told the space.

    Args:
        sampler: made for this trial.
        search: names the sampler.
        study: as the sampler shall see it.
        trial: the one that is drawn.
        distributions: trial parameter → distribution.
    """
    sampler.before_trial(study, trial)
    together = search.multivariate if search.sampler == "tpe" else search.sampler != "random"
    drawn = dict(sampler.sample_relative(study, trial, dict(distributions))) if together else {}
    for name, distribution in distributions.items():
        if name not in drawn:
            drawn[name] = sampler.sample_independent(study, trial, name, distribution)
    return drawn
