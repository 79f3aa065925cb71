"""The interface of a tracker."""

from __future__ import annotations

from abc import ABC, abstractmethod

from quantsim.checkpoints import Run
from quantsim.tracking.entries import Entry

__all__ = ["Tracker"]


class Tracker(ABC):
    """Receives the entries of runs, each once. It may raise any exception, which ends the transfer but not the run."""

    @abstractmethod
    def begin(self, run: Run) -> set[int]:
        """Begins or resumes a run, and returns the steps of the entries that the tracker has already."""

    @abstractmethod
    def write(self, run: Run, entry: Entry) -> None:
        """Writes an entry."""

    @abstractmethod
    def end(self, run: Run, status: str) -> None:
        """Ends a run with a status of the store: "finished", "interrupted" or "failed"."""
