"""Studies: created or loaded by name, tied to an experiment and prices, and run by one process at a time."""

from __future__ import annotations

import contextlib
import json
import re
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from quantsim.checkpoints.liveness import may_be_alive, process_identity
from quantsim.checkpoints.older import renewed
from quantsim.checkpoints.redact import redact
from quantsim.config import Experiment
from quantsim.config.identity import SEARCH, Decides, content, differing_leaves, digest
from quantsim.errors import DriverError, nearest
from quantsim.search_space import SearchSpace
from quantsim.storages.location import Location
from quantsim.storages.opened import opened_storage

__all__ = [
    "ABANDONED",
    "EXPERIMENT",
    "METRICS",
    "REASON",
    "StudyIdentity",
    "default_name",
    "describe_task",
    "hold",
    "identify",
    "is_in_use",
    "is_void",
    "load_study",
    "open_study",
    "quiet_optuna",
    "release",
    "settled_trials",
    "study_id",
]

EXPERIMENT = "quantsim_experiment"
"""User attribute of a study: the experiment as JSON values, with redacted passwords."""

METRICS = "metrics"
"""User attribute of a completed trial: split → metric → value; non-finite values are text."""

REASON = "reason"
"""User attribute of a failed trial: why it failed."""

ABANDONED = "abandoned"
"""User attribute of a failed trial that does not count, because it was interrupted in an older version."""


_IDENTITY = "quantsim"
_RUNNER = "quantsim_runner"
_RULES = "quantsim_rule_sources"


@dataclass(frozen=True)
class StudyIdentity:
    """The identity of a study. Budgets and workers are not part of it.

    Attributes:
        purpose: purpose of the driver, which decides the keys that count.
        experiment: these keys; see :meth:`Experiment.content`.
        data_id: identity of prices and series.
        space: ranges by trial parameter; the content of the file counts, and not its name.
        digest: hash of all this without keys at their defaults, in hexadecimal.
    """

    purpose: Decides
    experiment: Mapping[str, Any]
    data_id: str
    space: Mapping[str, Any]
    digest: str

    def as_json(self) -> dict[str, Any]:
        """Returns the content as JSON values, with redacted passwords."""
        values = {"experiment": self.experiment, "data_id": self.data_id, "space": self.space}
        plain: dict[str, Any] = json.loads(redact(json.dumps(values, sort_keys=True)))
        return plain

    def differences(self, stored: Mapping[str, Any]) -> list[str]:
        """Returns "key is a, and was b" for every leaf that differs from ``stored``, which any version may have written."""
        config, sources = renewed(stored.get("experiment", {})), stored.get("rule_sources", {})
        experiment = content(Experiment, config, self.purpose, sources)
        was = {"experiment": experiment, "data_id": stored.get("data_id"), "space": stored.get("space")}
        return [f"{key} is {now!r}, and was {before!r}" for key, before, now in differing_leaves(was, self.as_json())]


def identify(experiment: Experiment, data_id: str, space: SearchSpace, purpose: Decides = SEARCH) -> StudyIdentity:
    """Returns the identity of the study of an experiment, its prices and its search space."""
    ranges = space.describe()
    whole = digest([experiment.identity_for(purpose), data_id, ranges])
    return StudyIdentity(purpose, experiment.content(purpose), data_id, ranges, whole)


def default_name(location: Location, stem: str, identity: StudyIdentity) -> str:
    """Returns the default name of a study: ``stem`` and a hash, or the name that another version gave the same study."""
    name = f"{stem}-{identity.digest[:8]}"
    with opened_storage(location) as storage:
        studies = {study.study_name: study.user_attrs for study in storage.get_all_studies()}
    if name in studies:
        return name
    of_default = re.compile(re.escape(stem) + "-[0-9a-f]{8}")
    for other, attributes in studies.items():
        if of_default.fullmatch(other) and _IDENTITY in attributes:
            stored = {"rule_sources": attributes.get(_RULES, {}), **attributes[_IDENTITY]}
            if whole := attributes.get(EXPERIMENT):  # includes the tables of the other drivers
                stored["experiment"] = whole
            if not identity.differences(stored):
                return other
    return name


