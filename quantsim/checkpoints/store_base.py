"""Opens the database of a checkpoint store, and runs transactions on it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from quantsim.checkpoints.checkpoint import Run
from quantsim.checkpoints.database import runs as run_table
from quantsim.checkpoints.database.engine import Database
from quantsim.checkpoints.database.location import file_of, read_location
from quantsim.checkpoints.database.schema import create_schema, ensure_schema
from quantsim.errors import CheckpointError

__all__ = ["StoreBase"]

T = TypeVar("T")

_RUN_ID = re.compile(r"[0-9a-f]{1,32}")


class StoreBase:
    """The database of a store: opened once, used by transactions."""

    def __init__(
        self,
        location: str | os.PathLike[str],
        *,
        lock_timeout_s: float = 60.0,
        migrate: bool = True,
        read_only: bool = False,
    ) -> None:
        """Opens the store. Creates it, and the folders above an SQLite file, if it does not exist.

        Args:
            location: path of an SQLite file, or a database URL such as ``postgresql://user@host/name``.
            lock_timeout_s: longest time that a transaction waits for other writers, in seconds.
            migrate: whether a store of an older version gets its missing tables now, instead of before the first write.
            read_only: whether the store is never written, not even its files beside an SQLite file.

        Raises:
            CheckpointError: the store cannot be opened, or was made by another version of quantsim.
        """
        self._database = Database(location, lock_timeout_s, read_only=read_only)
        try:
            self._is_current = ensure_schema(self._database, migrate=migrate and not read_only)
        except CheckpointError as error:
            self._database.close()
            if self.location in str(error):
                raise
            raise CheckpointError(f"cannot open checkpoint store {self.location}: {error}") from error

    @classmethod
    def open(cls, location: str | os.PathLike[str], **options: Any) -> Self:
        """Opens an existing store, without creating one.

        Args:
            location: as for ``CheckpointStore(location)``.
            **options: likewise.

        Raises:
            CheckpointError: the store does not exist, or as for ``CheckpointStore(location)``.
        """
        with contextlib.suppress(ValueError):  # opening the store reports it
            path = file_of(read_location(location))
            if path is not None and not (os.path.isfile(path) and os.path.getsize(path)):
                state = "is empty" if os.path.isfile(path) else "does not exist"
                raise CheckpointError(
                    f"there are no results yet: checkpoint store {os.fspath(location)} {state}; run `quantsim sgd` or "
                    "`quantsim optuna` first, or name another store (--store)"
                )
        return cls(location, **options)

    @property
    def location(self) -> str:
        """The URL of the database, without its password."""
        return self._database.shown

    @property
    def url(self) -> str:
        """The URL of the database with its password, to open it elsewhere. Show :attr:`location` instead."""
        return self._database.url.render_as_string(hide_password=False)

    def run(self, run_id: str) -> Run:
        """Returns the run with this id, or the only run whose id starts with it.

        Raises:
            CheckpointError: no run matches, or several do.
        """
        prefix = run_id.strip().lower()
        if not _RUN_ID.fullmatch(prefix):
            raise CheckpointError(
                f"{run_id!r} is not a run id: run ids are 32 hexadecimal digits, or the first of them"
            )
        found = self._database.read(run_table.with_prefix, prefix, 6)
        if not found:
            raise CheckpointError(f"no run in {self.location} has an id that starts with {prefix!r}")
        if len(found) > 1:
            ids = ", ".join(row.run_id for row in found[:5]) + (", ..." if len(found) > 5 else "")
            raise CheckpointError(f"several runs have ids that start with {prefix!r}: {ids}; give more of the id")
        return found[0]

    def close(self) -> None:
        """Closes the connections of this process. The store opens new ones if it is used again."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.location!r})"

    def _read(self, query: Callable[..., T], *arguments: Any) -> T:
        """Returns ``query(connection, *arguments)`` in one read-only transaction."""
        return self._database.read(query, *arguments)

    def _write(self, work: Callable[..., T], *arguments: Any) -> T:
        """Returns ``work(connection, *arguments)`` in one transaction, in a store with the tables of this version."""
        if not self._is_current:
            self._database.write(create_schema)
            self._is_current = True
        return self._database.write(work, *arguments)
