"""Trials whose worker is gone: found while others go on, made void, and put back into the queue."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from quantsim.drivers.marks import Presence
from quantsim.drivers.search.study import ABANDONED, METRICS, REASON, RETRY_OF
from quantsim.drivers.search.workers.claims import (
    claims_of,
    is_repeated,
    make_void,
    presence_of,
    trial_id_of,
    without_claims,
)

__all__ = ["LOST", "MAX_RETRIES", "LostTrials", "abandon", "abandon_session", "is_suspect", "killed_workers"]

logger = logging.getLogger(__name__)

LOST = "the process that ran it is gone"

MAX_RETRIES = 3
"""How often a set is tried again that was cut off: one that kills its worker each time fails in the end, and counts."""

_LOSSES = "lost_workers"
_RUNG = "completed_rung_"  # Optuna's, of successive halving: a trial that bears one is not judged there again
_OWN_ATTRIBUTES = frozenset({ABANDONED, METRICS, REASON, RETRY_OF})


def abandon(
    storage: BaseStorage,
    study: Study,
    trials: Iterable[FrozenTrial],
    names: frozenset[str],
    reason: str,
    *,
    lost: bool = False,
) -> int:
    """Makes running trials void, and puts their parameters at the end of the queue.

    Whoever is cut off here, or does it at the same time as another, does no harm: the queue may then hold a set twice, and
    the worker that gets the second sees that.

    A worker that has the study to itself runs trials in the order in which they were first drawn, and some samplers go by
    that order. Sets of the queue that would come later therefore go to its end, too, behind those that are put there.

    Args:
        storage: where the study is.
        study: the study.
        trials: running as far as is known.
        names: the trial parameters; a trial that lacks some was cut off while they were drawn, and is drawn anew.
        reason: why they failed.
        lost: whether their workers are gone without a word. Of a set to which that happens again and again, it is taken to
            be the cause.

    Returns:
        How many there were.
    """
    cut_off = list(trials)
    behind = _taken_from_queue(storage, study, cut_off)
    known, innocent = study.get_trials(deepcopy=False), {trial.number for trial in behind}
    for trial in sorted([*cut_off, *behind], key=lambda each: _first_try(each, known)):
        losses = trial.user_attrs.get(_LOSSES, 0) + (lost and trial.number not in innocent)
        if losses > MAX_RETRIES:
            _fail(storage, study, trial, f"{reason}, as {MAX_RETRIES} times before")
            continue
        known = study.get_trials(deepcopy=False)
        params = trial.params if names <= trial.params.keys() else trial.system_attrs.get("fixed_params", {})
        enqueued = any(other.user_attrs.get(RETRY_OF) == trial.number for other in known)
        if params and not enqueued and not is_repeated(trial, known):
            kept = {name: value for name, value in trial.user_attrs.items() if name not in _OWN_ATTRIBUTES}
            again = create_trial(
                state=TrialState.WAITING,
                system_attrs={**_drawn_with(trial), "fixed_params": params},
                user_attrs={**kept, RETRY_OF: trial.number, _LOSSES: losses},
            )
            study.add_trial(again)
        make_void(storage, study, trial.number, reason)
    return len(cut_off)


def _taken_from_queue(storage: BaseStorage, study: Study, cut_off: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Takes the sets out of the queue that were first drawn after one of these; none where workers are several.

    They are running then, and nobody's: should this process end now, the next that looks finds them lost.
    """
    known = study.get_trials(deepcopy=False)
    alone = all(mark.get("alone") for trial in known for mark in claims_of(trial).values())
    waiting = [trial for trial in known if trial.state is TrialState.WAITING]
    if not (alone and waiting and cut_off):
        return []
    first = min(_first_try(trial, known) for trial in cut_off)
    later = [trial for trial in waiting if _first_try(trial, known) > first]
    taken = []
    for trial in later:
        with contextlib.suppress(UpdateFinishedTrialError):
            if storage.set_trial_state_values(trial_id_of(storage, study, trial.number), TrialState.RUNNING):
                taken.append(trial)
    return taken


