"""Keeps trackers equal to the store while a driver runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quantsim.checkpoints import Checkpoint, Run
from quantsim.checkpoints.database.interrupts import interrupts_delayed
from quantsim.checkpoints.redact import redact
from quantsim.tracking.entries import Entry, entries_of
from quantsim.tracking.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from quantsim.checkpoints import CheckpointStore

__all__ = ["Tracking"]

logger = logging.getLogger(__name__)


@dataclass
class Tracking:
    """The trackers of a call. Without trackers it does nothing.

    What an interrupted run has stored, and a tracker lacks, is transferred when the run begins again. An error of a tracker is
    logged, and ends its transfer; the run goes on.

    Attributes:
        trackers: the trackers that still work.
    """

    trackers: list[Tracker] = field(default_factory=list)
    _run: Run | None = None
    _known: dict[tuple[int, str], set[int]] = field(default_factory=dict)

    def begin(self, store: CheckpointStore, run_id: str) -> None:
        """Begins or resumes a run in every tracker, and transfers the entries that it lacks."""
        if not self.trackers:
            return
        run = self._run = store.run(run_id)
        rows = store.checkpoints(run_id=run_id)
        entries = entries_of(rows, {report.step: report.content for report in store.reports(run_id)})

        def work(tracker: Tracker) -> None:
            known = self._known.setdefault((id(tracker), run.run_id), set())
            known |= tracker.begin(run)
            self._send(tracker, run, entries)

        self._each(work)

    def write(self, checkpoints: Sequence[Checkpoint], step: int, log: Mapping[str, Any]) -> None:
        """Transfers what the store has just received."""
        run = self._run
        if self.trackers and run is not None:
            entries = entries_of(checkpoints, {step: log})
            self._each(lambda tracker: self._send(tracker, run, entries))

    def end(self, status: str) -> None:
        """Ends the run in every tracker."""
        run, self._run = self._run, None
        if run is not None:
            self._each(lambda tracker: tracker.end(run, status))

    def _send(self, tracker: Tracker, run: Run, entries: Iterable[Entry]) -> None:
        known = self._known[id(tracker), run.run_id]
        for entry in entries:
            if entry.step not in known:
                tracker.write(run, entry)
                known.add(entry.step)

    def _each(self, work: Callable[[Tracker], None]) -> None:
        for tracker in list(self.trackers):
            try:
                # An interrupt inside a tracker's library may leave its locks held, so that ending the run would never return.
                with interrupts_delayed():
                    work(tracker)
            except Exception as error:
                self.trackers.remove(tracker)
                logger.warning(
                    "%s receives no more results (%s: %s); they are in the store, and resuming the run transfers them",
                    type(tracker).__name__,
                    type(error).__name__,
                    redact(str(error)),
                )
