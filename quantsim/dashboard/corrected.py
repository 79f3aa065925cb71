"""Corrects the answers of Optuna's dashboard about studies of a search. The stored study does not change."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from quantsim.drivers.search.study import EXPERIMENT, METRICS
from quantsim.drivers.search.values import best_trials

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

__all__ = ["CorrectedApplication", "corrected"]

Json = dict[str, Any]
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_STUDY = re.compile(r"/api/studies/(\d+)/?")
_OWN = "quantsim"  # prefix of study attributes for internal use
_DECIMAL = re.compile(r"-?\d+\.\d+(e[-+]\d+)?")


class CorrectedApplication:
    """The dashboard as a WSGI application, with answers about studies of a search changed by :func:`corrected`.

    It corrects the answers and not the storage, because the dashboard renames a study by copying its trials, and the copies
    must be complete.
    """

    def __init__(self, application: Application, storage: BaseStorage) -> None:
        """Wraps the dashboard of a storage."""
        self._application, self._storage = application, storage

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answers one request."""
        found = _STUDY.fullmatch(environ.get("PATH_INFO", "")) if environ.get("REQUEST_METHOD") == "GET" else None
        if found is None or not self._is_ours(int(found[1])):
            return self._application(environ, start_response)
        status, headers, body = self._answer(dict(environ))  # a copy, because the dashboard writes to it
        if status.startswith("200"):
            detail = self._corrected(environ, json.loads(body), int(found[1]))
            body = json.dumps(detail, allow_nan=False).encode()
            headers = [(name, text) for name, text in headers if name.lower() != "content-length"]
            headers.append(("Content-Length", str(len(body))))
        start_response(status, headers)
        return [body]

    def _answer(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
        """Returns status, headers and body of the dashboard's own answer."""
        begun: list[tuple[str, list[tuple[str, str]]]] = []

        def begin(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            begun.append((status, headers))

        parts = self._application(environ, begin)
        try:
            body = b"".join(parts)
        finally:
            getattr(parts, "close", lambda: None)()
        return *begun[-1], body

    def _is_ours(self, study_id: int) -> bool:
        """Whether the study exists and belongs to a search of quantsim."""
        try:
            return EXPERIMENT in self._storage.get_study_user_attrs(study_id)
        except KeyError:
            return False

    def _corrected(self, environ: dict[str, Any], detail: Json, study_id: int) -> Json:
        """Returns the corrected answer, with the requested trials."""
        trials = self._storage.get_all_trials(study_id, deepcopy=False)
        best, first = [trial.number for trial in best_trials(trials)], 0
        query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
        if [trial["number"] for trial in detail["best_trials"]] != best and query.get("after", "").isdecimal():
            first = int(query.pop("after"))  # the best trials may be older than the requested ones
            detail = json.loads(self._answer({**environ, "QUERY_STRING": urlencode(query)})[2])
        detail = corrected(detail, best, {trial.number: list(trial.constraints.values()) for trial in trials})
        detail["trials"] = detail["trials"][first:]
        return detail


def corrected(detail: Json, best: Sequence[int], constraints: Mapping[int, list[float]]) -> Json:
    """Changes the dashboard's answer about a study.

    * The metrics of all splits and attributes for internal use are removed. With these long texts, a row of the table was as
      high as the screen.
    * Values, parameters and columns are rounded to six digits. The CSV file has all digits.
    * Constraints are added, and the best trials are those of the search. The dashboard (0.21) reads constraints from where
      Optuna stored them before 5.0, ignores them for its best trials, and takes the first of equal trials.

    Args:
        detail: answer of ``/api/studies/ID``, which includes the best trials; changed in place, and returned.
        best: numbers of the best trials.
        constraints: trial number → values, positive if violated.
    """
    trials = {trial["number"]: trial for trial in (*detail["trials"], *detail["best_trials"])}
    detail["best_trials"] = [trials[number] for number in best if number in trials]
    for trial in {id(trial): trial for trial in (*detail["trials"], *detail["best_trials"])}.values():
        trial["constraints"] = constraints.get(trial["number"], [])
        trial["user_attrs"] = [each for each in trial["user_attrs"] if each["key"] != METRICS]
        _round(trial)
    detail["user_attrs"] = [each for each in detail["user_attrs"] if each["key"].partition("_")[0] != _OWN]
    detail["union_user_attrs"] = [each for each in detail["union_user_attrs"] if each["key"] != METRICS]
    return detail


def _round(trial: Json) -> None:
    """Rounds a trial's numbers to six digits; numbers stored as text stay text."""
    if "values" in trial:
        trial["values"] = [float(f"{value:.6g}") if isinstance(value, float) else value for value in trial["values"]]
    for parameter in trial["params"]:
        if parameter["distribution"]["type"] == "FloatDistribution":  # the dashboard compares choices as text
            parameter["param_external_value"] = _short(parameter["param_external_value"])
    for attribute in trial["user_attrs"]:
        attribute["value"] = _short(attribute["value"])


def _short(text: str) -> str:
    return f"{float(text):.6g}" if _DECIMAL.fullmatch(text) else text
