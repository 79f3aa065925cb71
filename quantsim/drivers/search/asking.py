"""Asks the sampler for the trials of a batch.

A batch depends only on the study. The sampler draws all trials of a batch without results of that batch. If some results are
known already, because the study was interrupted or extended, the sampler still sees these trials as running. So the trials
are the same however often a study is interrupted.
"""

from __future__ import annotations

import copy
import functools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from quantsim.config import Experiment
from quantsim.config.driver_sections import Search
from quantsim.drivers.search.samplers.cma import GENERATION, CmaSampler, first_population_size
from quantsim.drivers.search.samplers.named import Samplers, draw
from quantsim.drivers.search.study import is_void
from quantsim.optuna_private import (
    StudyView,
    begin_waiting,
    fill_trial,
    generation_key,
    set_trial_attribute,
)

__all__ = ["Asking", "call_width", "was_given"]

logger = logging.getLogger(__name__)

_FIXED = "fixed_params"  # Optuna's attribute of an enqueued trial

_OF_GENERATIONS = frozenset({"nsga2", "nsga3", "cmaes"})
_CALLS_PER_BATCH = 4
"""Number of calls of a batch that could be evaluated in one call, so that several workers can share it."""


def call_width(search: Search, n_dimensions: int, at_most: int) -> int:
    """Returns the number of trials per call. It does not depend on the workers, so results are equal bit for bit.

    Args:
        search: settings of the search.
        n_dimensions: number of values that a trial draws.
        at_most: largest number of sets per call of the evaluator.
    """
    if search.sampler == "cmaes":
        size = first_population_size(n_dimensions)
    else:
        size = search.population_size if search.sampler in _OF_GENERATIONS else search.batch
    return max(min(-(-size // _CALLS_PER_BATCH), at_most), 1)


def was_given(trial: FrozenTrial) -> bool:
    """Whether the parameters of a trial were given to the search instead of drawn."""
    return _FIXED in trial.system_attrs


@dataclass(frozen=True)
class Asking:
    """Draws trials.

    Attributes:
        experiment: experiment of the search.
        distributions: trial parameter → distribution.
        study: study that stores the trials.
    """

    experiment: Experiment
    distributions: dict[str, BaseDistribution]
    study: Study

    def begun(self) -> list[FrozenTrial]:
        """Returns the trials that were asked for and not told, with all their parameters."""
        trials = self._trials()
        running = [place for place, trial in enumerate(trials) if trial.state is TrialState.RUNNING]
        return [self._completed(trials, place) for place in running]

    @functools.cached_property
    def _samplers(self) -> Samplers:
        return Samplers(self.experiment)

    @property
    def in_generations(self) -> bool:
        """Whether batches are generations. All trials of a generation must be asked for before any of them is told."""
        return self.experiment.search.sampler in _OF_GENERATIONS

    def batch(self, room: int) -> Iterator[FrozenTrial]:
        """Asks for the remaining trials of the current batch, or for those of the next one, one by one.

        Args:
            room: largest number of trials.
        """
        for _ in range(room):
            place, trial = self._ask()
            yield trial
            if self._ends(place, trial):
                return

    def is_between_batches(self, n_settled: int) -> bool:
        """Whether a batch has ended after a number of trials. A generation ends when all of its trials are told."""
        return self.in_generations or n_settled % self.experiment.search.batch == 0

    def earlier(self, trial: FrozenTrial) -> list[FrozenTrial]:
        """Returns the trials of earlier batches than that of a trial, or of earlier generations."""
        trials = self._trials()
        place = next(index for index, other in enumerate(trials) if other.number == trial.number)
        if not self.in_generations:
            return trials[: self._first(place)]
        key = self._generation_key(self._samplers.at(place))
        before = [other.system_attrs[key] for other in trials[:place] if key in other.system_attrs]
        own = trial.system_attrs.get(key, max(before, default=0))
        return [other for other in trials[:place] if other.system_attrs.get(key, own) < own]

    def _trials(self) -> list[FrozenTrial]:
        """Returns the trials that count, including running ones, by number."""
        return [trial for trial in self.study.get_trials(deepcopy=False) if not is_void(trial)]

    def _first(self, place: int) -> int:
        """Returns the position of the first trial of a batch."""
        return place - place % self.experiment.search.batch

    def _ask(self) -> tuple[int, FrozenTrial]:
        """Asks for the next trial: the first one in the queue, or a new one."""
        stored = self.study.get_trials(deepcopy=False)
        trials = [trial for trial in stored if not is_void(trial)]
        for place, trial in enumerate(trials):
            if trial.state is TrialState.WAITING:
                begin_waiting(self.study, trial)
                return place, self._completed(trials, place)
        return len(trials), self._new(trials, len(stored))

    def _new(self, trials: Sequence[FrozenTrial], number: int) -> FrozenTrial:
        """Returns a new trial of a number, which is stored with all its parameters at once."""
        running = create_trial(state=TrialState.RUNNING)
        running.number = number
        params, attrs = self._drawn(trials, len(trials), running)
        self.study.add_trial(
            create_trial(state=TrialState.RUNNING, params=params, distributions=self.distributions, system_attrs=attrs)
        )
        return self.study.get_trials(deepcopy=False)[number]

    def _completed(self, trials: Sequence[FrozenTrial], place: int) -> FrozenTrial:
        """Returns a running trial with all its parameters: enqueued ones, and drawn ones for the rest."""
        trial = trials[place]
        fixed = {**trial.system_attrs.get(_FIXED, {}), **trial.params}
        params = {name: fixed[name] for name in self.distributions if name in fixed}
        if params.keys() != self.distributions.keys():
            drawn, attrs = self._drawn(trials, place, trial)
            for key, value in attrs.items():
                set_trial_attribute(self.study, trial, key, value)
            params = {**drawn, **params}
        if trial.params.keys() != self.distributions.keys():
            try:
                fill_trial(self.study, trial, params, self.distributions)
            except ValueError as error:  # the trial then misses parameters, and fails
                logger.warning("trial %d has an invalid value: %s", trial.number, error)
        return self.study.get_trials(deepcopy=False)[trial.number]

    def _drawn(
        self, trials: Sequence[FrozenTrial], place: int, trial: FrozenTrial
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the parameters that the sampler draws for a position, and the system attributes that it sets."""
        sampler = self._samplers.at(place)
        shown = list(trials[:place])
        if not self.in_generations:
            first = self._first(place)
            shown[first:] = map(_as_running, shown[first:])
        view = StudyView(self.study, shown)
        drawn = draw(sampler, self.experiment.search, view.study, trial, self.distributions)
        return {name: _external(self.distributions[name], value) for name, value in drawn.items()}, view.written

    def _ends(self, place: int, trial: FrozenTrial) -> bool:
        """Whether a trial is the last of its batch. A generation is a batch, in which another trial replaces a failed one."""
        search = self.experiment.search
        if not self.in_generations:
            return (place + 1) % search.batch == 0
        sampler = self._samplers.at(place)
        key = self._generation_key(sampler)
        generation = trial.system_attrs.get(key)
        if generation is None:  # it was enqueued, not drawn
            return False
        size = sampler.population_size if isinstance(sampler, CmaSampler) else search.population_size
        counted = (TrialState.COMPLETE, TrialState.RUNNING)
        own = [other for other in self._trials() if other.system_attrs.get(key) == generation]
        return sum(other.state in counted for other in own) >= size

    @staticmethod
    def _generation_key(sampler: BaseSampler) -> str:
        return generation_key(sampler) or GENERATION


def _as_running(trial: FrozenTrial) -> FrozenTrial:
    """Returns the trial as it was before its result was known."""
    if trial.state is TrialState.RUNNING:
        return trial
    shown = copy.copy(trial)
    shown.state, shown.values = TrialState.RUNNING, None
    return shown


def _external(distribution: BaseDistribution, value: Any) -> Any:
    """Returns the value as the storage returns it."""
    return distribution.to_external_repr(distribution.to_internal_repr(value))
