"""Opens study storages: journal files, databases, and Optuna's storage proxy; docs/search.md compares them."""

from __future__ import annotations

import contextlib
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

from quantsim.checkpoints.database.servers import MYSQL_CONTENTION, mysql_code, with_driver
from quantsim.checkpoints.redact import redact
from quantsim.errors import DriverError
from quantsim.storages.location import (
    GRPC,
    Location,
    check_storage,
    describe_storage,
    parsed_location,
    storage_file,
)

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

__all__ = ["opened_storage"]

_SQLITE_TIMEOUT_S = 60.0
_PROXY_TIMEOUT_S = 10.0


@contextlib.contextmanager
def opened_storage(location: Location) -> Iterator[BaseStorage]:
    """Opens a storage, and closes its files and connections at the end of the block.

    Creates it, and the folders above a file, if it does not exist. Calls are retried while a database or server does not
    answer; see :class:`~quantsim.storages.patient.PatientStorage`.

    Args:
        location: a path ending in ``.journal`` or ``.log`` (journal file) or in ``.db``, ``.sqlite`` or ``.sqlite3``, a
            database URL, or ``grpc://host:port`` of Optuna's storage proxy.

    Raises:
        DriverError: the storage cannot be opened; the message does not show its password.
    """
    target, shown, path = parsed_location(location), describe_storage(location), storage_file(location)
    password = None if isinstance(target, Path) else target.password
    with contextlib.ExitStack() as stack:
        try:
            check_storage(location)
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(target, Path):
                storage = stack.enter_context(_open_journal(target))
            elif target.drivername == GRPC:
                storage = stack.enter_context(_open_proxy(target, shown))
            else:
                storage = stack.enter_context(_open_database(target, shown))
        except (OSError, ImportError, ValueError, SQLAlchemyError, RuntimeError) as error:
            reason = redact(_reason(error), password)
            cause = error if redact(str(error), password) == str(error) else None
            raise DriverError(f"cannot open the study storage {shown}: {reason}") from cause
        yield storage


def _reason(error: Exception) -> str:
    """Returns the message of the operating system or the database."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(getattr(error, "orig", None) or error)


@contextlib.contextmanager
def _open_journal(path: Path) -> Iterator[BaseStorage]:
    from quantsim.storages.journal import Journal

    try:
        storage = Journal(path)
    except (OSError, DriverError):
        raise
    except Exception as error:  # Optuna does not check the records that it replays
        raise ValueError(
            f"a line is not a record of a journal ({error!r}); the file is damaged, or not a journal"
        ) from error
    yield storage
    storage.close()


@contextlib.contextmanager
def _open_database(url: URL, shown: str) -> Iterator[BaseStorage]:
    from optuna.storages import RDBStorage

    from quantsim.optuna_private import cached
    from quantsim.storages.patient import PatientStorage

    try:
        url = with_driver(url)
    except ModuleNotFoundError as error:
        raise DriverError(f"the study storage {shown} needs {error}") from error
    options: dict[str, Any] = {"pool_pre_ping": True, "hide_parameters": True}
    if url.get_backend_name() == "sqlite":
        options |= {"connect_args": {"timeout": _SQLITE_TIMEOUT_S}}
    if url.get_backend_name() == "mysql":
        options |= {"isolation_level": "READ COMMITTED"}  # MySQL's default also locks gaps between rows
    text = url.render_as_string(hide_password=False)
    _create_tables(text, options)
    storage = RDBStorage(text, options, skip_compatibility_check=True, skip_table_creation=True)
    if url.get_backend_name() == "sqlite":
        event.listen(storage.engine, "connect", _configure_sqlite)
        storage.engine.dispose()  # earlier connections do not have the settings
    try:
        yield cast("BaseStorage", PatientStorage(cached(storage), shown, url.password))
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _create_tables(text: str, options: dict[str, Any]) -> None:
    """Creates Optuna's tables if they do not exist, and checks their version. Retries while another process creates them."""
    from optuna.storages import RDBStorage

    from quantsim.storages.mysql import widen_tables

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
    """Allows reads during a write, and does not sync every commit. A killed process loses nothing."""
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL"):
        connection.execute(f"PRAGMA {pragma}").close()


@contextlib.contextmanager
def _open_proxy(url: URL, shown: str) -> Iterator[BaseStorage]:
    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import GrpcStorageProxy

    from quantsim.storages.patient import PatientStorage

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        try:
            proxy = GrpcStorageProxy(host=str(url.host), port=int(url.port or 0))  # parsed_location checks both
        except ModuleNotFoundError as error:
            raise DriverError(
                f"the study storage {shown} needs the package grpcio: pip install 'quantsim[grpc]'"
            ) from error
    try:
        proxy.wait_server_ready(timeout=_PROXY_TIMEOUT_S)
        yield cast("BaseStorage", PatientStorage(proxy, shown))
    finally:
        proxy.close()
