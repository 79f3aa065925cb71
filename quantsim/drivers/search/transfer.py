"""Copies runs between stores together with the Optuna studies of their searches, so that these can be resumed there.

Studies are copied trial by trial, with states, times and attributes: numbers and texts, which Optuna's storages hold as JSON.
What other programs may have stored is left out: states of Optuna's CMA-ES, which are pickles, and notes and pictures of the
dashboard.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import FrozenTrial, create_trial

from quantsim.checkpoints import CheckpointStore, Run
from quantsim.checkpoints.database.summaries import find_facts
from quantsim.checkpoints.runs.transfer import copy_runs, opened_source
from quantsim.drivers.search.study import is_in_use, quiet_optuna, release, study_id
from quantsim.errors import DriverError, QuantsimError
from quantsim.optuna_private import set_study_attribute, study_attributes
from quantsim.storages.location import (
    default_storage,
    describe_storage,
    fold_storage,
    is_missing,
    is_sqlite,
    storage_file,
)
from quantsim.storages.opened import opened_storage

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study

    from quantsim.checkpoints.runs.entries import RunList
    from quantsim.checkpoints.runs.transfer import Copied

__all__ = ["Transferred", "export_runs", "import_runs"]

_GROUP = re.compile(r"[\w-]{1,8}")

_LEFT_OUT = ("cma:", "dashboard:", "artifacts:")
"""Beginnings of the names of system attributes that are not copied."""


@dataclass(frozen=True)
class Transferred:
    """What was copied.

    Attributes:
        added: the entries that the store got, or whose missing runs it got.
        known: the entries that it had already.
        studies: name of an Optuna study that is there now → its storage, without password.
        left: name of a study that was not copied → why.
    """

    added: RunList
    known: RunList
    studies: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Returns it as JSON values."""
        runs = {"added": self.added.to_json(), "known": self.known.to_json()}
        return {**runs, "studies": self.studies, "left_studies": self.left}


def export_runs(
    store: CheckpointStore, keys: str | Sequence[str], location: str | os.PathLike[str], *, take_over: bool = False
) -> Transferred:
    """Copies runs to another store, and the Optuna studies of their searches to its default storage.

    For a store in a file, that is a journal beside it: ``runs.journal`` for ``runs.db``.

    Args:
        store: store of the runs.
        keys: one or more keys; see :meth:`CheckpointStore.entry <quantsim.CheckpointStore.entry>`.
        location: path of an SQLite file, which is created if it does not exist, or a database URL.
        take_over: as for :meth:`CheckpointStore.export_runs <quantsim.CheckpointStore.export_runs>`.

    Raises:
        CheckpointError: as for :meth:`CheckpointStore.export_runs <quantsim.CheckpointStore.export_runs>`.
    """
    copied = store.export_runs(keys, location, take_over=take_over)
    with CheckpointStore.open(location) as target:
        return _with_studies(store, target, copied, noted=True)


def import_runs(
    store: CheckpointStore,
    location: str | os.PathLike[str],
    keys: Sequence[str] | None = None,
    *,
    replace: bool = False,
    take_over: bool = False,
) -> Transferred:
    """Copies runs from another store, and the Optuna studies of their searches if its default storage has them.

    The other store is only read; its content is checked, and nothing of it is run.

    Args:
        store: store to copy to.
        location: path of an SQLite file, or a database URL.
        keys: keys of runs there; None for all.
        replace: whether to replace runs that are stored with other content.
        take_over: as for :meth:`CheckpointStore.export_runs <quantsim.CheckpointStore.export_runs>`.

    Raises:
        CheckpointError: as for :meth:`CheckpointStore.import_runs <quantsim.CheckpointStore.import_runs>`.
    """
    with opened_source(location) as source:
        copied = copy_runs(source, store, keys, replacing=replace, take_over=take_over)
        return _with_studies(source, store, copied, noted=False)


