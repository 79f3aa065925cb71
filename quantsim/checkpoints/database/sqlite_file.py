"""The file of an SQLite store: whether it can be written, how it is read where it cannot, and whether it is still there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from quantsim.errors import CheckpointError

__all__ = ["SqliteFile"]


class SqliteFile:
    """The file that a database writes to, or reads only.

    SQLite keeps writing to a file that was removed while it was open, and says nothing. So its number on the disk (inode) is
    remembered, and compared.
    """

    def __init__(self, path: Path) -> None:
        """Touches nothing."""
        self._path = path.absolute()  # it stays the same, whatever the working directory is later
        self._inode: int | None = None

    def make_folder(self) -> None:
        """Makes the folders above; OSError where they cannot be made."""
        self._path.parent.mkdir(parents=True, exist_ok=True)

    @property
    def is_read_only(self) -> bool:
        """Whether it is there and cannot be written, or the files that SQLite needs beside it cannot be made."""
        if not self._path.is_file():
            return False
        return not (_is_writable(self._path) and (_is_writable(self._path.parent) or self._beside("-wal").is_file()))

    def connecting(self, _dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> None:
        """Says how a connection is to be made, as the event of SQLAlchemy: one that only reads, where none can write.

        Without writing, SQLite opens a file in WAL mode only as one that nobody changes, or where the files beside it are those
        of a program that has it open.

        Raises:
            CheckpointError: the newest rows are in the file beside it, and cannot be read from there.
        """
        if not self.is_read_only:
            arguments[:] = [str(self._path)]
            return
        log, index = self._beside("-wal"), self._beside("-shm")
        has_log = log.is_file() and log.stat().st_size > 0
        if has_log and not index.is_file():
            raise CheckpointError(
                f"checkpoint store {self._path} is read-only, and its newest rows are in {log.name} beside it: copy both to a "
                "folder that can be written, and open the copy"
            )
        arguments[:] = [f"file:{quote(str(self._path))}?{'mode=ro' if has_log else 'immutable=1'}"]
        options["uri"] = True

    def _beside(self, suffix: str) -> Path:
        return self._path.with_name(self._path.name + suffix)

    def remember(self) -> None:
        """Remembers which file was opened, the first time."""
        if self._inode is None:
            self._inode = self._path.stat().st_ino

    @property
    def is_gone(self) -> bool:
        """Whether the file that was opened was removed, or another one is in its place."""
        if self._inode is None:
            return False
        try:
            return self._path.stat().st_ino != self._inode
        except OSError:
            return True


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
