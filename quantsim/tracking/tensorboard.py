"""TensorBoard: one folder of event files per run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from quantsim.checkpoints import Run
from quantsim.tracking.entries import Entry
from quantsim.tracking.tracker import Tracker

__all__ = ["TensorBoard"]


class TensorBoard(Tracker):
    """Writes event files to ``FOLDER/NAME-DRIVER-RUN``, with tensorboardX. Those of an earlier session are written again."""

    def __init__(self, folder: Path) -> None:
        """Writes nothing yet."""
        self._folder = folder
        self._writers: dict[str, Any] = {}
        self._sessions: dict[str, int] = {}  # of this process

    def begin(self, run: Run) -> set[int]:
        """See :class:`Tracker`."""
        from tensorboardX import SummaryWriter

        name = re.sub(r"[^\w.-]+", "_", run.name)
        folder = self._folder / f"{name}-{run.driver}-{run.key}"
        session = self._sessions[run.run_id] = self._sessions.get(run.run_id, 0) + 1
        if session == 1:
            for old in folder.glob("events.out.tfevents.*"):
                old.unlink()
        # With purge_step, a running TensorBoard forgets what it has read of the removed files.
        purge_step = 0 if session == 1 else None
        self._writers[run.run_id] = SummaryWriter(str(folder), purge_step=purge_step, filename_suffix=f".{session}")
        return set()

    def write(self, run: Run, entry: Entry) -> None:
        """See :class:`Tracker`."""
        writer, time = self._writers[run.run_id], entry.time.timestamp()
        for name, step, value in entry.points:
            writer.add_scalar(name, value, step, time)

    def end(self, run: Run, status: str) -> None:
        """See :class:`Tracker`."""
        self._writers.pop(run.run_id).close()
