"""Journal files in Optuna's format, with a writer that survives killed processes and writes a trial in two pieces.

Any Optuna program can read the file, and may write to it at the same time. The writer differs from that of Optuna 5.0:

* Optuna locks, writes and syncs every record. This writer can write several records together, so that a trial that ends is
  written as a whole or not at all. It syncs when a trial ends, which also syncs all earlier records, but at most once a second.
  The sync takes longer than the rest of a trial, and a killed process loses nothing without it.
* If a write was cut off by a kill or a full disk, Optuna appends to the incomplete line, and the file becomes unreadable. This
  writer removes the incomplete line first.
* If a process is killed, Optuna's lock file remains. Other processes then wait 30 s, or for ever if the lock is a symbolic link
  whose target has moved. Ctrl-C at the wrong moment also leaves the lock, or is lost. This writer uses the same lock
  file, so both writers exclude each other. It holds the lock for one write without a sync, delays Ctrl-C until then, and
  removes a lock that has not changed for 10 s.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend

from quantsim.checkpoints.database.interrupts import interrupts_delayed
from quantsim.errors import DriverError, reason_of
from quantsim.optuna_private import is_within_trial
from quantsim.storages.collector import Collector

__all__ = ["Journal", "JournalFile"]

logger = logging.getLogger(__name__)

_STALE_LOCK_SECONDS = 10.0
_LONGEST_PAUSE_S = 0.2
_SECONDS_BETWEEN_SYNCS = 1.0


class Journal(JournalStorage):
    """Optuna's storage on a :class:`JournalFile`, which can write several records together."""

    def __init__(self, path: Path) -> None:
        """Reads the file, and creates it if it does not exist."""
        self._file = JournalFile(path)
        super().__init__(self._file)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Writes the records of the block at its end, or none of them if it raises. Until then, readers do not see them."""
        with self._file.together():
            yield

    def close(self) -> None:
        """Waits until everything that was written is on the disk."""
        self._file.sync()


class JournalFile(BaseJournalBackend):
    """A journal in one file; the module's docstring compares it with Optuna's."""

    def __init__(self, path: Path) -> None:
        """Creates the file if it does not exist, and removes an incomplete line at its end. The file must be a journal."""
        path.touch()
        self._path, self._reader = path, JournalFileBackend(str(path))
        self._collector: Collector[dict[str, Any]] = Collector()
        self._synced_at, self._is_synced = -math.inf, True
        self._append(b"")

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """Returns the records from a number on.

        Raises:
            DriverError: the file cannot be read.
        """
        with self._explained("read"):
            yield from self._reader.read_logs(log_number_from)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Writes all of the records, or none.

        Raises:
            DriverError: the file cannot be written.
        """
        if self._collector.items is not None:
            self._collector.items += logs
            return
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with self._explained("written"):
            self._append(text.encode())
        if not all(map(is_within_trial, logs)):
            self._is_synced = False
            if time.monotonic() >= self._synced_at + _SECONDS_BETWEEN_SYNCS:
                self.sync()

    def together(self) -> AbstractContextManager[None]:
        """Collects the records of the block, and writes all of them at its end; none if it raises."""
        return self._collector.block(self.append_logs)

    def sync(self) -> None:
        """Waits until everything that was written is on the disk.

        Raises:
            DriverError: the file cannot be written.
        """
        if self._is_synced or not self._path.exists():
            return
        with self._explained("written"), open(self._path, "r+b") as file:
            os.fsync(file.fileno())
        self._synced_at, self._is_synced = time.monotonic(), True

    def _append(self, text: bytes) -> None:
        with open(self._path, "r+b", opener=_open_to_append) as file, _locked(self._path):
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.seek(0)
                    file.truncate(file.read().rfind(b"\n") + 1)
            file.write(text)
            file.flush()

    @contextlib.contextmanager
    def _explained(self, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DriverError(
                f"the study storage {self._path} cannot be {done}: {reason_of(error)}; remove the cause, and run the search "
                "again"
            ) from error


def _open_to_append(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_APPEND)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds Optuna's lock file while the block runs, and delays interrupts until its end. Removes a lock that is stale."""
    lock = Path(f"{path.absolute()}.lock")
    seen, since, pause_s = None, time.monotonic(), 0.001
    while True:
        with interrupts_delayed():
            try:
                os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            except FileExistsError:
                pass
            else:
                try:
                    yield
                finally:
                    lock.unlink(missing_ok=True)  # missing if others thought this process dead while it was stopped
                return
        try:
            status = os.lstat(lock)
        except FileNotFoundError:
            continue  # released
        if seen != (found := (status.st_ino, status.st_mtime_ns)):
            seen, since = found, time.monotonic()
        elif time.monotonic() - since > _STALE_LOCK_SECONDS:
            logger.warning("removed the lock %s, which an ended process has left", lock)
            lock.unlink(missing_ok=True)
            continue
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
