"""All that the search uses of Optuna beyond its public interface, each with the reason; checked with Optuna 5.0.0.

Code elsewhere imports it from here, so a new version of Optuna is checked in one place.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna._transform import _SearchSpaceTransform
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import NSGAIIISampler, NSGAIISampler, QMCSampler
from optuna.storages import BaseStorage, RDBStorage, _CachedStorage
from optuna.storages.journal._storage import JournalOperation
from optuna.study import Study
from optuna.trial import FrozenTrial

__all__ = [
    "RECORDS_WITHIN_TRIAL",
    "IndexedQMCSampler",
    "UnitCube",
    "cached",
    "reseed",
    "set_study_attribute",
    "set_trial_attribute",
    "study_attributes",
    "trial_id",
]

RECORDS_WITHIN_TRIAL = frozenset(
    {
        JournalOperation.SET_TRIAL_PARAM.value,
        JournalOperation.SET_TRIAL_INTERMEDIATE_VALUE.value,
        JournalOperation.SET_TRIAL_USER_ATTR.value,
        JournalOperation.SET_TRIAL_SYSTEM_ATTR.value,
    }
)
"""``op_code`` of the journal's records that only fill in a trial. Optuna syncs every record to the disk; the journal here syncs
only where a trial or a study changes its state."""


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
