"""Studies: made or resumed under a name, tied to their experiment and prices, and held by one process at a time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
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

from quantsim.checkpoints.older import renewed
from quantsim.checkpoints.redact import redact
from quantsim.config import Experiment
from quantsim.config.identity import SEARCH, Decides, content, differing_leaves, digest
from quantsim.drivers.liveness import may_be_alive, process_identity
from quantsim.errors import DriverError, nearest
from quantsim.optuna_private import set_study_attribute, study_attributes
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
    "is_void",
    "load_study",
    "open_study",
    "quiet_optuna",
    "release",
    "settled_trials",
    "study_id",
    "write_note",
]

logger = logging.getLogger(__name__)

EXPERIMENT = "quantsim_experiment"
"""Attribute of a study that a search has run: the experiment, as JSON values, passwords redacted."""

METRICS = "metrics"
"""User attribute of a completed trial: split → metric → value; a value that is not finite is text."""

REASON = "reason"
"""User attribute of a failed trial: why it failed."""

ABANDONED = "abandoned"
"""User attribute of a failed trial that does not count: it was cut off in an older version."""


_IDENTITY = "quantsim"
_RUNNER = "quantsim_runner"
_RULES = "quantsim_rule_sources"
_NOTE_DIGEST = "quantsim:note"


@dataclass(frozen=True)
class StudyIdentity:
    """What all trials of one study have in common; how many there are and who runs them is not part of it.

    Attributes:
        purpose: of the driver: what the keys that count decide.
        experiment: these keys, see :meth:`Experiment.content`.
        data_id: identity of the prices, and of the series where there are any.
        space: the ranges, by trial parameter; the content of the file counts, not its name.
        digest: of all that, less keys at their defaults, in hex.
    """

    purpose: Decides
    experiment: Mapping[str, Any]
    data_id: str
    space: Mapping[str, Any]
    digest: str

    def as_json(self) -> dict[str, Any]:
        """The content as JSON values, passwords redacted."""
        values = {"experiment": self.experiment, "data_id": self.data_id, "space": self.space}
        plain: dict[str, Any] = json.loads(redact(json.dumps(values, sort_keys=True)))
        return plain

    def differences(self, stored: Mapping[str, Any]) -> list[str]:
        """``key is a, and was b`` for every leaf that was otherwise when ``stored`` was written, by this version or another."""
        config, sources = renewed(stored.get("experiment", {})), stored.get("rule_sources", {})
        experiment = content(Experiment, config, self.purpose, sources)
        was = {"experiment": experiment, "data_id": stored.get("data_id"), "space": stored.get("space")}
        return [f"{key} is {now!r}, and was {before!r}" for key, before, now in differing_leaves(was, self.as_json())]


def identify(experiment: Experiment, data_id: str, space: SearchSpace, purpose: Decides = SEARCH) -> StudyIdentity:
    """The identity of the study that searches this space of this experiment on these prices."""
    ranges = space.describe()
    whole = digest([experiment.identity_for(purpose), data_id, ranges])
    return StudyIdentity(purpose, experiment.content(purpose), data_id, ranges, whole)


def default_name(location: Location, stem: str, identity: StudyIdentity) -> str:
    """The name of a study that the user gave none: ``stem`` and a hash, or what another version called the same study."""
    name = f"{stem}-{identity.digest[:8]}"
    with opened_storage(location) as storage:
        studies = {study.study_name: study.user_attrs for study in storage.get_all_studies()}
    if name in studies:
        return name
    of_default = re.compile(re.escape(stem) + "-[0-9a-f]{8}")
    for other, attributes in studies.items():
        if of_default.fullmatch(other) and _IDENTITY in attributes:
            stored = {"rule_sources": attributes.get(_RULES, {}), **attributes[_IDENTITY]}
            if whole := attributes.get(EXPERIMENT):  # with the tables of the other drivers
                stored["experiment"] = whole
            if not identity.differences(stored):
                return other
    return name


def open_study(storage: BaseStorage, name: str, identity: StudyIdentity, objectives: Sequence[str]) -> Study:
    """Takes up the study of that name, or makes it; ``objectives`` are what its values are called, all maximised.

    Raises:
        DriverError: the name belongs to a study of something else; the message says where they differ.
    """
    directions = [StudyDirection.MAXIMIZE] * len(objectives)
    study = optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)
    if study.directions != directions:
        raise DriverError(
            f"study {name!r} has the directions {', '.join(each.name.lower() for each in study.directions)}, and this search "
            f"maximises {len(directions)}: it is of another program or another study; give another name"
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
            f"{'; '.join(differences)}. Give another study name, or restore what was changed"
        )
    return study


def load_study(storage: BaseStorage, name: str) -> Study:
    """The study of that name, which a driver has made.

    Raises:
        DriverError: it is not there; the message lists those that are.
    """
    try:
        return optuna.load_study(storage=storage, study_name=name)
    except KeyError as error:
        there = [study.study_name for study in storage.get_all_studies()]
        remedy = nearest(name, there) if there else "none was begun yet, which `quantsim optuna --storage ...` does"
        raise DriverError(f"there is no study {name!r} here: {remedy}") from error


def study_id(study: Study) -> str:
    """What tells this study from any other, of the same name or not; 32 hexadecimal digits."""
    return str(study.user_attrs[_IDENTITY]["study_id"])


def is_void(trial: FrozenTrial) -> bool:
    """Whether a trial was given up: it does not count, and never will. One that completed after all does count."""
    return trial.state is TrialState.FAIL and ABANDONED in trial.user_attrs


def settled_trials(study: Study) -> list[FrozenTrial]:
    """The trials that count: completed, or failed in their own right. Read only: they are not copies."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished() and not is_void(trial)]


