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


@dataclass(frozen=True)
class Tally:
    """What is known of the trials of a study that have come to an end.

    Attributes:
        finished: how many there are.
        failed: those that failed.
        pruned: those that were given up.
        best: the best of the others.
        to_beat: the value that ``search.patience`` goes by; None before any.
        stale: trials since it was last beaten by more than ``search.min_gain``.
        failures_in_row: trials of this session that failed since the last that did not.
        last_failure: number of the last one that failed, and why; empty before any.
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
        """Takes trials into account, in their order."""
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
