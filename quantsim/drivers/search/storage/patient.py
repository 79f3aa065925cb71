"""A study storage on a server that may be away for a while: what fails for want of a connection is tried again."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Container, Sequence
from typing import Any, TypeVar

from optuna.distributions import BaseDistribution
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from quantsim.checkpoints.database.servers import MYSQL_AWAY, MYSQL_CONTENTION, mysql_code
from quantsim.checkpoints.redact import redact
from quantsim.errors import DriverError

__all__ = ["PatientStorage", "is_passing"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 60.0
_PATIENCE_S = 1800.0
"""Long enough for a server to be upgraded and started again."""

_SQLITE_BUSY = frozenset({5, 6})
_GRPC_SERVER_TROUBLE = ("OperationalError", "InterfaceError", "raised during the commit")


class PatientStorage(BaseStorage):
    """Any storage, with pauses and further tries where its connection fails: 0.5 s, then twice as long each, up to a minute.

    Writing twice does no harm, but for two cases. A trial that was made before the connection was lost, and then again, bears
    the same claim as the second one, by which :mod:`~quantsim.drivers.search.workers.claims` finds it. A trial that was
    finished is found so when it is finished again, and compared.
    """

    def __init__(
        self, storage: BaseStorage, shown: str, password: str | None = None, patience_s: float = _PATIENCE_S
    ) -> None:
        """``shown`` stands for the storage in messages; its ``password`` is taken out of whatever a driver has to say."""
        self.storage, self._shown, self._patience_s = storage, shown, patience_s
        self._password = password

    def _call(self, call: Callable[[], T]) -> T:
        """Calls, again and again while the connection is what fails.

        Raises:
            DriverError: it failed for too long, or in a way that does not pass.
        """
        pause_s, begun = _FIRST_PAUSE_S, time.monotonic()
        while True:
            try:
                return call()
            except Exception as error:
                reason = redact(_first_line(error), self._password)
                if isinstance(error, SQLAlchemyError | StorageInternalError) and not is_passing(error):
                    raise DriverError(
                        f"the study storage {self._shown} fails with {reason}; run the search again when the cause is gone"
                    ) from None  # the original may show how to log in
                if not is_passing(error):
                    raise
                if time.monotonic() - begun + pause_s > self._patience_s:
                    raise DriverError(
                        f"the study storage {self._shown} has not answered for {self._patience_s:g} s: {reason}. All "
                        "finished trials are kept; run the search again when it is back"
                    ) from None  # the original may show how to log in
                logger.warning(
                    "the study storage %s does not answer (%s); next try in %.1f s", self._shown, reason, pause_s
                )
            time.sleep(pause_s * random.uniform(0.75, 1.0))  # noqa: S311 - spreads workers, guards nothing
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        return self._call(lambda: self.storage.create_new_study(directions, study_name))

    def delete_study(self, study_id: int) -> None:
        self._call(lambda: self.storage.delete_study(study_id))

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        self._call(lambda: self.storage.set_study_user_attr(study_id, key, value))

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        self._call(lambda: self.storage.set_study_system_attr(study_id, key, value))

    def get_study_id_from_name(self, study_name: str) -> int:
        return self._call(lambda: self.storage.get_study_id_from_name(study_name))

    def get_study_name_from_id(self, study_id: int) -> str:
        return self._call(lambda: self.storage.get_study_name_from_id(study_id))

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        return self._call(lambda: self.storage.get_study_directions(study_id))

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        return self._call(lambda: self.storage.get_study_user_attrs(study_id))

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return self._call(lambda: self.storage.get_study_system_attrs(study_id))

    def get_all_studies(self) -> list[Any]:
        return self._call(self.storage.get_all_studies)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        return self._call(lambda: self.storage.create_new_trial(study_id, template_trial))

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        self._call(lambda: self.storage.set_trial_param(trial_id, param_name, param_value_internal, distribution))

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        return self._call(lambda: self.storage.get_trial_id_from_study_id_trial_number(study_id, trial_number))

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        tries = 0

        def call() -> bool:
            nonlocal tries
            tries += 1
            return self.storage.set_trial_state_values(trial_id, state, values)

        try:
            return self._call(call)
        except UpdateFinishedTrialError:
            stored = self.get_trial(trial_id)
            wanted = None if values is None else list(values)
            if tries > 1 and stored.state is state and stored.values == wanted:
                return True  # it had been written before the connection was lost
            raise

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        self._call(lambda: self.storage.set_trial_intermediate_value(trial_id, step, intermediate_value))

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        self._call(lambda: self.storage.set_trial_user_attr(trial_id, key, value))

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        self._call(lambda: self.storage.set_trial_system_attr(trial_id, key, value))

    def get_trial(self, trial_id: int) -> FrozenTrial:
        return self._call(lambda: self.storage.get_trial(trial_id))

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        return self._call(lambda: self.storage.get_all_trials(study_id, deepcopy, states))

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        return self._call(lambda: self.storage.get_best_trial(study_id))

    def remove_session(self) -> None:
        self.storage.remove_session()


def is_passing(error: BaseException | None) -> bool:
    """Whether an error is of the connection, or of others that write at the same time, and may be gone at the next try."""
    while error is not None:
        if isinstance(error, DBAPIError):
            code = getattr(error.orig, "sqlite_errorcode", None)
            if code is not None:
                return (code & 0xFF) in _SQLITE_BUSY
            if error.connection_invalidated:
                return True
            code = mysql_code(error.orig)
            if code is not None:
                return code in MYSQL_AWAY or code in MYSQL_CONTENTION
            return isinstance(error, OperationalError | InterfaceError)
        if type(error).__module__.partition(".")[0] == "grpc":
            return _is_passing_grpc(error)
        error = error.__cause__ or error.__context__
    return False


def _is_passing_grpc(error: BaseException) -> bool:
    code, details = (getattr(error, name, lambda: None)() for name in ("code", "details"))
    name = getattr(code, "name", "")
    return name == "UNAVAILABLE" or (name == "UNKNOWN" and any(sign in str(details) for sign in _GRPC_SERVER_TROUBLE))


def _first_line(error: BaseException) -> str:
    """What the connection's own error says, in a line."""
    inner: BaseException = error
    while inner.__cause__ is not None:
        inner = inner.__cause__
    text = str(getattr(inner, "details", lambda: None)() if hasattr(inner, "details") else inner)
    return f"{type(inner).__name__}: {text.strip().splitlines()[0] if text.strip() else 'no reason given'}"