def describe_task(study: Study, experiment: Experiment) -> None:
    """Stores what is searched, passwords redacted, for those who know the study only."""
    plain = json.loads(redact(json.dumps(experiment.model_dump(mode="json"))))
    if study.user_attrs.get(EXPERIMENT) != plain:
        study.set_user_attr(EXPERIMENT, plain)
    if experiment.rule_sources and study.user_attrs.get(_RULES) != experiment.rule_sources:
        study.set_user_attr(_RULES, experiment.rule_sources)


def write_note(study: Study, text: str) -> None:
    """Stores the text as the study's note if the dashboard is installed. A note that a user changed stays as it is."""
    try:
        from optuna_dashboard import get_note, save_note
    except ImportError:
        logger.debug("study %s gets no note: optuna-dashboard is not installed", study.study_name)
        return
    present, digest = get_note(study), hashlib.sha256(text.encode()).hexdigest()
    written = study_attributes(study).get(_NOTE_DIGEST)
    if present not in ("", text) and written != hashlib.sha256(present.encode()).hexdigest():
        logger.debug("the note of study %s was changed by a user, and stays", study.study_name)
        return
    if present != text:
        save_note(study, text)
    if written != digest:
        set_study_attribute(study, _NOTE_DIGEST, digest)


def hold(study: Study, *, take_over: bool) -> bool:
    """Acquires the lease of the study for this process; returns whether an earlier process ended without releasing it.

    Raises:
        DriverError: another process is at it, here or, as far as can be known, on another machine.
    """
    runner = study.user_attrs.get(_RUNNER)
    if runner is not None and not take_over and may_be_alive(runner):
        raise DriverError(
            f"study {study.study_name!r} is being run by process {runner['pid']} on {runner['host']}; wait for it, or, if it "
            "is gone, say take_over=True"
        )
    study.set_user_attr(_RUNNER, process_identity())
    return runner is not None


def release(study: Study) -> None:
    """Releases the lease of :func:`hold`."""
    study.set_user_attr(_RUNNER, None)


@contextlib.contextmanager
def quiet_optuna() -> Iterator[None]:
    """Holds back Optuna's line per trial; warnings still come through. The level is restored at the end."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(level, optuna.logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
