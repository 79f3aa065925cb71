"""A database and its transactions, with retries if another process holds a lock."""

from __future__ import annotations

import contextlib
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
from quantsim.errors import CheckpointError, QuantsimError

__all__ = ["Database"]

T = TypeVar("T")
Location = str | os.PathLike[str]

_log = logging.getLogger(__name__)

_WRITES = "quantsim_writes"

# SQLite waits inside C code, which Ctrl-C cannot interrupt. So each wait is short, and the loop below retries.
_BUSY_TIMEOUT_S = 1.0
_LONGEST_PAUSE_S = 0.2

_SQLITE_CONTENTION = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_SQLSTATE_CONTENTION = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock not available


class Database:
    """An SQLAlchemy engine whose transactions are retried if another writer holds a lock.

    Connections belong to one process: idle ones are closed before a fork, and a pickled database opens new ones. Messages
    never show the password of the URL.
    """

    def __init__(self, location: Location, lock_timeout_s: float, *, read_only: bool = False) -> None:
        """Makes the folder of an SQLite file, but does not connect yet. An SQLite file that is only read is not trusted.

        Raises:
            CheckpointError: the location is not a path or URL, or its database driver is not installed.
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
        self._read_only = read_only
        self._file = None if path is None else SqliteFile(path, read_only=read_only)
        self._engine = self._make_engine()
        _LIVE.add(self)
        _hook_forks()

    def transact(self, work: Callable[[Connection], T], *, write: bool) -> T:
        """Returns ``work(connection)`` in one transaction, which is committed as a whole or not at all.

        If another process holds the lock, the transaction is rolled back and retried with backoff, so ``work`` must have no
        other side effects.

        Raises:
            CheckpointError: the lock was not released in time, or the database reports an error.
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
                        f"checkpoint store {self.shown} is locked by another process, and was not released within "
                        f"{self._lock_timeout_s:g} s; end the program that holds it, or use a server database"
                    ) from self._cause(error)
            _log.info("checkpoint store %s is busy, waiting", self.shown)
            time.sleep(random.uniform(0, pause_s))  # noqa: S311 - jitter between waiting writers
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def read(self, query: Callable[..., T], *arguments: Any) -> T:
        """Returns ``query(connection, *arguments)`` in one read-only transaction; see :meth:`transact`.

        Raises:
            CheckpointError: also, the content is not that of a store, such as text in place of a number.
        """
        try:
            return self.transact(lambda connection: query(connection, *arguments), write=False)
        except QuantsimError:
            raise
        except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"the content of checkpoint store {self.shown} is not valid: {self._redact(error)}"
            ) from self._cause(error)

    def write(self, work: Callable[..., T], *arguments: Any) -> T:
        """Returns ``work(connection, *arguments)`` in one transaction; see :meth:`transact`."""
        return self.transact(lambda connection: work(connection, *arguments), write=True)

    def compact(self) -> None:
        """Gives the space of deleted rows of an SQLite file back, unless another process is using it."""
        if self.url.get_backend_name() != "sqlite":
            return  # servers use the space again by themselves
        with contextlib.closing(self._engine.raw_connection()) as connection:
            cursor = connection.cursor()
            with contextlib.suppress(sqlite3.OperationalError):
                cursor.execute("VACUUM")
            cursor.close()

    def close(self) -> None:
        """Closes all idle connections; the next transaction opens a new one."""
        self._engine.dispose()

    def __reduce__(self) -> tuple[Callable[..., Database], tuple[str, float, bool]]:
        return _opened, (self.url.render_as_string(hide_password=False), self._lock_timeout_s, self._read_only)

    def _transact_once(self, work: Callable[[Connection], T], write: bool) -> T:
        options: dict[str, Any] = {_WRITES: write}
        if not write and self._engine.dialect.name in ("postgresql", "mysql"):
            options["isolation_level"] = "REPEATABLE READ"  # all queries see the same data
        with self._engine.connect().execution_options(**options) as connection, connection.begin():
            return work(connection)

    def _make_engine(self) -> Engine:
        sqlite = self.url.get_backend_name() == "sqlite"
        try:
            if sqlite:
                return self._make_sqlite_engine()
            options: dict[str, Any] = {"pool_pre_ping": True, "hide_parameters": True}
            if self.url.get_backend_name() == "mysql":
                options["isolation_level"] = "READ COMMITTED"  # MySQL's default also locks gaps between rows
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
        # A read-only connection assumes that nobody changes the file, so each transaction has its own connection.
        pool = {"poolclass": NullPool} if file is not None and file.is_read_only else {}
        engine = create_engine(self.url, connect_args={"timeout": _BUSY_TIMEOUT_S}, hide_parameters=True, **pool)
        if file is not None:
            file.make_folder()
            event.listen(engine, "do_connect", file.connecting)

        def configure(connection: sqlite3.Connection, _record: object) -> None:
            _configure_sqlite(connection, writes=file is None or not file.is_read_only)
            if self._read_only:
                connection.execute("PRAGMA trusted_schema = OFF").close()
            if file is not None:
                file.remember()

        event.listen(engine, "connect", configure)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _check_file(self, *, write: bool) -> None:
        """Raises CheckpointError if the file of the store was removed or replaced, or cannot be written for a write."""
        if self._file is None:
            return
        if self._file.is_gone:
            raise CheckpointError(
                f"checkpoint store {self.shown} no longer exists: its file was removed or replaced while it was in use, "
                "and later results are lost"
            )
        if write and self._file.is_read_only:
            raise CheckpointError(
                f"checkpoint store {self.shown} is read-only: it can be read, but not written; name another one, or copy it to "
                "a writable folder"
            )

    def _worded(self, error: SQLAlchemyError) -> CheckpointError:
        original = getattr(error, "orig", None)
        text = f"checkpoint store {self.shown}: {self._redact(original or error)}"
        if mysql_code(original) in MYSQL_CUT_OFF:
            text += "; if the server is running, the data is larger than its max_allowed_packet"
        return CheckpointError(text)

    def _redact(self, error: BaseException) -> str:
        return redact(str(error), self.url.password)

    def _cause(self, error: BaseException) -> BaseException | None:
        """Returns the error as a cause, unless its text contains the password."""
        return error if self._redact(error) == str(error) else None