def _drawn_with(trial: FrozenTrial) -> dict[str, Any]:
    """What the sampler noted with a trial, such as its generation; neither claims, nor how far a pruner had let it."""
    return {key: value for key, value in without_claims(trial).items() if not key.startswith(_RUNG)}


def _first_try(trial: FrozenTrial, known: Sequence[FrozenTrial]) -> int:
    """Number of the trial that first had the parameters which this one tries again; else its own."""
    number = trial.number
    while 0 <= (before := known[number].user_attrs.get(RETRY_OF, -1)) < number:
        number = before
    return number


def killed_workers(trial: FrozenTrial) -> bool:
    """Whether a trial failed because its set killed its worker each time it was tried."""
    return trial.state is TrialState.FAIL and trial.user_attrs.get(_LOSSES, 0) >= MAX_RETRIES


def is_suspect(user_attrs: Mapping[str, Any]) -> bool:
    """Whether a trial repeats one whose worker was lost, perhaps because of it: it should be evaluated with no other."""
    return int(user_attrs.get(_LOSSES, 0)) > 0


def abandon_session(storage: BaseStorage, study: Study, session: str, names: frozenset[str], reason: str) -> int:
    """Abandons the running trials of a session that has ended, wherever its workers were."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    own = [trial for trial in running if any(mark.get("session") == session for mark in claims_of(trial).values())]
    return abandon(storage, study, own, names, reason)


class LostTrials:
    """Looks, from time to time, for running trials that nobody works on any more.

    Of a process on this machine it is known at once whether it is there. One elsewhere gives signs of life; it is taken for
    lost when none came for ``timeout_minutes`` by the clock of whoever looks, so clocks need not agree.
    """

    def __init__(
        self,
        storage: BaseStorage,
        study: Study,
        names: frozenset[str],
        timeout_minutes: float | None,
        every_s: float = 0.0,
    ) -> None:
        """Looks nowhere yet.

        Args:
            storage: where the study is.
            study: opened there.
            names: the trial parameters.
            timeout_minutes: how long a process elsewhere may give no sign of life; None for ever.
            every_s: how often :meth:`look` does anything; where that is more than 0, not at the first call either.
        """
        self._storage, self._study, self._names = storage, study, names
        self._timeout_s = None if timeout_minutes is None else 60.0 * timeout_minutes
        self._every_s = every_s
        self._signs: dict[tuple[int, str], tuple[Any, float]] = {}
        self._looked = time.monotonic()

    def look(self) -> int:
        """Abandons what is lost; returns how many trials that were."""
        now = time.monotonic()
        if now < self._looked + self._every_s:
            return 0
        self._looked = now
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        lost = [trial for trial in running if self._is_lost(trial, now)]
        numbers = {trial.number for trial in running}
        self._signs = {key: seen for key, seen in self._signs.items() if key[0] in numbers}
        if lost:
            shown = ", ".join(str(trial.number) for trial in lost)
            logger.info("study %s: trials cut off, to be run again: %s", self._study.study_name, shown)
        return abandon(self._storage, self._study, lost, self._names, LOST, lost=True)

    def _is_lost(self, trial: FrozenTrial, now: float) -> bool:
        """Whether nobody claims it, or nobody who does is there."""
        return all(self._is_gone(trial.number, token, mark, now) for token, mark in claims_of(trial).items())

    def _is_gone(self, number: int, token: str, mark: Mapping[str, Any], now: float) -> bool:
        found = presence_of(token, mark)
        if found is not Presence.ELSEWHERE or self._timeout_s is None:
            return found is Presence.GONE
        signs, since = self._signs.get((number, token), (None, now))
        if signs != mark.get("signs"):
            since = now
        self._signs[number, token] = (mark.get("signs"), since)
        return now - since > self._timeout_s


def _fail(storage: BaseStorage, study: Study, trial: FrozenTrial, reason: str) -> None:
    trial_id = trial_id_of(storage, study, trial.number)
    with contextlib.suppress(UpdateFinishedTrialError):
        storage.set_trial_user_attr(trial_id, REASON, reason)
        storage.set_trial_state_values(trial_id, TrialState.FAIL)
