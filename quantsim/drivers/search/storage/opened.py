"""Opens study storages: a journal file, a database, or Optuna's proxy in front of one; docs/search.md compares them."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from quantsim.checkpoints.database.location import file_of, read_location
from quantsim.checkpoints.database.servers import MYSQL_CONTENTION, mysql_code, with_driver
from quantsim.checkpoints.redact import REDACTED, redact, shown_url
from quantsim.errors import DriverError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

__all__ = [
    "Location",
    "check_storage",
    "default_storage",
    "describe_storage",
    "is_file",
    "is_missing",
    "opened_storage",
    "storage_file",
    "store_file",
]

Location = str | os.PathLike[str]

JOURNAL_SUFFIXES = (".journal", ".log")
SQLITE_SUFFIXES = (".db", ".sqlite", ".sqlite3")

_JOURNAL_HEAD, _SQLITE_HEAD = b'{"op_code":', b"SQLite format 3\0"

_SQLITE_TIMEOUT_S = 60.0
_PROXY_TIMEOUT_S = 10.0

_GRPC = "grpc"


@contextlib.contextmanager
def opened_storage(location: Location) -> Iterator[BaseStorage]:
    """Opens a storage, and closes its files or connections at the end of the block.

    It is created, with the folders above a file, if it is not there. Calls are retried while a database or server does not
    answer, see :class:`~quantsim.drivers.search.storage.patient.PatientStorage`.

    Args:
        location: a path ending in ``.journal`` or ``.log`` (journal file) or in ``.db``, ``.sqlite`` or ``.sqlite3``, a
            database URL, or ``grpc://host:port`` of Optuna's storage proxy.

    Raises:
        DriverError: it cannot be opened; the message shows no password.
    """
    target, shown, path = _parse(location), describe_storage(location), storage_file(location)
    password = None if isinstance(target, Path) else target.password
    with contextlib.ExitStack() as stack:
        try:
            check_storage(location)
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(target, Path):
                storage = _open_journal(target)
            elif target.drivername == _GRPC:
                storage = stack.enter_context(_open_proxy(target, shown))
            else:
                storage = stack.enter_context(_open_database(target, shown))
        except (OSError, ImportError, ValueError, SQLAlchemyError, RuntimeError) as error:
            reason = redact(_reason(error), password)
            cause = error if redact(str(error), password) == str(error) else None
            raise DriverError(f"cannot open the study storage {shown}: {reason}") from cause
        yield storage


def check_storage(location: Location) -> None:
    """Checks as far as the file shows that a storage can be opened or created; creates and opens nothing.

    Raises:
        DriverError: the location is not valid, or what is there is no storage, or none can be created there.
    """
    if (path := storage_file(location)) is None:
        return
    try:
        problem = _problem(path)
    except OSError as error:
        problem = _reason(error)
    if problem:
        raise DriverError(f"cannot open the study storage {describe_storage(location)}: {problem}")


def _problem(path: Path) -> str:
    """What stands in the way of a storage in a file; empty if nothing does."""
    try:
        os.lstat(path)  # unlike lexists, it tells a name that is too long from one that is free
    except (FileNotFoundError, NotADirectoryError):
        folder = next(folder for folder in path.absolute().parents if folder.exists())
        return "" if folder.is_dir() and os.access(folder, os.W_OK) else f"no file can be made in {folder}"
    if not path.is_file():  # reading from a pipe might never end
        return "it is no file"
    head, kind = (_JOURNAL_HEAD, "journals") if path.suffix in JOURNAL_SUFFIXES else (_SQLITE_HEAD, "SQLite files")
    with path.open("rb") as file:
        found = file.read(len(head))
    if head.startswith(found):  # also of an empty file
        return ""
    return f"it does not begin with {head.decode().rstrip(chr(0))}, as {kind} do"


def _reason(error: Exception) -> str:
    """What went wrong, in the words of the system or the database alone."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(getattr(error, "orig", None) or error)


def describe_storage(location: Location) -> str:
    """The location as it may be shown: a path, or a URL without its password."""
    target = _parse(location)
    return str(target) if isinstance(target, Path) else shown_url(target)


def is_file(location: Location) -> bool:
    """Whether the storage is a file, which workers on other machines reach only if they share its disk."""
    target = _parse(location)
    return isinstance(target, Path) or target.get_backend_name() == "sqlite"


def is_missing(location: Location) -> bool:
    """Whether the storage is a file that does not exist."""
    path = storage_file(location)
    return path is not None and not os.path.isfile(path)


def storage_file(location: Location) -> Path | None:
    """The file of a storage; None where it is on a server."""
    return file_of(_parse(location))


def store_file(location: Location) -> Path | None:
    """The file of a checkpoint store; None where it is on a server.

    Raises:
        DriverError: the location is neither a path nor a URL.
    """
    return file_of(_store_place(location))


