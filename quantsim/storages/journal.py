"""Journal files in Optuna's format, with a writer that survives killed processes and syncs once per trial.

Any Optuna program can read the file, and may write to it at the same time. The writer differs from that of Optuna 5.0:

* Optuna syncs every record to the disk. This writer syncs when a trial ends, which also syncs all earlier records.
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
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from optuna.storages.journal import BaseJournalBackend, JournalFileBackend

from quantsim.checkpoints.database.interrupts import interrupts_delayed
from quantsim.errors import DriverError, reason_of
from quantsim.optuna_private import is_within_trial

__all__ = ["JournalFile"]

logger = logging.getLogger(__name__)

_STALE_LOCK_SECONDS = 10.0
_LONGEST_PAUSE_S = 0.2


class JournalFile(BaseJournalBackend):
    """A journal in one file; the module's docstring compares it with Optuna's."""

    def __init__(self, path: Path) -> None:
        """Creates the file if it does not exist, and removes an incomplete line at its end. The file must be a journal."""
        path.touch()
        self._path, self._reader = path, JournalFileBackend(str(path))
        self._append(b"", sync=False)

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
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with self._explained("written"):
            self._append(text.encode(), sync=not all(map(is_within_trial, logs)))

    def _append(self, text: bytes, *, sync: bool) -> None:
        with open(self._path, "r+b", opener=_open_to_append) as file:
            with _locked(self._path):
                if file.seek(0, os.SEEK_END):
                    file.seek(-1, os.SEEK_END)
                    if file.read(1) != b"\n":
                        file.seek(0)
                        file.truncate(file.read().rfind(b"\n") + 1)
                file.write(text)
                file.flush()
            if sync:
                os.fsync(file.fileno())

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
