"""One database and its transactions: where it is, how it is opened, and what to do when another process holds it."""

from __future__ import annotations

import functools
import logging
import os
import random
import sqlite3
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from quantsim.checkpoints.database.interrupts import interrupts_delayed
from quantsim.checkpoints.database.location import file_of, read_location
from quantsim.checkpoints.database.servers import MYSQL_CONTENTION, MYSQL_CUT_OFF, mysql_code, with_driver
from quantsim.checkpoints.database.sqlite_file import SqliteFile
from quantsim.checkpoints.redact import redact, shown_url
from quantsim.errors import CheckpointError

__all__ = ["Database"]

T = TypeVar("T")
Location = str | os.PathLike[str]

_log = logging.getLogger(__name__)

_WRITES = "quantsim_writes"

# SQLite waits inside C, where Python sees no Ctrl-C; so it waits in short turns and the loop below repeats them.
_BUSY_TIMEOUT_S = 1.0
_LONGEST_PAUSE_S = 0.2

_SQLITE_CONTENTION = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_SQLSTATE_CONTENTION = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock not available


class Database:
    """An SQLAlchemy engine whose transactions are repeated when another writer is in the way.

    Connections belong to one process: idle ones are closed before a fork, and a pickled database is opened anew where
    it arrives. No message shows the password of the URL.
    """

    def __init__(self, location: Location, lock_timeout_s: float) -> None:
        """Opens nothing yet, but makes the folder of an SQLite file.

        Raises:
            CheckpointError: the location is no path or URL, or its database driver is not installed.
        """
        if not lock_timeout_s > 0:
            raise CheckpointError(f"lock_timeout_s must be positive, not {lock_timeout_s!r}")
        given = _parse(location)
        self.shown = shown_url(given)
        try:
            self.url = with_driver(given)
        except ModuleNotFoundError as error:
            raise CheckpointError(f"checkpoint store {self.shown} needs {error}") from error
        self._lock_timeout_s = lock_timeout_s
        path = file_of(self.url)
        self._file = None if path is None else SqliteFile(path)
        self._engine = self._make_engine()
        _LIVE.add(self)
        _hook_forks()

    def transact(self, work: Callable[[Connection], T], *, write: bool) -> T:
        """Returns ``work(connection)``, done in one transaction: all of it is committed, or nothing.

        If another process holds the lock, the transaction is rolled back and ``work`` called again, so it must have no
        other effects.

        Raises:
            CheckpointError: the lock did not come free in time, or the database reports an error.
        """
        deadline = time.monotonic() + self._lock_timeout_s
        pause_s = 0.01
        while True:
            self._check_file(write=write)
            try:
                with interrupts_delayed():
                    result = self._transact_once(work, write)
                self._check_file(write=False)  # SQLite also writes to a file that was removed
                return result
            except SQLAlchemyError as error:
                self._check_file(write=False)
                if not _is_contention(error):
                    raise self._worded(error) from self._cause(error)
                if time.monotonic() >= deadline:
                    raise CheckpointError(
                        f"checkpoint store {self.shown} is locked by another process, and did not come free within "
                        f"{self._lock_timeout_s:g} s; end the program that holds it, or use a server database"
                    ) from self._cause(error)
            _log.info("checkpoint store %s is busy, waiting", self.shown)
            time.sleep(random.uniform(0, pause_s))  # noqa: S311 - spreads waiting writers, guards nothing
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def read(self, query: Callable[..., T], *arguments: Any) -> T:
        """Returns ``query(connection, *arguments)`` of one transaction that only reads; see :meth:`transact`."""
        return self.transact(lambda connection: query(connection, *arguments), write=False)

    def write(self, work: Callable[..., T], *arguments: Any) -> T:
        """Returns ``work(connection, *arguments)`` of one transaction; see :meth:`transact`."""
        return self.transact(lambda connection: work(connection, *arguments), write=True)

    def close(self) -> None:
        """Closes all idle connections; the next transaction opens a new one."""
        self._engine.dispose()

    def __reduce__(self) -> tuple[type[Database], tuple[str, float]]:
        return type(self), (self.url.render_as_string(hide_password=False), self._lock_timeout_s)

    def _transact_once(self, work: Callable[[Connection], T], write: bool) -> T:
        options: dict[str, Any] = {_WRITES: write}
        if not write and self._engine.dialect.name in ("postgresql", "mysql"):
            options["isolation_level"] = "REPEATABLE READ"  # several queries, one view of the data
        with self._engine.connect().execution_options(**options) as connection, connection.begin():
            return work(connection)

    def _make_engine(self) -> Engine:
        sqlite = self.url.get_backend_name() == "sqlite"
        try:
            if sqlite:
                return self._make_sqlite_engine()
            options: dict[str, Any] = {"pool_pre_ping": True, "hide_parameters": True}
            if self.url.get_backend_name() == "mysql":
                options["isolation_level"] = "READ COMMITTED"  # its own default locks gaps between rows, too
            return create_engine(self.url, **options)
        except (ArgumentError, NoSuchModuleError, ImportError, TypeError) as error:
            raise CheckpointError(
                f"cannot use checkpoint store {self.shown}: {self._redact(error)}; "
                "is the driver of that database installed?"
            ) from self._cause(error)
        except OSError as error:
            raise CheckpointError(f"cannot make the folder of checkpoint store {self.shown}: {error}") from error

    def _make_sqlite_engine(self) -> Engine:
        file = self._file
        # A connection that only reads takes the file as one that nobody changes; so each transaction has its own.
        pool = {"poolclass": NullPool} if file is not None and file.is_read_only else {}
        engine = create_engine(self.url, connect_args={"timeout": _BUSY_TIMEOUT_S}, hide_parameters=True, **pool)
        if file is not None:
            file.make_folder()
            event.listen(engine, "do_connect", file.connecting)

        def configure(connection: sqlite3.Connection, _record: object) -> None:
            _configure_sqlite(connection, writes=file is None or not file.is_read_only)
            if file is not None:
                file.remember()

        event.listen(engine, "connect", configure)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _check_file(self, *, write: bool) -> None:
        """Raises CheckpointError where the file of the store is not what it was, or cannot be written and is to be."""
        if self._file is None:
            return
        if self._file.is_gone:
            raise CheckpointError(
                f"checkpoint store {self.shown} is not there any more: its file was removed or replaced while it was in use, "
                "and what was written since is lost"
            )
        if write and self._file.is_read_only:
            raise CheckpointError(
                f"checkpoint store {self.shown} is read-only: it can be read, and not written; name another one, or copy it to "
                "a folder that can be written"
            )

    def _worded(self, error: SQLAlchemyError) -> CheckpointError:
        original = getattr(error, "orig", None)
        text = f"checkpoint store {self.shown}: {self._redact(original or error)}"
        if mysql_code(original) in MYSQL_CUT_OFF:
            text += "; if the server is there, what was to be written is larger than its max_allowed_packet"
        return CheckpointError(text)

    def _redact(self, error: BaseException) -> str:
        return redact(str(error), self.url.password)

    def _cause(self, error: BaseException) -> BaseException | None:
        """The error itself as a cause, unless its text gives the password away."""
        return error if self._redact(error) == str(error) else None


