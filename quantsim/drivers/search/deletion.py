"""Deletes runs together with the Optuna studies of their searches."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import optuna

from quantsim.checkpoints import CheckpointStore, Run
from quantsim.checkpoints.redact import REDACTED
from quantsim.checkpoints.runs.entries import RunList
from quantsim.drivers.search.study import quiet_optuna, study_id
from quantsim.errors import DriverError, QuantsimError
from quantsim.storages.location import default_storage, describe_storage, is_missing
from quantsim.storages.opened import opened_storage

__all__ = ["Deleted", "delete_runs"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Deleted:
    """What was deleted.

    Attributes:
        runs: the entries.
        studies: names of the Optuna studies.
        kept: name of a study that was not deleted → why.
    """

    runs: RunList
    studies: tuple[str, ...]
    kept: dict[str, str]


def delete_runs(store: CheckpointStore, keys: str | Sequence[str], *, take_over: bool = False) -> Deleted:
    """Deletes runs from a store, and the Optuna studies of their searches.

    Without its study, a search begins anew. :meth:`CheckpointStore.delete <quantsim.CheckpointStore.delete>` leaves the studies
    where they are.

    Args:
        store: store of the runs.
        keys: one or more keys; see :meth:`CheckpointStore.entry <quantsim.CheckpointStore.entry>`.
        take_over: whether to delete a run that says "running" on another machine, because its process has ended.

    Raises:
        CheckpointError: there is no such run, or one of them is in progress; nothing is deleted.
    """
    deleted = store.delete(keys, take_over=take_over)
    left = {run.notes.get("study_id") for run in store.find_runs(driver="search")}
    gone, kept = list[str](), dict[str, str]()
    for run in (one.run for entry in deleted for one in entry.members):
        name = run.notes.get("study")
        if name is None or run.notes.get("study_id") in left:
            continue
        try:
            if _delete_study(store, run, name):
                gone.append(name)
        except QuantsimError as error:
            kept[name] = str(error)
    return Deleted(deleted, tuple(gone), kept)


def _delete_study(store: CheckpointStore, run: Run, name: str) -> bool:
    """Deletes the study of a run; returns whether it was there."""
    for location in _locations(store, str(run.notes.get("storage", ""))):
        with quiet_optuna(), opened_storage(location) as storage:
            if all(study.study_name != name for study in storage.get_all_studies()):
                continue
            if study_id(optuna.load_study(storage=storage, study_name=name)) != run.notes.get("study_id"):
                continue
            optuna.delete_study(storage=storage, study_name=name)
            return True
    return False


def _locations(store: CheckpointStore, noted: str) -> list[str]:
    """Returns the places where the study of a run may be; what was noted has no password."""
    found = list[str]()
    try:
        found.append(default_storage(store.url))
    except DriverError as error:
        logger.info("the store has no default storage: %s", error)
    if REDACTED in noted:
        if noted not in map(describe_storage, found):
            raise DriverError(f"its storage {noted} needs a password: delete it with `optuna delete-study`")
    elif noted:
        found.append(noted)
    return [place for place in dict.fromkeys(found) if not is_missing(place)]
