"""The tables of a store in its database: opened and brought up to date, read and written in transactions."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any, TypeVar

from quantsim.checkpoints.database.engine import Database
from quantsim.checkpoints.database.location import file_of, read_location
from quantsim.checkpoints.database.schema import create_schema, ensure_schema
from quantsim.errors import CheckpointError

__all__ = ["Tables", "check_exists"]

T = TypeVar("T")


def check_exists(location: str | os.PathLike[str]) -> None:
    """Raises CheckpointError if the file of a store does not exist, or is empty."""
    with contextlib.suppress(ValueError):  # opening the store reports it
        path = file_of(read_location(location))
        if path is not None and not (os.path.isfile(path) and os.path.getsize(path)):
            state = "is empty" if os.path.isfile(path) else "does not exist"
            raise CheckpointError(
                f"there are no results yet: checkpoint store {os.fspath(location)} {state}; run `quantsim sgd` or "
                "`quantsim optuna` first, or name another store (--store)"
            )


class Tables:
    """The tables of a store. Queries and writes are functions of a connection, as in the modules of this package.

    Attributes:
        database: the database.
    """

    def __init__(
        self, location: str | os.PathLike[str], lock_timeout_s: float, *, migrate: bool, read_only: bool
    ) -> None:
        """Opens the tables, and creates them in an empty database; arguments as for ``CheckpointStore(location)``.

        Raises:
            CheckpointError: the database cannot be opened, or its tables are of another version of quantsim.
        """
        self.database = Database(location, lock_timeout_s, read_only=read_only)
        try:
            self._are_current = ensure_schema(self.database, migrate=migrate and not read_only)
        except CheckpointError as error:
            self.database.close()
            if self.location in str(error):
                raise
            raise CheckpointError(f"cannot open checkpoint store {self.location}: {error}") from error

    @property
    def location(self) -> str:
        """The URL of the database, without its password."""
        return self.database.shown

    def read(self, query: Callable[..., T], *arguments: Any) -> T:
        """Returns ``query(connection, *arguments)`` in one read-only transaction."""
        return self.database.read(query, *arguments)

    def write(self, work: Callable[..., T], *arguments: Any) -> T:
        """Returns ``work(connection, *arguments)`` in one transaction, in a store with the tables of this version."""
        if not self._are_current:
            self.database.write(create_schema)
            self._are_current = True
        return self.database.write(work, *arguments)