def _opened(url: str, lock_timeout_s: float, read_only: bool) -> Database:
    return Database(url, lock_timeout_s, read_only=read_only)


_LIVE: weakref.WeakSet[Database] = weakref.WeakSet()


@functools.cache
def _hook_forks() -> None:
    """Closes connections before every fork, because an SQLite connection must not be used in both processes."""
    if not hasattr(os, "register_at_fork"):
        return

    def before() -> None:
        for database in list(_LIVE):
            database._engine.dispose()

    def after_in_child() -> None:
        # A connection in use by another thread belongs to the parent: drop it without closing it.
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


_NO_MEMORY = "a checkpoint store in memory is lost with its connection; give the path of a file"


def _configure_sqlite(connection: sqlite3.Connection, *, writes: bool) -> None:
    """Allows readers next to one writer, makes writes crash-safe, and lets :func:`_begin_sqlite` begin transactions."""
    connection.isolation_level = None
    try:
        for pragma in (*(("journal_mode = WAL", "synchronous = NORMAL") if writes else ()), "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}").close()
    except sqlite3.Error:
        connection.close()  # the connection pool does not own it yet
        raise


def _begin_sqlite(connection: Connection) -> None:
    # A writer acquires the lock at once. If it read first and wrote later, it would fail after a write in between.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options()[_WRITES] else "BEGIN")


def _is_contention(error: SQLAlchemyError) -> bool:
    original = getattr(error, "orig", None)
    code = getattr(original, "sqlite_errorcode", None)
    if code is not None:
        return (code & 0xFF) in _SQLITE_CONTENTION  # the low byte is the primary code
    if (getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)) in _SQLSTATE_CONTENTION:
        return True
    return mysql_code(original) in MYSQL_CONTENTION
