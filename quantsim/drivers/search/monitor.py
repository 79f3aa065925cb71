"""Follows a study while it runs: counts, best so far, progress, and copies into the checkpoint store."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from quantsim.drivers.best import Best
from quantsim.drivers.search.records import Recorder
from quantsim.drivers.search.storage import Location, opened_storage
from quantsim.drivers.search.study import REASON, load_study, settled_trials

__all__ = ["Monitor", "SearchProgress", "polling"]

_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class SearchProgress:
    """What the driver tells whoever watches.

    Attributes:
        finished: trials that count, failed ones among them, earlier sessions' included.
        failed: those that failed.
        total: trials there will be.
        best_value: the best objective so far; None before any.
        best_trial: its trial number.
        seconds: since this session began.
    """

    finished: int
    failed: int
    total: int
    best_value: float | None
    best_trial: int | None
    seconds: float


class Monitor:
    """Takes in each settled trial once, in whatever order they come."""

    def __init__(self, recorder: Recorder, total: int, watch: Callable[[SearchProgress], None] | None) -> None:
        self._recorder, self._total, self._watch = recorder, total, watch
        self._seen: set[int] = set()
        self._failed = 0
        self._best = Best()
        self._begun = time.monotonic()
        self.last_reason: str | None = None

    @property
    def progress(self) -> SearchProgress:
        """As things stand."""
        known = math.isfinite(self._best.value)
        return SearchProgress(
            finished=len(self._seen),
            failed=self._failed,
            total=self._total,
            best_value=self._best.value if known else None,
            best_trial=self._best.step if known else None,
            seconds=time.monotonic() - self._begun,
        )

    def observe(self, trial: FrozenTrial) -> None:
        """Takes in one settled trial, writes it to the store, and tells of it."""
        if self._take(trial):
            self._recorder.flush()
            self._tell()

    def catch_up(self, study: Study) -> None:
        """Takes in all settled trials of the study, and writes those the store lacks in one transaction."""
        new = [trial for trial in settled_trials(study) if self._take(trial)]
        self._recorder.flush()
        if new:
            self._tell()

    def _take(self, trial: FrozenTrial) -> bool:
        if trial.number in self._seen:
            return False
        self._seen.add(trial.number)
        if trial.state is TrialState.COMPLETE and trial.value is not None:
            self._best = self._best.update(trial.value, trial.number)
        else:
            self._failed += 1
            self.last_reason = trial.user_attrs.get(REASON)
        self._recorder.add(trial)
        return True

    def _tell(self) -> None:
        if self._watch is not None:
            self._watch(self.progress)


@contextmanager
def polling(monitor: Monitor, location: Location, study_name: str) -> Iterator[None]:
    """Has a thread follow the study in its storage while the block runs.

    Whatever goes wrong in the thread is raised at the end of the block, unless the block itself failed.
    """
    stop = threading.Event()
    errors: list[BaseException] = []

    def follow() -> None:
        try:
            with opened_storage(location) as storage:
                study = load_study(storage, study_name)
                while not stop.wait(_POLL_SECONDS):
                    monitor.catch_up(study)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=follow, name="quantsim-search-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if errors:
        raise errors[0]