def open_study(storage: BaseStorage, name: str, identity: StudyIdentity, objectives: Sequence[str]) -> Study:
    """Loads the study of that name, or creates it.

    Args:
        storage: storage of the study.
        name: name of the study.
        identity: its identity.
        objectives: names of its values, which are all maximised.

    Raises:
        DriverError: the stored study has another identity; the message lists the differences.
    """
    directions = [StudyDirection.MAXIMIZE] * len(objectives)
    study = optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)
    if study.directions != directions:
        raise DriverError(
            f"study {name!r} has the directions {', '.join(each.name.lower() for each in study.directions)}, and this search "
            f"maximises {len(directions)}: another program or another search made it; give another name"
        )
    if study.metric_names != list(objectives):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # since 3.2
            study.set_metric_names(list(objectives))
    stored = study.user_attrs.get(_IDENTITY)
    if stored is None:
        if study.get_trials(deepcopy=False):
            raise DriverError(f"study {name!r} has trials of another program; give another name")
        stored = {**identity.as_json(), "study_id": uuid.uuid4().hex}
        study.set_user_attr(_IDENTITY, stored)
    if differences := identity.differences(stored):
        raise DriverError(
            f"study {name!r} is of another experiment or other prices, and its trials cannot be compared with new ones: "
            f"{'; '.join(differences)}. Give another study name, or undo the changes"
        )
    return study


def load_study(storage: BaseStorage, name: str) -> Study:
    """Loads the study of that name.

    Raises:
        DriverError: it does not exist; the message lists existing ones.
    """
    try:
        return optuna.load_study(storage=storage, study_name=name)
    except KeyError as error:
        there = [study.study_name for study in storage.get_all_studies()]
        remedy = nearest(name, there) if there else "the storage has none; `quantsim optuna --storage ...` starts one"
        raise DriverError(f"there is no study {name!r} here: {remedy}") from error


def study_id(study: Study) -> str:
    """Returns the unique id of a study, 32 hexadecimal digits."""
    return str(study.user_attrs[_IDENTITY]["study_id"])


def is_void(trial: FrozenTrial) -> bool:
    """Whether a trial was abandoned in an older version, and does not count."""
    return trial.state is TrialState.FAIL and ABANDONED in trial.user_attrs


def settled_trials(study: Study) -> list[FrozenTrial]:
    """Returns the trials that count: completed, pruned or failed. They are not copies: do not change them."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished() and not is_void(trial)]


def describe_task(study: Study, experiment: Experiment) -> None:
    """Stores the experiment with its study, with redacted passwords."""
    plain = json.loads(redact(json.dumps(experiment.model_dump(mode="json"))))
    if study.user_attrs.get(EXPERIMENT) != plain:
        study.set_user_attr(EXPERIMENT, plain)
    if experiment.rule_sources and study.user_attrs.get(_RULES) != experiment.rule_sources:
        study.set_user_attr(_RULES, experiment.rule_sources)


def hold(study: Study, *, take_over: bool) -> bool:
    """Acquires the lease of a study for this process. Returns whether an earlier process ended without releasing it.

    Raises:
        DriverError: another process holds the lease, and may be alive.
    """
    runner = study.user_attrs.get(_RUNNER)
    if runner is not None and not take_over and may_be_alive(runner):
        raise DriverError(
            f"study {study.study_name!r} is being run by process {runner['pid']} on {runner['host']}; wait for it, or set "
            "take_over=True if it has ended"
        )
    study.set_user_attr(_RUNNER, process_identity())
    return runner is not None


def is_in_use(study: Study) -> bool:
    """Whether a process that may be alive holds the lease of :func:`hold`."""
    runner = study.user_attrs.get(_RUNNER)
    return runner is not None and may_be_alive(runner)


def release(study: Study) -> None:
    """Releases the lease of :func:`hold`."""
    study.set_user_attr(_RUNNER, None)


@contextlib.contextmanager
def quiet_optuna() -> Iterator[None]:
    """Silences Optuna's message for each trial, but not its warnings, while the block runs."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(level, optuna.logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
