"""Corrects what Optuna's dashboard answers about a search's study; what is stored stays as it is."""

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
_OWN = "quantsim"  # begins the names of study attributes that the search keeps for itself
_DECIMAL = re.compile(r"-?\d+\.\d+(e[-+]\d+)?")


class CorrectedApplication:
    """The dashboard as a WSGI application; :func:`corrected` changes its answers about a study of a search.

    The storage is not changed: to rename a study the dashboard copies its trials, and they must lose nothing.
    """

    def __init__(self, application: Application, storage: BaseStorage) -> None:
        """Takes the dashboard, and the storage that it shows."""
        self._application, self._storage = application, storage

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answers one request."""
        found = _STUDY.fullmatch(environ.get("PATH_INFO", "")) if environ.get("REQUEST_METHOD") == "GET" else None
        if found is None or not self._is_ours(int(found[1])):
            return self._application(environ, start_response)
        status, headers, body = self._answer(dict(environ))  # the dashboard stores in it what it has read
        if status.startswith("200"):
            detail = self._corrected(environ, json.loads(body), int(found[1]))
            body = json.dumps(detail, allow_nan=False).encode()
            headers = [(name, text) for name, text in headers if name.lower() != "content-length"]
            headers.append(("Content-Length", str(len(body))))
        start_response(status, headers)
        return [body]

    def _answer(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
        """Status, headers and body of the dashboard's own answer."""
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
        """Whether the study is of a search, and not of another program, or deleted."""
        try:
            return EXPERIMENT in self._storage.get_study_user_attrs(study_id)
        except KeyError:
            return False

    def _corrected(self, environ: dict[str, Any], detail: Json, study_id: int) -> Json:
        """The corrected answer, with the trials that were asked for."""
        trials = self._storage.get_all_trials(study_id, deepcopy=False)
        best, first = [trial.number for trial in best_trials(trials)], 0
        query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
        if [trial["number"] for trial in detail["best_trials"]] != best and query.get("after", "").isdecimal():
            first = int(query.pop("after"))  # the best trials may be older than those that were asked for
            detail = json.loads(self._answer({**environ, "QUERY_STRING": urlencode(query)})[2])
        detail = corrected(detail, best, {trial.number: list(trial.constraints.values()) for trial in trials})
        detail["trials"] = detail["trials"][first:]
        return detail


def corrected(detail: Json, best: Sequence[int], constraints: Mapping[int, list[float]]) -> Json:
    """Changes the dashboard's answer about a study.

    * The metrics of all splits, and what the study keeps for its own use, are left out: with these long texts a row of the
      table was a screen high.
    * Values, parameters and columns have six digits. The CSV file has them whole.
    * Constraints are added, and the best trials are those of the search. The dashboard (0.21) looks for constraints where
      Optuna kept them before 5.0, ignores them in its best trials, and of equal trials takes the first.

    Args:
        detail: from ``/api/studies/ID``, with the best trials among its own; changed in place, and returned.
        best: numbers of the best trials.
        constraints: trial number → values, positive where broken.
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
    """Rounds a trial's numbers to six digits; those that are texts stay texts."""
    if "values" in trial:
        trial["values"] = [float(f"{value:.6g}") if isinstance(value, float) else value for value in trial["values"]]
    for parameter in trial["params"]:
        if parameter["distribution"]["type"] == "FloatDistribution":  # a choice is found again by its text
            parameter["param_external_value"] = _short(parameter["param_external_value"])
    for attribute in trial["user_attrs"]:
        attribute["value"] = _short(attribute["value"])


def _short(text: str) -> str:
    return f"{float(text):.6g}" if _DECIMAL.fullmatch(text) else text
