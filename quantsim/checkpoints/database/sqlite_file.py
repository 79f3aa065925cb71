"""The file of an SQLite store: whether it is writable, how to read it if it is not, and whether it was replaced."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from quantsim.errors import CheckpointError

__all__ = ["SqliteFile"]


class SqliteFile:
    """The file of an SQLite database, which may be read-only.

    SQLite silently keeps writing to an open file that was removed. So the inode of the file is remembered and compared.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Touches nothing.

        Args:
            path: the file.
            read_only: whether to treat it as read-only even if it is writable.
        """
        self._never_written = read_only
        self._path = path.absolute()  # independent of later changes of the working directory
        self._inode: int | None = None

    def make_folder(self) -> None:
        """Makes the folders above; raises OSError if that fails."""
        self._path.parent.mkdir(parents=True, exist_ok=True)

    @property
    def is_read_only(self) -> bool:
        """Whether the file exists but is not writable, or SQLite's additional files cannot be made next to it."""
        if not self._path.is_file():
            return False
        if self._never_written:
            return True
        return not (_is_writable(self._path) and (_is_writable(self._path.parent) or self._beside("-wal").is_file()))

    def connecting(self, _dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> None:
        """Event of SQLAlchemy before a connection is made: makes it read-only if the file is not writable.

        SQLite can only open a read-only file in WAL mode as immutable, or if another program has it open.

        Raises:
            CheckpointError: the newest rows are in the WAL file, and cannot be read from there.
        """
        if not self.is_read_only:
            arguments[:] = [str(self._path)]
            return
        log, index = self._beside("-wal"), self._beside("-shm")
        has_log = log.is_file() and log.stat().st_size > 0
        if has_log and not index.is_file() and not _is_writable(self._path.parent):
            raise CheckpointError(
                f"checkpoint store {self._path} is read-only, and its newest rows are in {log.name}: copy both files to a "
                "writable folder, and open the copy"
            )
        arguments[:] = [f"file:{quote(str(self._path))}?{'mode=ro' if has_log else 'immutable=1'}"]
        options["uri"] = True

    def _beside(self, suffix: str) -> Path:
        return self._path.with_name(self._path.name + suffix)

    def remember(self) -> None:
        """Remembers the inode of the file when it is first opened."""
        if self._inode is None:
            self._inode = self._path.stat().st_ino

    @property
    def is_gone(self) -> bool:
        """Whether the opened file was removed or replaced."""
        if self._inode is None:
            return False
        try:
            return self._path.stat().st_ino != self._inode
        except OSError:
            return True


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
