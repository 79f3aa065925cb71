"""Counts of a study's trials, and the best so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from optuna.trial import FrozenTrial, TrialState

from quantsim.drivers.best import Best
from quantsim.drivers.search.study import REASON
from quantsim.drivers.search.values import tie_of

__all__ = ["SearchProgress", "Tally"]


@dataclass(frozen=True)
class SearchProgress:
    """The progress of a search, for the callback.

    Attributes:
        finished: number of finished trials, including failed ones and those of earlier sessions.
        failed: number of failed trials.
        pruned: number of pruned trials.
        total: number of trials of the study in the end.
        best_value: best objective so far; for several, the first one; None before the first trial.
        best_trial: number of that trial.
        seconds: duration of this session so far.
    """

    finished: int
    failed: int
    pruned: int
    total: int
    best_value: float | None
    best_trial: int | None
    seconds: float


@dataclass(frozen=True)
class Tally:
    """Counts of the finished trials of a study.

    Attributes:
        finished: number of finished trials.
        failed: number of failed trials.
        pruned: number of pruned trials.
        best: the best completed trial.
        to_beat: the value that ``search.patience`` compares with; None before the first trial.
        stale: number of trials since a value exceeded it by more than ``search.min_gain``.
        failures_in_row: number of trials of this session that failed since the last one that did not.
        last_failure: number and reason of the last failed trial; empty if there is none.
    """

    finished: int = 0
    failed: int = 0
    pruned: int = 0
    best: Best = Best()  # noqa: RUF009 - frozen
    to_beat: float | None = None
    stale: int = 0
    failures_in_row: int = 0
    last_failure: str = ""

    def add(self, trials: Iterable[FrozenTrial], min_gain: float) -> Tally:
        """Returns the tally with further trials, in order."""
        tally = self
        for trial in trials:
            tally = tally._add(trial, min_gain)
        return tally

    def _add(self, trial: FrozenTrial, min_gain: float) -> Tally:
        tally = replace(self, finished=self.finished + 1, stale=self.stale + 1)
        if trial.state is TrialState.FAIL:
            reason = f"trial {trial.number}: {trial.user_attrs.get(REASON)}"
            return replace(tally, failed=self.failed + 1, failures_in_row=self.failures_in_row + 1, last_failure=reason)
        tally = replace(tally, failures_in_row=0)
        if trial.state is TrialState.PRUNED:
            return replace(tally, pruned=self.pruned + 1)
        value = trial.values[0]
        tally = replace(tally, best=self.best.update(value, trial.number, tie_of(trial)))
        if self.to_beat is None or value > self.to_beat + min_gain:
            tally = replace(tally, to_beat=value, stale=0)
        return tally
