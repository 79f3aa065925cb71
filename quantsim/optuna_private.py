"""All that the search uses of Optuna beyond its public interface, each with the reason; checked with Optuna 5.0.0.

Code elsewhere imports it from here, so a new version of Optuna is checked in one place.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna._transform import _SearchSpaceTransform
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseGASampler, BaseSampler, NSGAIIISampler, NSGAIISampler, QMCSampler
from optuna.storages import BaseStorage, RDBStorage, _CachedStorage
from optuna.storages.journal._storage import JournalOperation
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

__all__ = [
    "IndexedQMCSampler",
    "StudyView",
    "UnitCube",
    "begin_waiting",
    "cached",
    "fill_trial",
    "generation_key",
    "is_within_trial",
    "reseed",
    "set_study_attribute",
    "set_trial_attribute",
    "study_attributes",
    "trial_id",
]

_WITHIN_TRIAL = frozenset(
    {
        JournalOperation.SET_TRIAL_PARAM.value,
        JournalOperation.SET_TRIAL_INTERMEDIATE_VALUE.value,
        JournalOperation.SET_TRIAL_USER_ATTR.value,
        JournalOperation.SET_TRIAL_SYSTEM_ATTR.value,
    }
)

_SHARED = "relative_params"
"""In the names of attributes by which TPE and GP samplers tell other processes of a trial that they are drawing."""


def is_within_trial(record: Mapping[str, Any]) -> bool:
    """Whether a record of the journal begins a trial or fills it in.

    Optuna syncs every record to the disk; the journal here syncs with the record that ends the trial. A running trial that is
    lost before is drawn again, and is the same.
    """
    begins = record["op_code"] == JournalOperation.CREATE_TRIAL.value and record.get("state") == TrialState.RUNNING
    return begins or record["op_code"] in _WITHIN_TRIAL


def cached(storage: RDBStorage) -> BaseStorage:
    """The storage with Optuna's cache of finished trials. ``create_study`` adds it only to a storage that it is given bare."""
    return _CachedStorage(storage)


def study_attributes(study: Study) -> dict[str, Any]:
    """System attributes of a study; ``Study.system_attrs`` is deprecated."""
    return study._storage.get_study_system_attrs(study._study_id)


def set_study_attribute(study: Study, key: str, value: Any) -> None:
    """Sets a system attribute of a study; ``Study.set_system_attr`` is deprecated. The dashboard reads some of them."""
    study._storage.set_study_system_attr(study._study_id, key, value)


def set_trial_attribute(study: Study, trial: FrozenTrial, key: str, value: Any) -> None:
    """Sets a system attribute of a running trial, for samplers: they are given a ``FrozenTrial``, which has no setters."""
    study._storage.set_trial_system_attr(trial._trial_id, key, value)


def trial_id(trial: FrozenTrial) -> int:
    """The id of a trial in its storage, by which the dashboard names artifacts of trials."""
    return trial._trial_id


def reseed(sampler: NSGAIISampler | NSGAIIISampler, seed: int) -> None:
    """Starts the sampler's random numbers anew from a seed; its own ``reseed_rng`` takes an arbitrary one."""
    sampler._rng.rng.seed(seed)


class UnitCube:
    """Values of a search space of ranges as points of the unit cube; Optuna's samplers use the same mapping."""

    def __init__(self, space: Mapping[str, BaseDistribution]) -> None:
        """Takes parameter → range; the coordinates are in this order."""
        self._space = {name: one for name, one in space.items() if isinstance(one, FloatDistribution)}
        self._transform = _SearchSpaceTransform(dict(space), transform_0_1=True)

    def point(self, params: dict[str, Any]) -> NDArray[np.float64]:
        """Values, D of them, as a point (D,)."""
        return self._transform.transform(params)

    def params(self, point: NDArray[np.float64]) -> dict[str, float]:
        """The values at a point (D,). Those with a step are rounded to it."""
        values = self._transform.untransform(np.clip(point, 0.0, 1.0))
        # exp(log(low)) may be less than low, and Optuna draws what lies outside its range at random instead.
        return {name: min(max(values[name], one.low), one.high) for name, one in self._space.items()}


class IndexedQMCSampler(QMCSampler):
    """A scrambled Sobol sequence that is told which of its points to draw.

    Optuna counts points in an attribute of the study, and skips one if the process ends between counting and drawing.
    """

    def __init__(self, seed: int, index: int) -> None:
        """``seed`` scrambles the sequence, ``index`` is the point."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # since 3.0
            super().__init__(scramble=True, seed=seed)
        self._index = index

    def _find_sample_id(self, study: Study, search_space: dict[str, BaseDistribution]) -> int:
        return self._index


class StudyView:
    """A study as a sampler or a pruner shall see it: with these trials and no others.

    Samplers and pruners read trials through ``Study._storage``. What they write about the trial at hand is kept in
    ``written``, so that it can be stored together with the rest of the trial.

    Attributes:
        study: to be handed to them.
        written: system attribute → value.
    """

    def __init__(self, study: Study, trials: Sequence[FrozenTrial]) -> None:
        """Trials by number."""
        self.study = copy.copy(study)  # with a cache of its own
        self._storage, self._trials = study._storage, list(trials)
        self._written: dict[str, Any] = {}
        self.study._storage = self  # type: ignore[assignment]

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """The trials of the view."""
        found = [trial for trial in self._trials if states is None or trial.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Kept in :attr:`written`."""
        self._written[key] = value

    @property
    def written(self) -> dict[str, Any]:
        """What was written about the trial; not what is for other processes, of which there are none."""
        return {key: value for key, value in self._written.items() if _SHARED not in key}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)


def generation_key(sampler: BaseSampler) -> str | None:
    """The system attribute in which a genetic sampler notes the generation of a trial; None for other samplers."""
    return str(sampler._get_generation_key()) if isinstance(sampler, BaseGASampler) else None


def begin_waiting(study: Study, trial: FrozenTrial) -> None:
    """Makes a trial of the queue a running one. ``Study.ask`` does, and draws by the sampler of the study."""
    study._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)


def fill_trial(
    study: Study, trial: FrozenTrial, params: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]
) -> None:
    """Stores parameters of a running trial that it lacks; public ways draw them by a sampler."""
    for name, value in params.items():
        if name not in trial.params:
            internal = distributions[name].to_internal_repr(value)
            study._storage.set_trial_param(trial._trial_id, name, internal, distributions[name])
