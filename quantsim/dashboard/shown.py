"""What Optuna's dashboard shows of a search's trials, put right on its way to the browser; what is stored stays as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from quantsim.drivers.search.study import METRICS, experiment_of, load_study
from quantsim.drivers.search.values import best_trials
from quantsim.errors import DriverError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

__all__ = ["ShownApplication", "corrected"]

Json = dict[str, Any]
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_STUDY = re.compile(r"/api/studies/(\d+)/?")
_OWN = "quantsim"  # what study attributes of the search are called, or begin with
_DECIMAL = re.compile(r"-?\d+\.\d+(e[-+]\d+)?")


class ShownApplication:
    """The dashboard as a WSGI application, its answers about a study of a search corrected by :func:`corrected`.

    Answers, not the storage: renaming a study in the dashboard copies its trials, which must lose nothing.
    """

    def __init__(self, application: Application, storage: BaseStorage) -> None:
        self._application, self._storage = application, storage

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answers one request."""
        found = _STUDY.fullmatch(environ.get("PATH_INFO", "")) if environ.get("REQUEST_METHOD") == "GET" else None
        if found is None or not self._is_ours(int(found[1])):
            return self._application(environ, start_response)
        status, headers, body = self._answer(dict(environ))  # the dashboard keeps what it has read in it
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
        """Whether the study is one of a search; not if it is of another program, or gone."""
        try:
            experiment_of(load_study(self._storage, self._storage.get_study_name_from_id(study_id)))
        except (KeyError, DriverError):
            return False
        return True

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
    """Changes the dashboard's answer about a study, for the eye.

    * The metrics of all splits are left out, and so is what the study keeps for its own use: these long texts made rows of the
      table a screen high, and the trial's page seven screens wide.
    * Values, parameters and columns are given to six digits. The CSV file has them whole.
    * Constraints are added; the best trials are those of the search: the dashboard (0.21) looks for constraints where Optuna
      kept them before 5.0, its best trials know none, and of equal ones it takes the first.

    Args:
        detail: as from ``/api/studies/ID``, with the best trials among its own; changed in place, and returned.
        best: numbers of the best trials.
        constraints: trial number → values, positive where broken.
    """
    for trial in (*detail["trials"], *detail["best_trials"]):
        trial["constraints"] = constraints.get(trial["number"], [])
    there = {trial["number"]: trial for trial in (*detail["trials"], *detail["best_trials"])}
    detail["best_trials"] = [there[number] for number in best if number in there]
    for trial in {id(trial): trial for trial in (*detail["trials"], *detail["best_trials"])}.values():
        _round(trial)
        trial["user_attrs"] = [each for each in trial["user_attrs"] if each["key"] != METRICS]
    detail["user_attrs"] = [each for each in detail["user_attrs"] if each["key"].partition("_")[0] != _OWN]
    detail["union_user_attrs"] = [each for each in detail["union_user_attrs"] if each["key"] != METRICS]
    return detail


def _round(trial: Json) -> None:
    """A trial's numbers to six digits, those that are texts as texts; other texts stay as they are."""
    if "values" in trial:
        trial["values"] = [float(f"{value:.6g}") if isinstance(value, float) else value for value in trial["values"]]
    for parameter in trial["params"]:
        if parameter["distribution"]["type"] == "FloatDistribution":  # the text of a choice is how it is found again
            parameter["param_external_value"] = _short(parameter["param_external_value"])
    for attribute in trial["user_attrs"]:
        attribute["value"] = _short(attribute["value"])


def _short(text: str) -> str:
    return f"{float(text):.6g}" if _DECIMAL.fullmatch(text) else text