def default_storage(store_location: str) -> str:
    """Where the study of a checkpoint store is kept unless the user says so.

    Of a store in a file it is a journal beside it, ``checkpoints.journal`` for ``checkpoints.db``; of a store on a server it is
    the same database.

    Args:
        store_location: of the store, with its password (:attr:`CheckpointStore.url`).

    Raises:
        DriverError: the store is neither on a server nor a plain file.
    """
    place = _store_place(store_location)
    if isinstance(place, URL) and place.get_backend_name() != "sqlite":
        if place.password == REDACTED:
            raise DriverError(
                f"the checkpoint store {store_location} is named without its password, so the study cannot be kept in its "
                "database: say where to keep it with storage="
            )
        return store_location
    path = file_of(place)
    if path is None:
        raise DriverError(
            f"the checkpoint store {redact(store_location)} is not a plain file, so there is no file beside it for the study; "
            "say where to keep it with storage=, for instance a path that ends in .journal"
        )
    if path.suffix in JOURNAL_SUFFIXES:
        raise DriverError(f"the checkpoint store {path} has the name of a journal of studies: let it end in .db")
    return str(path.with_suffix(JOURNAL_SUFFIXES[0]))


def _store_place(store_location: Location) -> Path | URL:
    try:
        return read_location(store_location)
    except ValueError as error:
        raise DriverError(f"the location of the checkpoint store is not valid: {error}") from None


def _parse(location: Location) -> Path | URL:
    try:
        found = read_location(location, others=(_GRPC,))
    except ValueError as error:
        raise DriverError(f"the location of the study storage is not valid: {error}") from None
    if isinstance(found, URL):
        if found.drivername == _GRPC and (not found.host or not found.port or found.database):
            raise DriverError(f"the study storage {shown_url(found)} must be grpc://HOST:PORT")
        if found.get_backend_name() == "sqlite" and found.database in (None, "", ":memory:"):
            raise DriverError("a study storage in memory would be lost with its connection; give the path of a file")
        return found
    if found.suffix in JOURNAL_SUFFIXES:
        return found
    if found.suffix in SQLITE_SUFFIXES:
        return URL.create("sqlite", database=str(found))
    raise DriverError(
        f"study storage {os.fspath(location)!r} is neither a database URL nor a path that ends in "
        f"{', '.join(JOURNAL_SUFFIXES)} (journal file) or {', '.join(SQLITE_SUFFIXES)} (SQLite)"
    )


def _open_journal(path: Path) -> BaseStorage:
    from optuna.storages import JournalStorage

    from quantsim.drivers.search.storage.journal import JournalFile

    try:
        return JournalStorage(JournalFile(path))
    except (OSError, DriverError):
        raise
    except Exception as error:  # whatever Optuna's replay meets in a file that it trusts
        raise ValueError(
            f"a line is no record of a journal ({error!r}); the file is damaged, or of another kind"
        ) from error


@contextlib.contextmanager
def _open_database(url: URL, shown: str) -> Iterator[BaseStorage]:
    from optuna.storages import RDBStorage

    from quantsim.drivers.search.optuna_private import cached
    from quantsim.drivers.search.storage.patient import PatientStorage

    try:
        url = with_driver(url)
    except ModuleNotFoundError as error:
        raise DriverError(f"the study storage {shown} needs {error}") from error
    options: dict[str, Any] = {"pool_pre_ping": True, "hide_parameters": True}
    if url.get_backend_name() == "sqlite":
        options |= {"connect_args": {"timeout": _SQLITE_TIMEOUT_S}}
    if url.get_backend_name() == "mysql":
        options |= {"isolation_level": "READ COMMITTED"}  # as PostgreSQL; its own default also locks gaps between rows
    text = url.render_as_string(hide_password=False)
    _create_tables(text, options)
    storage = RDBStorage(text, options, skip_compatibility_check=True, skip_table_creation=True)
    if url.get_backend_name() == "sqlite":
        event.listen(storage.engine, "connect", _configure_sqlite)
        storage.engine.dispose()  # connections made so far lack the settings
    try:
        yield cast("BaseStorage", PatientStorage(cached(storage), shown, url.password))
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _create_tables(text: str, options: dict[str, Any]) -> None:
    """Creates Optuna's tables if they are not there, and checks their version. Retries where another process creates them."""
    from optuna.storages import RDBStorage

    from quantsim.drivers.search.storage.mysql import widen_tables

    for pause_s in (0.1, 0.3, 1.0, 3.0, None):
        try:
            engine = RDBStorage(text, {**options, "poolclass": NullPool}).engine  # a failure leaves no connection open
            if engine.dialect.name == "mysql":
                with engine.connect() as connection:
                    widen_tables(connection)
            return
        except SQLAlchemyError as error:
            at_once = any(sign in str(error).lower() for sign in ("already exists", "duplicate"))
            if pause_s is None or not (at_once or mysql_code(getattr(error, "orig", None)) in MYSQL_CONTENTION):
                raise
        time.sleep(pause_s)


def _configure_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    """Lets readers work beside one writer, and does not sync every commit; a killed process loses nothing."""
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL"):
        connection.execute(f"PRAGMA {pragma}").close()


@contextlib.contextmanager
def _open_proxy(url: URL, shown: str) -> Iterator[BaseStorage]:
    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import GrpcStorageProxy

    from quantsim.drivers.search.storage.patient import PatientStorage

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        try:
            proxy = GrpcStorageProxy(host=str(url.host), port=int(url.port or 0))  # both are given: see _parse
        except ModuleNotFoundError as error:
            raise DriverError(
                f"the study storage {shown} needs the package grpcio: pip install 'quantsim[grpc]'"
            ) from error
    try:
        proxy.wait_server_ready(timeout=_PROXY_TIMEOUT_S)
        yield cast("BaseStorage", PatientStorage(proxy, shown))
    finally:
        proxy.close()
