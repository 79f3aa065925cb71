"""Who works on which trial: workers of any number and place share out a study's trials, and none runs past its target.

Nobody hands out trials, so nobody's end can stop the study. A worker makes a trial, or takes one from the queue, and then
looks where it stands: trial k goes on only if fewer than ``target`` trials of a lower number are not void, where *void* is a
trial that was given up. Void trials stay void, so that count can only fall. At any time, let k be the trial of the highest
number of those that went on and are not void: the others like it have lower numbers, and they are fewer than ``target``.
So there are never more than ``target`` trials that count, without locks, whatever the order in which workers look.

Each trial that is being worked on bears a claim: the mark of the worker's process, and a count of its signs of life. The
claim is there before the trial runs: a new trial is made with it, and one of the queue gets it first and is taken then. So a
worker that is killed never leaves a trial of which it cannot be told whose it was.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from quantsim.drivers.marks import Presence, own_mark, presence
from quantsim.drivers.search.study import ABANDONED, REASON, RETRY_OF, is_void
from quantsim.errors import DriverError

__all__ = [
    "RENEW_SECONDS",
    "Claim",
    "Claimant",
    "Turn",
    "claims_of",
    "is_repeated",
    "make_void",
    "presence_of",
    "trial_id_of",
    "without_claims",
    "work_left",
]

logger = logging.getLogger(__name__)

_CLAIM = "quantsim_claim_"
"""Begins the system attribute of a trial that holds a claim; the claimant's token ends it."""

RENEW_SECONDS = 20.0
"""How often a claim gets a sign of life: one write, and no more than a third of what ``search.trial_timeout_minutes`` says."""

_CERTAINTY = 16
"""With so many trials to go, and more than so many workers, one or the other trial may be made for nothing."""

_EXCESS = "other workers had all trials of the study"
_DOUBLE = "what was cut off is being tried again already"

_live_tokens: set[str] = set()  # of this process; a claim of it by another token is of a worker that has ended


class Turn(Enum):
    """What a worker may do that got no trial."""

    WAIT = "all trials are being run by others"
    DONE = "the study has all its trials"


def work_left(trials: Sequence[FrozenTrial], target: int) -> Turn | None:
    """Whether there is a trial to begin; None if so."""
    settled = sum(trial.state.is_finished() and not is_void(trial) for trial in trials)
    if settled >= target:
        return Turn.DONE
    running = sum(trial.state is TrialState.RUNNING for trial in trials)
    return Turn.WAIT if settled + running >= target else None


def claims_of(trial: FrozenTrial) -> dict[str, dict[str, Any]]:
    """Token → mark, of all claims to a trial. Two workers may claim a trial of the queue for a moment, until one has it."""
    return {
        key.removeprefix(_CLAIM): mark
        for key, mark in trial.system_attrs.items()
        if key.startswith(_CLAIM) and mark is not None
    }


def without_claims(trial: FrozenTrial) -> dict[str, Any]:
    """The system attributes that are not claims."""
    return {key: value for key, value in trial.system_attrs.items() if not key.startswith(_CLAIM)}


def presence_of(token: str, mark: Mapping[str, Any]) -> Presence:
    """Whether the worker of a claim is there."""
    found = presence(mark)
    if found is Presence.ALIVE and mark["pid"] == os.getpid() and token not in _live_tokens:
        return Presence.GONE
    return found


def trial_id_of(storage: BaseStorage, study: Study, number: int) -> int:
    """The storage's key of a trial."""
    return storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name(study.study_name), number)


@dataclass
class Claim:
    """A running trial that this worker has to itself.

    Attributes:
        number: of the trial.
        trial_id: the storage's key of it.
        alone: whether no trial of the study was ever run by one of several workers.
        signs: of life given so far.
    """

    number: int
    trial_id: int
    alone: bool
    signs: int = 0


