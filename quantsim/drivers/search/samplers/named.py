"""The sampler of one trial, by name, over a known space; its noise is fixed by where the trial stands in the study."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from quantsim.config import Experiment
from quantsim.config.driver_sections import Search
from quantsim.errors import ConfigError

if TYPE_CHECKING:
    from quantsim.drivers.search.samplers.cma import CmaProgress

__all__ = ["SAMPLERS", "Place", "check_sampler", "draw", "make_sampler"]


@dataclass(frozen=True)
class Place:
    """Where a trial stands.

    Attributes:
        seed: of its own noise.
        study_seed: of what all trials of the study share.
        index: of the trial among those that count, from 0.
    """

    seed: int
    study_seed: int
    index: int


def _tpe(search: Search, place: Place) -> BaseSampler:
    from optuna.samplers import TPESampler

    return TPESampler(
        n_startup_trials=search.n_startup_trials,
        multivariate=search.multivariate,
        constant_liar=search.batch > 1,  # keeps the trials of a batch apart
        seed=place.seed,
    )


def _cmaes(search: Search, place: Place) -> BaseSampler:
    from quantsim.drivers.search.samplers.cma import CmaSampler

    return CmaSampler(place.seed, _cma_progress())


@functools.cache
def _cma_progress() -> CmaProgress:
    """Of this process, whose studies come one after another."""
    from quantsim.drivers.search.samplers.cma import CmaProgress

    return CmaProgress()


def _nsga2(search: Search, place: Place) -> BaseSampler:
    from quantsim.drivers.search.samplers.genetic import NSGAIISampler

    return NSGAIISampler(population_size=search.population_size, seed=place.seed)


def _nsga3(search: Search, place: Place) -> BaseSampler:
    from optuna.exceptions import ExperimentalWarning

    from quantsim.drivers.search.samplers.genetic import NSGAIIISampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # since 3.2
        return NSGAIIISampler(population_size=search.population_size, seed=place.seed)


def _random(search: Search, place: Place) -> BaseSampler:
    from optuna.samplers import RandomSampler

    return RandomSampler(seed=place.seed)


def _qmc(search: Search, place: Place) -> BaseSampler:
    from quantsim.optuna_private import IndexedQMCSampler

    return IndexedQMCSampler(place.study_seed, place.index)


def _gp(search: Search, place: Place) -> BaseSampler:
    from optuna.samplers import GPSampler

    return GPSampler(n_startup_trials=search.n_startup_trials, deterministic_objective=True, seed=place.seed)


SAMPLERS: Mapping[str, Callable[[Search, Place], BaseSampler]] = {
    "tpe": _tpe,
    "cmaes": _cmaes,
    "nsga2": _nsga2,
    "nsga3": _nsga3,
    "random": _random,
    "qmc": _qmc,
    "gp": _gp,
}
"""How each sampler that ``search.sampler`` can name is made."""

_DRAWS_EACH_BY_ITSELF = frozenset({"random"})
_RANGES_ONLY = frozenset({"cmaes"})
_ONE_OBJECTIVE = frozenset({"cmaes"})


def check_sampler(search: Search, distributions: Mapping[str, BaseDistribution], n_objectives: int = 1) -> None:
    """Raises ConfigError where the sampler cannot draw from such a space, or its package is missing."""
    name = search.sampler
    choices = [key for key, distribution in distributions.items() if isinstance(distribution, CategoricalDistribution)]
    if name in _RANGES_ONLY and choices:
        raise ConfigError(
            f"search.sampler = {name!r} draws from ranges only, and {choices[0]} has choices: fix it, or take another sampler"
        )
    if name in _ONE_OBJECTIVE and n_objectives > 1:
        raise ConfigError(
            f"search.sampler = {name!r} is for one objective, and this study has {n_objectives}: take tpe, nsga2, nsga3 or gp"
        )
    if name == "cmaes" and len(distributions) < 2:
        raise ConfigError(f"search.sampler = {name!r} needs two values to search, and there is one: take tpe or qmc")
    packages = {"cmaes": "cmaes", "gp": "torch"}
    if name in packages:
        import importlib.util

        if importlib.util.find_spec(packages[name]) is None:
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
    (own,) = np.random.SeedSequence([experiment.seed, 0, place]).generate_state(1)
    (shared,) = np.random.SeedSequence([experiment.seed]).generate_state(1)
    return SAMPLERS[experiment.search.sampler](experiment.search, Place(int(own), int(shared), place))


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
    together = search.multivariate if search.sampler == "tpe" else search.sampler not in _DRAWS_EACH_BY_ITSELF
    drawn = dict(sampler.sample_relative(study, trial, dict(distributions))) if together else {}
    for name, distribution in distributions.items():
        if name not in drawn:
            drawn[name] = sampler.sample_independent(study, trial, name, distribution)
    return drawn
