"""The journal file in Optuna's format, written so that it survives a killed process and a trial costs little.

Optuna reads it, so any Optuna program does, and other programs may write to it meanwhile. Optuna 5.0's own writer differs:

* It syncs each record to the disk. Here the record that ends a trial is synced, and with it all records before it.
* After a write that was cut off, by a kill or a full disk, it appends to the half line, and the file cannot be read any more.
  Here the half line is removed first.
* Its lock file stays when the process is killed, and others wait 30 s for it, or for ever without a pause if it is a link whose
  target has moved. It also stays, or hides the interrupt, if Ctrl-C comes at the wrong moment. Here the lock file is the same,
  so that both honour each other's. It is held for one write and no sync, Ctrl-C waits for that, and a lock that stays the same
  for 10 s is removed.
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
    """A journal in one file; see the module."""

    def __init__(self, path: Path) -> None:
        """Creates the file if it is not there, and removes half a line at its end. The file must be a journal."""
        path.touch()
        self._path, self._reader = path, JournalFileBackend(str(path))
        self._append(b"", sync=False)

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """Returns the records from that number on.

        Raises:
            DriverError: the file cannot be read.
        """
        with self._explained("read"):
            yield from self._reader.read_logs(log_number_from)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Writes records, all or none of them.

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
                f"the study storage {self._path} cannot be {done}: {reason_of(error)}; run the search again when the "
                "cause is gone"
            ) from error


def _open_to_append(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_APPEND)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds Optuna's lock file while the block runs, which no interrupt cuts short. A lock that does not change is removed."""
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
            logger.warning("the lock %s was left behind by a process that has ended; it is removed", lock)
            lock.unlink(missing_ok=True)
            continue
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