def is_repeated(trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> bool:
    """Whether a trial of a lower number tries the same cut-off one again."""
    first = trial.user_attrs.get(RETRY_OF)
    return first is not None and any(other.user_attrs.get(RETRY_OF) == first for other in trials[: trial.number])


class Claimant:
    """One worker's way to trials; used as a context, at whose end nothing is claimed any more.

    Attributes:
        token: names this claimant in its claims.
        turn: why :meth:`claims` came to an end, once it has.
    """

    def __init__(
        self,
        storage: BaseStorage,
        study: Study,
        session: str,
        timeout_minutes: float | None,
        *,
        alone: bool = False,
    ) -> None:
        """Claims nothing yet.

        Args:
            storage: where the study is.
            study: opened there.
            session: noted with each claim.
            timeout_minutes: how long others wait for a sign of life; None if they do not.
            alone: whether this is the only worker, as far as it knows.
        """
        self._storage, self._study = storage, study
        self._study_id = storage.get_study_id_from_name(study.study_name)
        self.token = uuid.uuid4().hex[:16]
        self._key = _CLAIM + self.token
        self._mark = {**own_mark(), "session": session, "alone": alone}
        self._renew_seconds = None if timeout_minutes is None else min(RENEW_SECONDS, 20.0 * timeout_minutes)
        self.turn: Turn | None = None
        self._held: list[Claim] = []
        self._known: list[FrozenTrial] = []
        self._looked_at = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Claimant:
        _live_tokens.add(self.token)
        if self._renew_seconds is not None:
            self._thread = threading.Thread(target=self._renew, name="quantsim-signs-of-life", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)  # it may be waiting for a storage that does not answer
        _live_tokens.discard(self.token)

    def claims(self, target: Callable[[], int]) -> Iterator[Claim]:
        """Trials, until there is none for now; ``turn`` then says why.

        Args:
            target: says how many trials the study shall have.
        """
        while isinstance(taken := self.take(target()), Claim):
            yield taken
        self.turn = taken

    def take(self, target: int) -> Claim | Turn:
        """A running trial of this worker's own, from the queue or new, beside those it has; or why there is none."""
        while True:
            if not self._is_surely_left(target):
                self._known = self._study.get_trials(deepcopy=False)
                turn = work_left(self._known, target)
                if turn is not None:
                    return turn
            if not self._take_from_queue(self._known):
                new = create_trial(state=TrialState.RUNNING, system_attrs={self._key: {**self._mark, "signs": 0}})
                self._storage.create_new_trial(self._study_id, new)
            self._known = self._study.get_trials(deepcopy=False)
            number = self._keep(self._known, target)
            if number is not None:
                alone = self._is_alone(self._known)
                trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
                claim = Claim(number, trial_id, alone)
                self._held.append(claim)
                return claim
            self._known = []

    def done(self) -> None:
        """Says that the trials at hand are finished: they need no more signs of life."""
        self._held = []

    def _is_alone(self, trials: Sequence[FrozenTrial]) -> bool:
        """Whether all trials were run by workers that had the study to themselves. Each finished trial is looked at once."""
        for trial in trials[self._looked_at :] if self._mark["alone"] else ():
            if not all(mark.get("alone") for mark in claims_of(trial).values()):
                self._mark["alone"] = False
                break
            if trial.state.is_finished() and trial.number == self._looked_at:
                self._looked_at += 1
        return bool(self._mark["alone"])

    def _is_surely_left(self, target: int) -> bool:
        """Whether the trials as last seen leave no doubt that there is one to make: it saves reading them anew."""
        waiting = any(trial.state is TrialState.WAITING for trial in self._known)
        return bool(self._known) and not waiting and len(self._known) + _CERTAINTY <= target

    def _take_from_queue(self, trials: Sequence[FrozenTrial]) -> bool:
        for trial in trials:
            if trial.state is not TrialState.WAITING:
                continue
            trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, trial.number)
            with contextlib.suppress(UpdateFinishedTrialError):
                self._storage.set_trial_system_attr(trial_id, self._key, {**self._mark, "signs": 0})
                if self._storage.set_trial_state_values(trial_id, TrialState.RUNNING):
                    return True
                self._storage.set_trial_system_attr(trial_id, self._key, None)
        return False

    def _keep(self, trials: Sequence[FrozenTrial], target: int) -> int | None:
        """Number of the trial this worker may go on with. If it may not, the trial is made void, or goes back to the queue."""
        held = {claim.number for claim in self._held}
        running = [trial for trial in trials if trial.state is TrialState.RUNNING and trial.number not in held]
        own = [trial.number for trial in running if self.token in claims_of(trial)]
        for number in own[:-1]:  # made, and then again: the connection was lost before the storage could say so
            self._void(number, _EXCESS)
        if not own:
            return None
        number = own[-1]
        trial = trials[number]
        if self._is_double(trial, trials):
            self._void(number, _DOUBLE)
            return None
        if sum(not is_void(other) for other in trials[:number]) < target:
            return number
        if "fixed_params" in trial.system_attrs:
            self._back_to_queue(number)
        else:
            self._void(number, _EXCESS)
        return None

    def _is_double(self, trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> bool:
        """Whether what this trial repeats needs no repetition: it came to an end after all, or is repeated by another."""
        first = trial.user_attrs.get(RETRY_OF)
        if first is None or not 0 <= first < len(trials):
            return False
        repeated = is_repeated(trial, trials)
        if trials[first].state is TrialState.RUNNING:
            self._void(first, "the process that ran it is gone")  # whoever said so was cut off before the end of it
            return repeated or not is_void(self._study.get_trials(deepcopy=False)[first])
        return repeated or not is_void(trials[first])

    def _void(self, number: int, reason: str) -> None:
        make_void(self._storage, self._study, number, reason)

    def _back_to_queue(self, number: int) -> None:
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
        with contextlib.suppress(UpdateFinishedTrialError):
            self._storage.set_trial_state_values(trial_id, TrialState.WAITING)
            self._storage.set_trial_system_attr(trial_id, self._key, None)

    def _renew(self) -> None:
        try:
            while not self._stop.wait(self._renew_seconds):
                for held in list(self._held):
                    held.signs += 1
                    with contextlib.suppress(UpdateFinishedTrialError, KeyError):
                        self._storage.set_trial_system_attr(
                            held.trial_id, self._key, {**self._mark, "signs": held.signs}
                        )
        except DriverError as error:  # the storage is lost; the worker itself will say so
            logger.debug("no more signs of life: %s", error)
        finally:
            self._storage.remove_session()  # each thread has its own


def make_void(storage: BaseStorage, study: Study, number: int, reason: str) -> None:
    """Gives a running trial up: it does not count. Nothing happens to a trial that has come to an end meanwhile."""
    trial_id = trial_id_of(storage, study, number)
    with contextlib.suppress(UpdateFinishedTrialError):
        storage.set_trial_user_attr(trial_id, REASON, reason)
        storage.set_trial_user_attr(trial_id, ABANDONED, True)
        storage.set_trial_state_values(trial_id, TrialState.FAIL)
