"""The sampler of one trial, by name, over a known space; its noise is fixed by where the trial stands in the study."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from quantsim.config import Experiment
from quantsim.config.driver_sections import Search
from quantsim.errors import ConfigError

if TYPE_CHECKING:
    from quantsim.drivers.search.samplers.cma import CmaProgress

__all__ = ["SAMPLERS", "Place", "TrialSampler", "check_sampler", "trial_sampler"]


@dataclass(frozen=True)
class Place:
    """Where a trial stands.

    Attributes:
        seed: of its own noise.
        study_seed: of what all trials of the study share.
        index: of the trial; no two trials of one session have the same.
        n_workers: that draw at the same time.
    """

    seed: int
    study_seed: int
    index: int
    n_workers: int


def _tpe(search: Search, place: Place) -> BaseSampler:
    from optuna.samplers import TPESampler

    return TPESampler(
        n_startup_trials=search.n_startup_trials,
        multivariate=search.multivariate,
        constant_liar=place.n_workers
        > 1,  # keeps workers apart; a single one has nobody to keep from, and saves a write
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
    from quantsim.drivers.search.optuna_private import IndexedQMCSampler

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


class TrialSampler(BaseSampler):
    """One of Optuna's samplers, told the space instead of working it out.

    A sampler finds the space by going through all trials of the study, and keeps what it found; one that is made anew for
    each trial would go through them each time.
    """

    def __init__(self, sampler: BaseSampler, distributions: Mapping[str, BaseDistribution], *, together: bool) -> None:
        self.sampler = sampler
        self._relative = dict(distributions) if together else {}

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All parameters, where they are drawn together; none, where each is drawn by itself."""
        return dict(self._relative)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the sampler does; nothing where each parameter is drawn by itself."""
        return self.sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """As the sampler does."""
        return self.sampler.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self.sampler.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self.sampler.after_trial(study, trial, state, values)


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


def trial_sampler(
    experiment: Experiment,
    distributions: Mapping[str, BaseDistribution],
    *,
    worker: int,
    n_workers: int,
    settled: int,
    index: int | None = None,
) -> TrialSampler:
    """The sampler of one trial.

    Args:
        experiment: its ``seed`` and ``search`` table.
        distributions: trial parameter → distribution.
        worker: 0 for the first, and so on.
        n_workers: workers that are drawing at the same time.
        settled: trials before this one, as :class:`~quantsim.drivers.search.workers.worker.State` counts them.
        index: place of the trial among all; unless given, from the last three.
    """
    search = experiment.search
    # A hash, so that no two trials share their noise, within a session or across sessions.
    (own,) = np.random.SeedSequence([experiment.seed, worker, settled]).generate_state(1)
    (shared,) = np.random.SeedSequence([experiment.seed]).generate_state(1)
    place = Place(int(own), int(shared), settled * n_workers + worker if index is None else index, n_workers)
    together = search.multivariate if search.sampler == "tpe" else search.sampler not in _DRAWS_EACH_BY_ITSELF
    return TrialSampler(SAMPLERS[search.sampler](search, place), distributions, together=together)
