"""A study storage that retries calls with backoff after failures of the connection."""

from __future__ import annotations

import functools
import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from quantsim.checkpoints.database.interrupts import interrupts_delayed
from quantsim.checkpoints.database.servers import MYSQL_AWAY, MYSQL_CONTENTION, mysql_code
from quantsim.checkpoints.redact import redact
from quantsim.errors import DriverError
from quantsim.optuna_private import PartOfTrial, set_parts, trial_id
from quantsim.storages.collector import Collector

__all__ = ["PatientStorage", "is_transient"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 60.0
_PATIENCE_S = 1800.0
"""Long enough for a server to be upgraded and restarted."""

_SQLITE_BUSY = frozenset({5, 6})
_GRPC_SERVER_TROUBLE = ("OperationalError", "InterfaceError", "raised during the commit")


@BaseStorage.register
class PatientStorage:
    """Wraps a storage. Retries a call whose connection fails after 0.5 s, and doubles the pause each time, up to a minute.

    A call that succeeded before the connection was lost does not take effect twice. Only one process creates trials in a
    study, so a retry finds the trial that was created. A trial that is finished already is compared with the intended result.
    """

    def __init__(
        self, storage: BaseStorage, shown: str, password: str | None = None, patience_s: float = _PATIENCE_S
    ) -> None:
        """Messages show ``shown`` for the storage, and never ``password``."""
        self._storage, self._shown, self._password, self._patience_s = storage, shown, password, patience_s
        self._collector: Collector[PartOfTrial] = Collector()

    def together(self) -> AbstractContextManager[None]:
        """Stores the parts of trials that the block sets at its end, in one transaction of a database; none if it raises."""
        return self._collector.block(functools.partial(self._call, set_parts, self._storage))

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Sets a user attribute of a running trial."""
        self._set("set_trial_user_attr", trial_id, key, value)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Sets a system attribute of a running trial."""
        self._set("set_trial_system_attr", trial_id, key, value)

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """Sets a reported value of a running trial."""
        self._set("set_trial_intermediate_value", trial_id, step, intermediate_value)

    def _set(self, method: str, *arguments: Any) -> None:
        if self._collector.items is None:
            self._call(getattr(self._storage, method), *arguments)
        else:
            self._collector.items.append((method, arguments))

    def __getattr__(self, name: str) -> Any:
        """Returns the storage's method of that name, with retries."""
        return functools.partial(self._call, getattr(self._storage, name))

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Creates a trial, once."""
        known = len(self.get_all_trials(study_id, deepcopy=False))

        def retry() -> int:
            for trial in self._storage.get_all_trials(study_id, deepcopy=False)[known:]:
                if template_trial is None or trial.system_attrs == template_trial.system_attrs:
                    return trial_id(trial)
            return self._storage.create_new_trial(study_id, template_trial)

        return self._call(self._storage.create_new_trial, study_id, template_trial, retry=retry)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Sets a trial's state and values, once."""

        def retry() -> bool:
            try:
                return self._storage.set_trial_state_values(trial_id, state, values)
            except UpdateFinishedTrialError:
                stored = self._storage.get_trial(trial_id)
                if (stored.state, stored.values) == (state, None if values is None else list(values)):
                    return True
                raise

        return self._call(self._storage.set_trial_state_values, trial_id, state, values, retry=retry)

    def _call(self, call: Callable[..., T], *args: Any, retry: Callable[[], T] | None = None, **kwargs: Any) -> T:
        """Makes a call, and retries it with ``retry``, by default the same call.

        Raises:
            DriverError: retries failed for too long, or the error is permanent.
        """
        attempt: Callable[[], T] = functools.partial(call, *args, **kwargs)
        pause_s, begun = _FIRST_PAUSE_S, time.monotonic()
        while True:
            try:
                with interrupts_delayed():
                    return attempt()
            except Exception as error:
                reason = redact(_first_line(error), self._password)
                transient = is_transient(error)
                if not transient and not isinstance(error, SQLAlchemyError | StorageInternalError):
                    raise
                if not transient:
                    raise DriverError(
                        f"the study storage {self._shown} fails with {reason}; remove the cause, and run the search again"
                    ) from None  # the original error may show credentials
                if time.monotonic() - begun + pause_s > self._patience_s:
                    raise DriverError(
                        f"the study storage {self._shown} has not answered for {self._patience_s:g} s: {reason}. All "
                        "finished trials are stored; run the search again when the storage answers"
                    ) from None  # as above
                logger.warning(
                    "the study storage %s does not answer (%s); next try in %.1f s", self._shown, reason, pause_s
                )
            time.sleep(pause_s * random.uniform(0.75, 1.0))  # noqa: S311 - jitter, guards nothing
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            attempt = retry or attempt


def is_transient(error: BaseException | None) -> bool:
    """Whether an error comes from the connection or from another writer, so that a retry may succeed."""
    while error is not None:
        if isinstance(error, DBAPIError):
            return _is_transient_of_database(error)
        if type(error).__module__.partition(".")[0] == "grpc":
            return _is_transient_of_proxy(error)
        error = error.__cause__ or error.__context__
    return False


def _is_transient_of_database(error: DBAPIError) -> bool:
    sqlite, mysql = getattr(error.orig, "sqlite_errorcode", None), mysql_code(error.orig)
    if sqlite is not None:
        return (sqlite & 0xFF) in _SQLITE_BUSY
    if mysql is not None and not error.connection_invalidated:
        return mysql in MYSQL_AWAY or mysql in MYSQL_CONTENTION
    return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)


def _is_transient_of_proxy(error: BaseException) -> bool:
    code, details = (getattr(error, name, lambda: None)() for name in ("code", "details"))
    name = getattr(code, "name", "")
    return name == "UNAVAILABLE" or (name == "UNKNOWN" and any(sign in str(details) for sign in _GRPC_SERVER_TROUBLE))


def _first_line(error: BaseException) -> str:
    """Returns the first line of the original error of the connection."""
    inner: BaseException = error
    while inner.__cause__ is not None:
        inner = inner.__cause__
    text = str(getattr(inner, "details", lambda: inner)())
    return f"{type(inner).__name__}: {text.strip().splitlines()[0] if text.strip() else 'no reason given'}"
