"""Studies: made or taken up under a name, tied to their experiment and prices, and cleaned of what a kill left behind."""

from __future__ import annotations

import contextlib
import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from quantsim.checkpoints.redact import redact
from quantsim.config import Experiment
from quantsim.drivers.process import may_live, process_mark
from quantsim.drivers.search.space import SearchSpace
from quantsim.errors import DriverError

__all__ = [
    "ABANDONED",
    "METRICS",
    "REASON",
    "StudyIdentity",
    "abandon_running",
    "hold",
    "identify",
    "load_study",
    "open_study",
    "quiet_optuna",
    "release",
    "settled_trials",
    "study_id",
]

METRICS = "metrics"
"""User attribute of a completed trial: split → metric → value; a value that is not finite is text."""

REASON = "reason"
"""User attribute of a failed trial: why it failed."""

ABANDONED = "abandoned"
"""User attribute of a failed trial whose evaluation was cut off: it does not count, and its parameters are tried again."""

_RETRY_OF = "retry_of"
_IDENTITY = "quantsim"
_RUNNER = "quantsim_runner"


@dataclass(frozen=True)
class StudyIdentity:
    """What all trials of one study have in common; how many there are and who runs them is not part of it.

    Attributes:
        experiment: the experiment as JSON values, less its names, the tables of the other drivers, and the search's number of
            trials and jobs.
        data_id: identity of the prices, and of the series where there are any.
        space: the ranges, by trial parameter; the content of the file counts, not its name.
    """

    experiment: Mapping[str, Any]
    data_id: str
    space: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The content as JSON values, passwords redacted."""
        content = {"experiment": self.experiment, "data_id": self.data_id, "space": self.space}
        plain: dict[str, Any] = json.loads(redact(json.dumps(content, sort_keys=True)))
        return plain

    @property
    def digest(self) -> str:
        """SHA-256 of the content as canonical JSON."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def identify(experiment: Experiment, data_id: str, space: SearchSpace) -> StudyIdentity:
    """The identity of the study that searches this space of this experiment on these prices."""
    left_out: dict[str, bool | set[str]] = {
        "name": True,
        "description": True,
        "sgd": True,
        "hybrid": True,
        "search": {"trials", "jobs", "space"},
    }
    return StudyIdentity(experiment.model_dump(mode="json", exclude=left_out), data_id, space.describe())


def open_study(storage: BaseStorage, name: str, identity: StudyIdentity) -> Study:
    """Takes up the study of that name, or makes it.

    Raises:
        DriverError: the name belongs to a study of something else; the message says where they differ.
    """
    study = optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
    if study.directions != [StudyDirection.MAXIMIZE]:
        raise DriverError(
            f"study {name!r} does not maximise one objective: it is of another program; give another name"
        )
    stored = study.user_attrs.get(_IDENTITY)
    if stored is None:
        if study.get_trials(deepcopy=False):
            raise DriverError(f"study {name!r} has trials of another program; give another name")
        stored = {**identity.as_json(), "study_id": uuid.uuid4().hex}
        study.set_user_attr(_IDENTITY, stored)
    wanted = identity.as_json()
    differences = list(_differences({key: stored.get(key) for key in wanted}, wanted))
    if differences:
        raise DriverError(
            f"study {name!r} is of another experiment or other prices, and its trials cannot be compared with new ones: "
            f"{'; '.join(differences)}. Give another study name, or restore what was changed"
        )
    return study


def load_study(storage: BaseStorage, name: str) -> Study:
    """The study of that name, which is there: the driver opened it."""
    return optuna.load_study(storage=storage, study_name=name)


def study_id(study: Study) -> str:
    """What tells this study from any other, of the same name or not; 32 hexadecimal digits."""
    return str(study.user_attrs[_IDENTITY]["study_id"])


def settled_trials(study: Study) -> list[FrozenTrial]:
    """The trials that count: completed, or failed in their own right. Read only: they are not copies."""
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.FAIL))
    return [trial for trial in finished if ABANDONED not in trial.user_attrs]


def abandon_running(storage: BaseStorage, study: Study, names: frozenset[str], reason: str) -> int:
    """Marks trials that nobody works on any more as failed, and puts their parameters at the end of the queue.

    Call it only while no worker runs. Heartbeats, Optuna's own way, do not work with ask and tell.

    Args:
        storage: where the study is.
        study: the study.
        names: the trial parameters; a trial that lacks some was cut off while they were drawn, and is drawn anew.
        reason: why they failed.

    Returns:
        How many there were.
    """
    in_storage = storage.get_study_id_from_name(study.study_name)
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    queued_again = {trial.user_attrs.get(_RETRY_OF) for trial in waiting}
    running = study.get_trials(deepcopy=True, states=(TrialState.RUNNING,))
    for trial in running:
        params = trial.params if names <= trial.params.keys() else trial.system_attrs.get("fixed_params", {})
        if params and trial.number not in queued_again:
            study.enqueue_trial(params, user_attrs={_RETRY_OF: trial.number})
        trial_id = storage.get_trial_id_from_study_id_trial_number(in_storage, trial.number)
        storage.set_trial_user_attr(trial_id, REASON, reason)
        storage.set_trial_user_attr(trial_id, ABANDONED, True)
        storage.set_trial_state_values(trial_id, TrialState.FAIL)
    return len(running)


def hold(study: Study, *, take_over: bool) -> None:
    """Marks the study as being run by this process.

    Raises:
        DriverError: another process is at it, here or, as far as can be known, on another machine.
    """
    runner = study.user_attrs.get(_RUNNER)
    if runner is not None and not take_over and may_live(runner):
        raise DriverError(
            f"study {study.study_name!r} is being run by process {runner['pid']} on {runner['host']}; wait for it, or, if it "
            "is gone, say take_over=True"
        )
    study.set_user_attr(_RUNNER, process_mark())


def release(study: Study) -> None:
    """Takes back :func:`hold`."""
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


def _differences(stored: Any, wanted: Any, key: str = "") -> Iterator[str]:
    """Yields ``key is a, and was b`` for every leaf that differs."""
    if isinstance(stored, dict) and isinstance(wanted, dict):
        for name in sorted(stored.keys() | wanted.keys()):
            yield from _differences(stored.get(name), wanted.get(name), f"{key}.{name}" if key else name)
    elif stored != wanted:
        yield f"{key} is {wanted!r}, and was {stored!r}"