_LIVE: weakref.WeakSet[Database] = weakref.WeakSet()


@functools.cache
def _hook_forks() -> None:
    """Has every fork find the stores without connections: SQLite's must not be open on both sides of one."""
    if not hasattr(os, "register_at_fork"):
        return

    def before() -> None:
        for database in list(_LIVE):
            database._engine.dispose()

    def after_in_child() -> None:
        # A connection that another thread had in use at the fork is the parent's: let go of it, do not close it.
        for database in list(_LIVE):
            database._engine.dispose(close=False)

    os.register_at_fork(before=before, after_in_child=after_in_child)


def _parse(location: Location) -> URL:
    try:
        found = read_location(location)
    except ValueError as error:
        raise CheckpointError(f"the location of the checkpoint store is not valid: {error}") from None
    if isinstance(found, Path):
        if str(found) == ":memory:":
            raise CheckpointError(_NO_MEMORY)
        return URL.create("sqlite", database=str(found))
    if found.get_backend_name() == "sqlite" and (
        found.database in (None, "", ":memory:")
        or "memory" in found.query.get("mode", "")
        or "file::memory:" in str(found.database)
    ):
        raise CheckpointError(_NO_MEMORY)
    return found


_NO_MEMORY = "a checkpoint store in memory would be lost with its connection; give the path of a file"


def _configure_sqlite(connection: sqlite3.Connection, *, writes: bool) -> None:
    """Readers beside one writer, safe against kills, and transactions that begin when we say so (:func:`_begin_sqlite`)."""
    connection.isolation_level = None
    try:
        for pragma in (*(("journal_mode = WAL", "synchronous = NORMAL") if writes else ()), "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}").close()
    except sqlite3.Error:
        connection.close()  # the pool does not know it yet
        raise


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: one that reads first and writes later fails whenever another wrote in between.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options()[_WRITES] else "BEGIN")


def _is_contention(error: SQLAlchemyError) -> bool:
    original = getattr(error, "orig", None)
    code = getattr(original, "sqlite_errorcode", None)
    if code is not None:
        return (code & 0xFF) in _SQLITE_CONTENTION  # the low byte is the primary code
    if (getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)) in _SQLSTATE_CONTENTION:
        return True
    return mysql_code(original) in MYSQL_CONTENTION
