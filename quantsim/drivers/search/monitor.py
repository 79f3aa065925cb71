"""Follows a study while it runs: counts, best so far, progress, and copies into the checkpoint store."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from quantsim.drivers.best import Best
from quantsim.drivers.search.records import Recorder
from quantsim.drivers.search.storage.opened import Location, opened_storage
from quantsim.drivers.search.study import REASON, load_study, lower_target, settled_trials
from quantsim.drivers.search.values import tie_of
from quantsim.drivers.search.workers.lost import LostTrials

__all__ = ["Monitor", "SearchProgress", "polling"]

POLL_SECONDS = 0.5


@dataclass(frozen=True)
class SearchProgress:
    """What the driver tells whoever watches.

    Attributes:
        finished: trials that count, failed ones among them, earlier sessions' included.
        failed: those that failed.
        pruned: those that were given up before their end.
        total: trials there will be.
        best_value: the best objective so far, of several the first; None before any.
        best_trial: its trial number.
        seconds: since this session began.
    """

    finished: int
    failed: int
    pruned: int
    total: int
    best_value: float | None
    best_trial: int | None
    seconds: float


class Monitor:
    """Takes in each settled trial once, in whatever order they come."""

    def __init__(
        self,
        recorder: Recorder | None,
        total: int,
        watch: Callable[[SearchProgress], None] | None,
        patience: int | None = None,
        min_gain: float = 0.0,
        max_minutes: float | None = None,
    ) -> None:
        """Without ``recorder``, nothing is copied; ``patience``, ``min_gain`` and ``max_minutes`` are the search's."""
        self._recorder, self._total, self._watch = recorder, total, watch
        self._patience, self._min_gain = patience, min_gain
        self._seconds = math.inf if max_minutes is None else 60.0 * max_minutes
        self._seen: set[int] = set()
        self._failed = self._pruned = 0
        self._to_beat: float | None = None
        self._stale = 0
        self._best = Best()
        self._begun = time.monotonic()
        self.last_reason: str | None = None

    @property
    def progress(self) -> SearchProgress:
        """As things stand."""
        known = self._best.is_known
        return SearchProgress(
            finished=len(self._seen),
            failed=self._failed,
            pruned=self._pruned,
            total=self._total,
            best_value=self._best.value if known else None,
            best_trial=self._best.step if known else None,
            seconds=time.monotonic() - self._begun,
        )

    @property
    def has_stalled(self) -> bool:
        """Whether the last ``patience`` trials have not raised the best by more than ``min_gain``."""
        return self._patience is not None and self._stale >= self._patience

    @property
    def is_out_of_time(self) -> bool:
        """Whether the session has lasted ``max_minutes``; it runs one trial in any case, if the study has none."""
        return bool(self._seen) and time.monotonic() - self._begun >= self._seconds

    @property
    def is_over(self) -> bool:
        """Whether patience or time has run out."""
        return self.has_stalled or self.is_out_of_time

    @property
    def target(self) -> int:
        """How many trials there will be: those there are, once patience or time has run out."""
        return len(self._seen) if self.is_over else self._total

    def observe(self, trials: Iterable[FrozenTrial]) -> None:
        """Takes in settled trials, writes them to the store in one transaction, and tells of them."""
        new = [trial for trial in trials if self._take(trial)]
        self._flush()
        if new:
            self._tell()

    def catch_up(self, study: Study) -> None:
        """Takes in all settled trials of the study, and writes those the store lacks in one transaction."""
        self.observe(settled_trials(study))

    def stop_others(self, study: Study) -> None:
        """Has workers elsewhere stop, too, once patience or time has run out."""
        if self.is_over:
            lower_target(study, self.target)

    def _take(self, trial: FrozenTrial) -> bool:
        if trial.number in self._seen:
            return False
        self._seen.add(trial.number)
        self._stale += 1
        if trial.state is TrialState.COMPLETE:
            value = trial.values[0]
            self._best = self._best.update(value, trial.number, tie_of(trial))
            if self._to_beat is None or value > self._to_beat + self._min_gain:
                self._to_beat, self._stale = value, 0
        elif trial.state is TrialState.PRUNED:
            self._pruned += 1
        else:
            self._failed += 1
            self.last_reason = trial.user_attrs.get(REASON)
        if self._recorder is not None:
            self._recorder.add(trial)
        return True

    def _flush(self) -> None:
        if self._recorder is not None:
            self._recorder.flush()

    def _tell(self) -> None:
        if self._watch is not None:
            self._watch(self.progress)


@contextmanager
def polling(
    monitor: Monitor, location: Location, study_name: str, names: frozenset[str], timeout_minutes: float | None
) -> Iterator[None]:
    """Has a thread follow the study in its storage while the block runs, and give trials of lost workers to others.

    Whatever goes wrong in the thread is raised at the end of the block, unless the block itself failed.
    """
    stop = threading.Event()
    errors: list[BaseException] = []

    def follow() -> None:
        try:
            with opened_storage(location) as storage:
                study = load_study(storage, study_name)
                lost = LostTrials(storage, study, names, timeout_minutes)
                while not stop.wait(POLL_SECONDS):
                    lost.look()
                    monitor.catch_up(study)
                    monitor.stop_others(study)
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
