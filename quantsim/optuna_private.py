"""All uses of private parts of Optuna, each with the reason; checked with Optuna 5.0.0.

Other modules import them from here, so that a new version of Optuna is checked in one place.
"""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import AbstractContextManager
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
    "writing_together",
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
"""Part of the names of attributes that TPE and GP samplers set for other processes."""


def is_within_trial(record: Mapping[str, Any]) -> bool:
    """Whether a record of a journal starts a trial, or sets a part of a running trial.

    Such records are not synced to the disk: if they are lost, the same trial is drawn again.
    """
    begins = record["op_code"] == JournalOperation.CREATE_TRIAL.value and record.get("state") == TrialState.RUNNING
    return begins or record["op_code"] in _WITHIN_TRIAL


def cached(storage: RDBStorage) -> BaseStorage:
    """Returns the storage with Optuna's cache of finished trials, which ``create_study`` adds only to an unwrapped storage."""
    return _CachedStorage(storage)


def study_attributes(study: Study) -> dict[str, Any]:
    """Returns the system attributes of a study; ``Study.system_attrs`` is deprecated."""
    return study._storage.get_study_system_attrs(study._study_id)


def set_study_attribute(study: Study, key: str, value: Any) -> None:
    """Sets a system attribute of a study; ``Study.set_system_attr`` is deprecated. The dashboard reads some of them."""
    study._storage.set_study_system_attr(study._study_id, key, value)


def set_trial_attribute(study: Study, trial: FrozenTrial, key: str, value: Any) -> None:
    """Sets a system attribute of a running trial. For samplers, which get a ``FrozenTrial`` without setters."""
    study._storage.set_trial_system_attr(trial._trial_id, key, value)


def writing_together(study: Study) -> AbstractContextManager[None]:
    """Returns a block that writes what it stores at its end, all or nothing, if the storage of the study has ``together``.

    The block must not read what it stores.
    """
    together: Callable[[], AbstractContextManager[None]] = getattr(study._storage, "together", contextlib.nullcontext)
    return together()


def trial_id(trial: FrozenTrial) -> int:
    """Returns the id of a trial in its storage; the dashboard uses it in the names of artifacts."""
    return trial._trial_id


def reseed(sampler: NSGAIISampler | NSGAIIISampler, seed: int) -> None:
    """Reseeds a sampler; its own ``reseed_rng`` takes a random seed."""
    sampler._rng.rng.seed(seed)


class UnitCube:
    """Maps a search space of ranges to the unit cube, as Optuna's samplers do."""

    def __init__(self, space: Mapping[str, BaseDistribution]) -> None:
        """Takes parameter → range, in the order of the coordinates."""
        self._space = {name: one for name, one in space.items() if isinstance(one, FloatDistribution)}
        self._transform = _SearchSpaceTransform(dict(space), transform_0_1=True)

    def point(self, params: dict[str, Any]) -> NDArray[np.float64]:
        """Returns the point (D,) of D values."""
        return self._transform.transform(params)

    def params(self, point: NDArray[np.float64]) -> dict[str, float]:
        """Returns the values at a point (D,), rounded to their steps."""
        values = self._transform.untransform(np.clip(point, 0.0, 1.0))
        # exp(log(low)) may be less than low, and Optuna replaces a value outside its range by a random one.
        return {name: min(max(values[name], one.low), one.high) for name, one in self._space.items()}


class IndexedQMCSampler(QMCSampler):
    """A scrambled Sobol sequence that draws a given point.

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
    """A view of a study for samplers and pruners, with given trials only.

    Samplers and pruners read trials through ``Study._storage``. The attributes that they set are collected in ``written``, so
    that they can be stored together with the rest of the trial.

    Attributes:
        study: the study for samplers and pruners.
        written: system attribute → value.
    """

    def __init__(self, study: Study, trials: Sequence[FrozenTrial]) -> None:
        """Takes the trials of the view, by number."""
        self.study = copy.copy(study)  # has its own cache
        self._storage, self._trials = study._storage, list(trials)
        self._written: dict[str, Any] = {}
        self.study._storage = self  # type: ignore[assignment]

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Returns the trials of the view."""
        found = [trial for trial in self._trials if states is None or trial.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Adds the attribute to :attr:`written`."""
        self._written[key] = value

    @property
    def written(self) -> dict[str, Any]:
        """The attributes of the trial, without those for other processes."""
        return {key: value for key, value in self._written.items() if _SHARED not in key}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)


def generation_key(sampler: BaseSampler) -> str | None:
    """Returns the system attribute with which a genetic sampler marks the generation of a trial; None for other samplers."""
    return str(sampler._get_generation_key()) if isinstance(sampler, BaseGASampler) else None


def begin_waiting(study: Study, trial: FrozenTrial) -> None:
    """Sets an enqueued trial to running. ``Study.ask`` would also draw by the sampler of the study."""
    study._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)


def fill_trial(
    study: Study, trial: FrozenTrial, params: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]
) -> None:
    """Stores the missing parameters of a running trial. Public methods draw them by a sampler."""
    for name, value in params.items():
        if name not in trial.params:
            internal = distributions[name].to_internal_repr(value)
            study._storage.set_trial_param(trial._trial_id, name, internal, distributions[name])
