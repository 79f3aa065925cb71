"""Opens the inputs of commands: studies, checkpoint stores, and storages of Optuna studies."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from quantsim.commands.output import note
from quantsim.errors import FingerprintWarning

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore
    from quantsim.config import Experiment

__all__ = [
    "load_experiment",
    "open_existing_store",
    "open_store",
    "place_of",
    "showing_warnings",
    "study_storage",
]


def load_experiment(name_or_path: str, settings: Iterable[str] | None = None) -> Experiment:
    """Loads a study by name or file, with changes applied.

    Raises:
        ConfigError: there is no such study, or a key or value is invalid.
    """
    from quantsim.config import Experiment

    with showing_warnings():
        return Experiment.load(name_or_path, settings or ())


@contextlib.contextmanager
def showing_warnings() -> Iterator[None]:
    """Prints fingerprint warnings as notes, and issues other warnings again."""
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always", FingerprintWarning)
        yield
    for one in raised:
        if issubclass(one.category, FingerprintWarning):
            note(f"Warning: {one.message}")
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def open_store(location: str) -> CheckpointStore:
    """Opens a checkpoint store, and creates it if it does not exist.

    Raises:
        CheckpointError: the store cannot be opened.
    """
    from quantsim.checkpoints import CheckpointStore

    return CheckpointStore(location)


def open_existing_store(location: str, *, migrate: bool = True, read_only: bool = False) -> CheckpointStore:
    """Opens an existing checkpoint store.

    Args:
        location: path or URL.
        migrate: whether a store of an older version gets its missing tables; False to only read it.
        read_only: whether nothing is written, not even to the files beside an SQLite file.

    Raises:
        CheckpointError: the store does not exist or cannot be opened; the message says what to run first.
    """
    from quantsim.checkpoints import CheckpointStore

    return CheckpointStore.open(location, migrate=migrate, read_only=read_only)


def place_of(store: CheckpointStore) -> str:
    """Returns the location of a store as users write it."""
    from quantsim.checkpoints.database.location import path_or_url

    return path_or_url(store.location)


def study_storage(storage: str | None, store: str) -> str:
    """Returns the storage of the Optuna study: the given one, a journal next to a store in a file, or the store's server.

    Raises:
        DriverError: the storage is neither a path of a known kind nor a URL, or cannot be opened.
    """
    from quantsim.storages.location import check_storage, default_storage, is_missing

    if storage is None:
        storage = default_storage(store)
        if is_missing(storage):
            return storage  # if the store cannot be made either, opening it reports that
    check_storage(storage)
    return storage
