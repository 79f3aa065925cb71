"""All uses of private parts of Optuna, each with the reason; checked with Optuna 5.0.0.

Other modules import them from here, so that a new version of Optuna is checked in one place.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import sys
import warnings
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna._transform import _SearchSpaceTransform
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseGASampler, BaseSampler, NSGAIIISampler, NSGAIISampler, QMCSampler, TPESampler
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator
from optuna.samplers._tpe.sampler import _split_trials, default_gamma, default_gamma_multiobjective
from optuna.storages import BaseStorage, RDBStorage, _CachedStorage
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.storages.journal._storage import JournalOperation
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

__all__ = [
    "BatchTPESampler",
    "IndexedQMCSampler",
    "PartOfTrial",
    "StudyView",
    "UnitCube",
    "begin_waiting",
    "cached",
    "fill_trial",
    "generation_key",
    "import_importance",
    "is_within_trial",
    "reseed",
    "set_parts",
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


def import_importance() -> None:
    """Imports ``optuna.importance`` without scikit-learn, for a process that needs no fANOVA.

    Optuna imports scikit-learn, if it is installed, for two evaluators that are not its default, which takes longer than the
    rest of Optuna. They stay unavailable in this process, so only commands call this.
    """
    if "sklearn" in sys.modules:
        return
    sys.modules["sklearn"] = None  # type: ignore[assignment]
    try:
        importlib.import_module("optuna.importance")
    finally:
        del sys.modules["sklearn"]


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


PartOfTrial = tuple[str, tuple[Any, ...]]
"""Method of a storage that sets a part of a running trial, and its arguments."""


def set_parts(storage: BaseStorage, parts: Iterable[PartOfTrial]) -> None:
    """Sets parts of running trials, in one transaction of a database; in another storage, one after the other."""
    backend = storage._backend if isinstance(storage, _CachedStorage) else None
    if not isinstance(backend, RDBStorage):
        for method, arguments in parts:
            getattr(storage, method)(*arguments)
        return
    from optuna.storages._rdb import models  # loads SQLAlchemy's object mapper

    with _create_scoped_session(backend.scoped_session) as session:
        for method, arguments in parts:
            if method == "set_trial_intermediate_value":
                backend._set_trial_intermediate_value_without_commit(session, *arguments)
            else:
                of_user = method == "set_trial_user_attr"
                table = models.TrialUserAttributeModel if of_user else models.TrialSystemAttributeModel
                backend._set_trial_attr_without_commit(session, table, *arguments)


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


class BatchTPESampler(TPESampler):
    """Optuna's TPE sampler, which computes once what the trials of a batch share. It draws the same values.

    Trials are split once for each number of finished trials and number of the last one, so these must determine the finished
    trials. Running trials must come after them; otherwise Optuna's own code draws.
    """

    def __init__(self, **options: Any) -> None:
        """Takes the options of Optuna's sampler."""
        super().__init__(**options)
        self._of_batch: _SplitTrials | None = None

    def reseed(self, seed: int) -> None:
        """Seeds the random numbers, so that the sampler draws as a new one with this seed."""
        self._rng.rng.seed(seed)
        self._random_sampler._rng.rng.seed(seed)

    def _sample(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        counted = study._get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED), use_cache=True)
        running: list[FrozenTrial] = []
        if self._constant_liar:
            running = study._get_trials(deepcopy=False, states=(TrialState.RUNNING,), use_cache=True)
            running = [other for other in running if other.number != trial.number]
        if running and counted[-1].number > running[0].number:
            return super()._sample(study, trial, search_space)
        key = (len(counted), counted[-1].number, tuple(search_space))
        if self._of_batch is None or self._of_batch.key != key:
            gamma = default_gamma if len(study.directions) <= 1 else default_gamma_multiobjective
            below, above = _split_trials(study, counted, gamma(len(counted)))
            self._of_batch = _SplitTrials(
                key,
                self._build_parzen_estimator(study, search_space, below, handle_below=True),
                self._get_internal_repr(above, search_space, study),
            )
        below_estimator, above_values = self._of_batch.below, self._of_batch.above
        if running:
            drawn = self._get_internal_repr(running, search_space, study)
            above_values = {name: np.append(values, drawn[name]) for name, values in above_values.items()}
        above_estimator = _ParzenEstimator(above_values, search_space, self._parzen_estimator_parameters)
        candidates = below_estimator.sample(self._rng.rng, self._n_ei_candidates)
        gains = self._compute_acquisition_func(candidates, below_estimator, above_estimator)
        best = self._compare(candidates, gains)
        return {name: one.to_external_repr(best[name]) for name, one in search_space.items()}


@dataclass(frozen=True)
class _SplitTrials:
    """What the trials of a batch share in :class:`BatchTPESampler`.

    Attributes:
        key: number of finished trials, number of the last one, and the names of the parameters.
        below: the estimator of the better trials.
        above: parameter → values of the other trials, (N,).
    """

    key: tuple[int, int, tuple[str, ...]]
    below: _ParzenEstimator
    above: dict[str, NDArray[np.float64]]


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