def _with_studies(source: CheckpointStore, target: CheckpointStore, copied: Copied, *, noted: bool) -> Transferred:
    """Copies the studies of the copied runs; ``noted`` says whether to look where a run of the source says, too."""
    found = Transferred(copied.added, copied.known)
    for run in (one.run for entries in (copied.added, copied.known) for entry in entries for one in entry.members):
        name = run.notes.get("study")
        if not isinstance(name, str) or not isinstance(run.notes.get("study_id"), str):
            continue
        try:
            place = _storage_of(target, run)
            if not any(_copied(location, place, run) for location in _locations(source, run, noted=noted)):
                raise DriverError(
                    "it is not in the storage beside the store: the results are there, but the search begins anew"
                )
            found.studies[name] = describe_storage(place)
            target.add_notes(run.run_id, {"storage": describe_storage(place)})
        except (QuantsimError, KeyError, TypeError, ValueError) as error:  # Optuna does not check what it reads
            found.left[name] = str(error)
    return found


def _storage_of(store: CheckpointStore, run: Run) -> str:
    """Returns the default storage of the study of a run."""
    group = store.tables.read(find_facts, [run.run_id]).groups.get(run.run_id)
    if group is None:
        return default_storage(store.url)
    if not _GROUP.match(group[0]):  # it names a file
        raise DriverError(f"the id of its group, {group[0]!r}, is not valid")
    return str(fold_storage(store.url, (group[0], int(group[1]))))


def _locations(store: CheckpointStore, run: Run, *, noted: bool) -> Iterator[str]:
    """Yields the storages that may have the study of a run. What somebody else's store says is not opened."""
    with contextlib.suppress(DriverError):  # a store without a default storage
        yield _storage_of(store, run)
    if noted and isinstance(place := run.notes.get("storage"), str):
        yield place


def _copied(location: str, place: str, run: Run) -> bool:
    """Copies the study of a run from one storage to another, unless it is there. Returns False if the first lacks it."""
    if is_missing(location):
        return False
    name, identifier = str(run.notes["study"]), run.notes["study_id"]
    with quiet_optuna(), _opened_copy(location) as source:
        if all(study.study_name != name for study in source.get_all_studies()):
            return False
        study = optuna.load_study(storage=source, study_name=name)
        if study_id(study) != identifier:
            return False
        with opened_storage(place) as target:
            if any(other.study_name == name for other in target.get_all_studies()):
                there = optuna.load_study(storage=target, study_name=name)
                if study_id(there) != identifier:
                    raise DriverError(f"{describe_storage(place)} has another study of this name")
                if len(there.get_trials(deepcopy=False)) >= len(study.get_trials(deepcopy=False)):
                    return True
                if is_in_use(there):
                    raise DriverError(f"the study of this name in {describe_storage(place)} is in use")
                optuna.delete_study(storage=target, study_name=name)
            _copy(study, target)
    return True


@contextlib.contextmanager
def _opened_copy(location: str) -> Iterator[BaseStorage]:
    """Opens a storage; a copy of a journal, because opening one may write to it."""
    path = storage_file(location)
    if path is None or is_sqlite(path):
        with opened_storage(location) as storage:
            yield storage
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        shutil.copyfile(path, copy)
        with opened_storage(copy) as storage:
            yield storage


def _copy(study: Study, storage: BaseStorage) -> None:
    copy = optuna.create_study(storage=storage, study_name=study.study_name, directions=study.directions)
    for key, value in _kept(study_attributes(study)).items():
        set_study_attribute(copy, key, value)
    for key, value in study.user_attrs.items():
        copy.set_user_attr(key, value)
    release(copy)
    copy.add_trials([_without_others(trial) for trial in study.get_trials(deepcopy=False)])


def _without_others(trial: FrozenTrial) -> FrozenTrial:
    kept = create_trial(
        state=trial.state,
        values=trial.values,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs=trial.user_attrs,
        system_attrs=_kept(trial.system_attrs),
        intermediate_values=trial.intermediate_values,
    )
    kept.datetime_start, kept.datetime_complete = trial.datetime_start, trial.datetime_complete
    return kept


def _kept(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in attributes.items() if not key.startswith(_LEFT_OUT)}
