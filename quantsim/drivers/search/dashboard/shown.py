"""What Optuna's dashboard shows of a search's trials, put right on its way to the browser; what is stored stays as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import numpy as np

from quantsim.checkpoints.pareto import pareto_front
from quantsim.drivers.search.study import METRICS, experiment_of, load_study
from quantsim.errors import DriverError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

__all__ = ["ShownApplication", "put_right"]

Json = dict[str, Any]
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_STUDY = re.compile(r"/api/studies/(\d+)/?")
_OWN = "quantsim"  # what study attributes of the search are called, or begin with
_DECIMAL = re.compile(r"-?\d+\.\d+(e[-+]\d+)?")


class ShownApplication:
    """The dashboard as a WSGI application, its answers about a study of a search put right by :func:`put_right`.

    Answers, not the storage: renaming a study in the dashboard copies its trials, which must lose nothing.
    """

    def __init__(self, application: Application, storage: BaseStorage) -> None:
        self._application, self._storage = application, storage

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answers one request."""
        found = _STUDY.fullmatch(environ.get("PATH_INFO", "")) if environ.get("REQUEST_METHOD") == "GET" else None
        experiment = self._experiment(int(found[1])) if found else None
        if found is None or experiment is None:
            return self._application(environ, start_response)
        constrained, after = bool(experiment.get("objective", {}).get("constraints")), 0
        query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
        if constrained and query.get("after", "").isdecimal():
            after = int(query.pop("after"))  # the best trials may be older than those that are asked for
        status, headers, body = self._answer({**environ, "QUERY_STRING": urlencode(query)})
        if status.startswith("200"):
            detail = put_right(json.loads(body), self._constraints(int(found[1])) if constrained else {})
            detail["trials"] = detail["trials"][after:]
            body = json.dumps(detail).encode()
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

    def _experiment(self, study_id: int) -> dict[str, Any] | None:
        """What the study searches; None if it is of another program, or gone."""
        try:
            return experiment_of(load_study(self._storage, self._storage.get_study_name_from_id(study_id)))
        except (KeyError, DriverError):
            return None

    def _constraints(self, study_id: int) -> dict[int, list[float]]:
        """Trial number → constraint values; positive ones are broken."""
        trials = self._storage.get_all_trials(study_id, deepcopy=False)
        return {trial.number: list(trial.constraints.values()) for trial in trials}


def put_right(detail: Json, constraints: Mapping[int, list[float]]) -> Json:
    """Changes the dashboard's answer about a study, for the eye.

    * The metrics of all splits are left out, and so is what the study keeps for its own use: these long texts made rows of the
      table a screen high, and the trial's page seven screens wide.
    * Values, parameters and columns are given to six digits. The CSV file has them whole.
    * Constraints are told, and trials that break one are not among the best unless all do: the dashboard (0.21) looks for
      constraints where Optuna kept them before 5.0, and its best trials know none.

    Args:
        detail: as from ``/api/studies/ID``, with all trials if there are constraints; changed in place, and returned.
        constraints: trial number → values, positive where broken; empty where the study has none.
    """
    if constraints:
        for trial in detail["trials"]:
            trial["constraints"] = constraints.get(trial["number"], [])
        detail["best_trials"] = _best(detail)  # before they are rounded, which makes ties
    for trial in (*detail["trials"], *detail["best_trials"]):
        _round(trial)
        trial["user_attrs"] = [each for each in trial["user_attrs"] if each["key"] != METRICS]
    detail["user_attrs"] = [each for each in detail["user_attrs"] if each["key"].partition("_")[0] != _OWN]
    detail["union_user_attrs"] = [each for each in detail["union_user_attrs"] if each["key"] != METRICS]
    return detail


def _best(detail: Json) -> list[Json]:
    """The trials that no other beats, of those that keep the constraints where any do."""
    completed = [trial for trial in detail["trials"] if trial["state"] == "Complete"]
    kept = [trial for trial in completed if all(value <= 0.0 for value in trial["constraints"])] or completed
    if not kept:
        return []
    values = np.array([trial["values"] for trial in kept], np.float64)
    rows = [int(values[:, 0].argmax())] if values.shape[1] == 1 else pareto_front(values).tolist()
    return [kept[row] for row in rows]


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
