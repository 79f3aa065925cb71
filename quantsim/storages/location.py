"""Locations of study storages: parsing, and checks without opening them."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy.engine import URL

from quantsim.checkpoints.database.location import file_of, read_location
from quantsim.checkpoints.redact import REDACTED, redact, shown_url
from quantsim.errors import DriverError, reason_of

__all__ = [
    "GRPC",
    "Location",
    "check_storage",
    "default_storage",
    "describe_storage",
    "fold_storage",
    "is_missing",
    "is_sqlite",
    "parsed_location",
    "storage_file",
    "store_file",
]

Location = str | os.PathLike[str]

GRPC = "grpc"
"""Scheme of a URL of Optuna's storage proxy."""

_JOURNAL_SUFFIXES = (".journal", ".log")
_SQLITE_SUFFIXES = (".db", ".sqlite", ".sqlite3")
_JOURNAL_HEAD, _SQLITE_HEAD = b'{"op_code":', b"SQLite format 3\0"


def parsed_location(location: Location) -> Path | URL:
    """Returns the path of a journal file, or the URL of a database or a proxy.

    Raises:
        DriverError: the location is neither.
    """
    try:
        found = read_location(location, others=(GRPC,))
    except ValueError as error:
        raise DriverError(f"the location of the study storage is not valid: {error}") from None
    if isinstance(found, URL):
        if found.drivername == GRPC and (not found.host or not found.port or found.database):
            raise DriverError(f"the study storage {shown_url(found)} must be grpc://HOST:PORT")
        if found.get_backend_name() == "sqlite" and found.database in (None, "", ":memory:"):
            raise DriverError("a study storage in memory would be lost with its connection; give the path of a file")
        return found
    if found.suffix in _JOURNAL_SUFFIXES:
        return found
    if found.suffix in _SQLITE_SUFFIXES:
        return URL.create("sqlite", database=str(found))
    raise DriverError(
        f"study storage {os.fspath(location)!r} is neither a database URL nor a path that ends in "
        f"{', '.join(_JOURNAL_SUFFIXES)} (journal file) or {', '.join(_SQLITE_SUFFIXES)} (SQLite)"
    )


def check_storage(location: Location) -> None:
    """Checks that a storage can be opened or created, as far as the file system shows. Creates and opens nothing.

    Raises:
        DriverError: the location is invalid, the file is not a storage, or no file can be created there.
    """
    if (path := storage_file(location)) is None:
        return
    try:
        problem = _problem(path)
    except OSError as error:
        problem = reason_of(error)
    if problem:
        raise DriverError(f"cannot open the study storage {describe_storage(location)}: {problem}")


def _problem(path: Path) -> str:
    """Returns the reason why a storage cannot be opened or created in a file; empty if it can."""
    try:
        os.lstat(path)  # unlike lexists, it raises an error if the name is too long
    except (FileNotFoundError, NotADirectoryError):
        folder = next(folder for folder in path.absolute().parents if folder.exists())
        return "" if folder.is_dir() and os.access(folder, os.W_OK) else f"no file can be created in {folder}"
    if not path.is_file():  # reading from a pipe might never end
        return "it is not a file"
    head, kind = (_JOURNAL_HEAD, "journals") if path.suffix in _JOURNAL_SUFFIXES else (_SQLITE_HEAD, "SQLite files")
    with path.open("rb") as file:
        found = file.read(len(head))
    if head.startswith(found):  # includes an empty file
        return ""
    return f"it does not begin with {head.decode().rstrip(chr(0))}, as {kind} do"


def describe_storage(location: Location) -> str:
    """Returns the location for messages: a path, or a URL without its password."""
    target = parsed_location(location)
    return str(target) if isinstance(target, Path) else shown_url(target)


def is_missing(location: Location) -> bool:
    """Whether the storage is a file that does not exist."""
    path = storage_file(location)
    return path is not None and not os.path.isfile(path)


def is_sqlite(path: Path) -> bool:
    """Whether the file of a storage is an SQLite file, by its name; else it is a journal."""
    return path.suffix in _SQLITE_SUFFIXES


def storage_file(location: Location) -> Path | None:
    """Returns the file of a storage; None for a server."""
    return file_of(parsed_location(location))


def store_file(location: Location) -> Path | None:
    """Returns the file of a checkpoint store; None for a server.

    Raises:
        DriverError: the location is neither a path nor a URL.
    """
    return file_of(_store_place(location))


def default_storage(store_location: str) -> str:
    """Returns the default storage for the study of a checkpoint store.

    For a store in a file it is a journal beside it, ``checkpoints.journal`` for ``checkpoints.db``. For a store on a server it
    is the same database.

    Args:
        store_location: location of the store, with its password (:attr:`CheckpointStore.url`).

    Raises:
        DriverError: the store is neither on a server nor a plain file.
    """
    place = _store_place(store_location)
    if isinstance(place, URL) and place.get_backend_name() != "sqlite":
        if place.password == REDACTED:
            raise DriverError(
                f"the location of the checkpoint store, {store_location}, has no password, so the study cannot be stored in "
                "its database: set storage="
            )
        return store_location
    path = file_of(place)
    if path is None:
        raise DriverError(
            f"the checkpoint store {redact(store_location)} is not a plain file, so there is no default storage for the study: "
            "set storage=, such as a path that ends in .journal"
        )
    if path.suffix in _JOURNAL_SUFFIXES:
        raise DriverError(
            f"the checkpoint store {path} has a name for journals of studies: use a name that ends in .db"
        )
    return str(path.with_suffix(_JOURNAL_SUFFIXES[0]))


def fold_storage(store_location: str, group: tuple[str, int]) -> Location:
    """Returns the default storage for the study of a fold: a journal in a folder beside that of :func:`default_storage`.

    Args:
        store_location: as for :func:`default_storage`.
        group: id of the group of runs, and position in it.
    """
    place = default_storage(store_location)
    if (path := storage_file(place)) is None:
        return place
    return path.with_name(f"{path.stem}-folds") / f"{group[0][:8]}-{group[1]}{path.suffix}"


def _store_place(store_location: Location) -> Path | URL:
    try:
        return read_location(store_location)
    except ValueError as error:
        raise DriverError(f"the location of the checkpoint store is not valid: {error}") from None
