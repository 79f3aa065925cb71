"""The journal file: Optuna's own format, written so that a killed process costs nothing and a trial costs little.

Reading is Optuna's :class:`~optuna.storages.journal.JournalFileBackend`, so any Optuna program, the dashboard included,
reads and writes the same file. Writing differs in three ways:

* the file is forced to the disk when a trial or a study changes state, not at each of the dozen writes of a trial. A
  finished trial lies before that point in the file, so it is as durable as before;
* a last line without its end, left by a writer that was killed or found the disk full, is cut off before the next one
  is written (Optuna would append to it, and the file would never be readable again);
* the lock is the kernel's, gone with the process that held it. Optuna's lock file is taken as well, under it, for the sake
  of other programs; one left by a killed process then holds up the next writer for 3 seconds instead of 30, wherever it
  points.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from optuna.storages.journal import BaseJournalBackend, JournalFileBackend, JournalFileOpenLock, JournalFileSymlinkLock

from quantsim.errors import DriverError, reason_of

__all__ = ["JournalFile"]

logger = logging.getLogger(__name__)

# Records that only fill in a trial: its parameters and attributes (numbers of optuna's JournalOperation, part of the
# file format). They reach the disk with the record that finishes the trial.
_FILLS_IN_TRIAL = frozenset({5, 7, 8, 9})

_HEAD = b'{"op_code":'
"""How every record begins; a file that does not is somebody else's, and nothing is cut off there."""

_STALE_LOCK_SECONDS = 3  # the least that Optuna takes without a warning
_OPTUNA_STALE_LOCK_SECONDS = 30  # Optuna's own, where there is no kernel lock to keep live writers apart


class JournalFile(BaseJournalBackend):
    """A journal in one file; see the module."""

    def __init__(self, path: Path) -> None:
        """Opens the file, creates it if it is not there, and repairs its end.

        Raises:
            ValueError: the file is not a journal; it is left as it is.
        """
        self._path = path
        self._lock = _Lock(path)
        self._reader = JournalFileBackend(str(path), lock_obj=self._lock.others)
        try:
            with self._lock:
                self._cut_torn_line()
        except BaseException:
            self._lock.close()
            raise

    def close(self) -> None:
        """Lets go of the file; a journal that is closed cannot be written."""
        self._lock.close()

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """Returns the records from that number on.

        Raises:
            DriverError: the file cannot be read.
        """
        with self._told("read"):
            yield from self._reader.read_logs(log_number_from)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Writes records, all or none of them.

        Raises:
            DriverError: the file cannot be written.
        """
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with self._told("written"), self._lock:
            self._cut_torn_line()
            with open(self._path, "ab") as file:
                file.write(text.encode())
                file.flush()
                if any(log["op_code"] not in _FILLS_IN_TRIAL for log in logs):
                    os.fsync(file.fileno())

    @contextlib.contextmanager
    def _told(self, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DriverError(
                f"the study storage {self._path} cannot be {done}: {reason_of(error)}; run the search again when the "
                "cause is gone"
            ) from error

    def _cut_torn_line(self) -> None:
        """Cuts off what follows the last line end; call it only with the lock held, when nobody is writing."""
        with open(self._path, "r+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size == 0 or _byte_at(file, size - 1) == b"\n":
                return
            file.seek(0)
            if not _HEAD.startswith(file.read(len(_HEAD))):
                raise ValueError(f"it does not begin with {_HEAD.decode()}, as journals do")
            end, block = size, 4096
            while end > 0:
                start = max(0, end - block)
                file.seek(start)
                found = file.read(end - start).rfind(b"\n")
                if found >= 0:
                    file.truncate(start + found + 1)
                    return
                end = start
            file.truncate(0)


def _byte_at(file: BinaryIO, position: int) -> bytes:
    file.seek(position)
    return file.read(1)


class _LinkLock(JournalFileSymlinkLock):
    """Optuna's lock, a symbolic link, with another way to see that it is stale.

    Optuna looks at the file that the link points to. That of a relative path points nowhere, since it counts from the link's
    own folder, and so does one whose folder has moved; Optuna then tries again for ever, without a pause. So the link itself
    is looked at, and ours point to the whole path.
    """

    def __init__(self, path: Path, grace_s: int) -> None:
        super().__init__(str(path.absolute()), grace_s)
        self._link, self._target, self._grace_s = f"{path.absolute()}.lock", str(path.absolute()), grace_s

    def acquire(self) -> bool:
        """Makes the link; takes away one that has stayed the same for as long as the grace lasts."""
        seen, since, pause_s = None, time.monotonic(), 0.001
        while True:
            try:
                os.symlink(self._target, self._link)
                return True
            except FileExistsError:
                pass
            try:
                status = os.lstat(self._link)
            except FileNotFoundError:
                continue  # it was let go of
            if seen != (found := (status.st_ino, status.st_mtime_ns)):
                seen, since = found, time.monotonic()
            elif time.monotonic() - since > self._grace_s:
                logger.warning("the lock %s was left behind by a process that has ended; it is taken away", self._link)
                with contextlib.suppress(RuntimeError):  # somebody else took it away
                    self.release()
                continue
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, 0.2)

    def release(self) -> None:
        """Takes the link away."""
        try:
            super().release()
        except FileNotFoundError as error:
            # Ctrl-C came behind Optuna's last step, and its clean-up finds nothing to take away (optuna 5.0).
            raise error.__context__ or error from None


class _Lock:
    """The kernel's lock on the journal file itself, and under it the lock that other Optuna programs look at."""

    def __init__(self, path: Path) -> None:
        if path.exists() and not path.is_file():
            raise ValueError("it is no file")  # to read from a pipe might never end
        path.touch()
        self._file = open(path, "r+b") if _kernel_locks(path) else None  # noqa: SIM115 - open while this object is
        self.others: _LinkLock | JournalFileOpenLock
        if os.name == "nt":  # symbolic links need a privilege there
            self.others = JournalFileOpenLock(str(path), _OPTUNA_STALE_LOCK_SECONDS)
        else:
            grace = _OPTUNA_STALE_LOCK_SECONDS if self._file is None else _STALE_LOCK_SECONDS
            self.others = _LinkLock(path, grace)

    def __enter__(self) -> None:
        if self._file is not None:
            _flock(self._file, "LOCK_EX")
        try:
            self.others.acquire()
        except BaseException:
            self._release_kernel_lock()
            raise

    def __exit__(self, *_: object) -> None:
        try:
            self.others.release()
        finally:
            self._release_kernel_lock()

    def _release_kernel_lock(self) -> None:
        if self._file is not None:
            _flock(self._file, "LOCK_UN")

    def close(self) -> None:
        """Lets go of the file; the lock must not be held."""
        if self._file is not None:
            self._file.close()


def _kernel_locks(path: Path) -> bool:
    """Whether the system and the file system have locks that end with the process that holds them."""
    if importlib.util.find_spec("fcntl") is None:  # not a POSIX system
        return False
    with open(path, "r+b") as file:
        try:
            _flock(file, "LOCK_EX")
        except OSError:  # some network file systems have none
            return False
    return True


def _flock(file: BinaryIO, operation: str) -> None:
    import fcntl

    fcntl.flock(file, getattr(fcntl, operation))
