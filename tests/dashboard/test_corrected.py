"""What the dashboard's answers say of trials, asked for as its pages do."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from checkpoint_support import fill
from dashboard_support import two_aims
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import create_trial

from quantsim.checkpoints import CheckpointStore
from quantsim.dashboard.corrected import CorrectedApplication
from quantsim.drivers.search.study import METRICS, describe_task, identify, load_study, open_study, study_id
from quantsim.drivers.search.transfer import export_runs
from quantsim.search_space import load_search_space
from quantsim.storages.opened import opened_storage

pytest.importorskip("optuna_dashboard")

LONG = 0.123456789012345


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[BaseStorage]:
    with opened_storage(tmp_path / "studies.journal") as opened:
        yield opened


def study_of(
    storage: BaseStorage, constraints: dict[str, float], *trials: tuple[list[float], float], returns: float = 0.5
) -> Study:
    """A study with these trials: values, and what the first constraint is broken by; the first one returns that much."""
    names = [f"objective {index}" for index in range(len(trials[0][0]))]
    experiment = two_aims().override([f"objective.constraints.{name}={value}" for name, value in constraints.items()])
    study = open_study(storage, "shown", identify(experiment, "prices", load_search_space(experiment)), names)
    describe_task(study, experiment)
    for number, (values, broken_by) in enumerate(trials):
        study.add_trial(
            create_trial(
                values=values,
                params={"x": LONG, "n": "0.12345678"},
                distributions={"x": FloatDistribution(0.0, 1.0), "n": CategoricalDistribution(["0.12345678", "b"])},
                user_attrs={
                    METRICS: {"train": {"returns": returns if number == 0 else 0.5}},
                    "validation returns": LONG,
                    "text": "v 1.23456789",
                },
                constraints=dict.fromkeys(constraints, broken_by),
            )
        )
    return study


def ask(storage: BaseStorage, path: str, query: str = "", body: dict[str, Any] | None = None) -> dict[str, Any]:
    from optuna_dashboard import wsgi

    sent = b"" if body is None else json.dumps(body).encode()
    environ = {
        "REQUEST_METHOD": "GET" if body is None else "POST",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(sent)),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(sent),
        "wsgi.errors": io.StringIO(),
    }
    begun: list[tuple[str, dict[str, str]]] = []
    application = CorrectedApplication(wsgi(storage), storage)
    answer = b"".join(application(environ, lambda status, headers, *_: begun.append((status, dict(headers)))))
    status, headers = begun[-1]
    assert status[:3] in ("200", "201"), answer
    assert headers["Content-Length"] == str(len(answer))
    found: dict[str, Any] = json.loads(answer)
    return found


def test_long_texts_are_left_out_and_numbers_have_six_digits(storage: BaseStorage):
    study = study_of(storage, {}, ([LONG], 0.0), ([1e-9], 0.0))
    study.set_user_attr("mine", "kept")
    detail = ask(storage, f"/api/studies/{study._study_id}", "after=0")
    first, second = detail["trials"]
    assert first["user_attrs"] == [
        {"key": "validation returns", "value": "0.123457"},
        {"key": "text", "value": "v 1.23456789"},
    ]
    assert [each["key"] for each in detail["union_user_attrs"]] == ["validation returns", "text"]
    assert detail["user_attrs"] == [{"key": "mine", "value": "kept"}]
    assert (first["values"], second["values"]) == ([0.123457], [1e-9])
    assert [each["param_external_value"] for each in first["params"]] == ["0.123457", "0.12345678"]
    assert [trial["number"] for trial in detail["best_trials"]] == [0]
    assert study.trials[0].params["x"] == LONG
    assert [trial["number"] for trial in ask(storage, f"/api/studies/{study._study_id}", "after=1")["trials"]] == [1]


@pytest.mark.parametrize(
    ("trials", "best"),
    [
        ((([1.0], -1.0), ([2.0], 0.0), ([3.0], 0.5)), [1]),
        ((([2.0], -1.0), ([2.0 + 1e-9], -1.0)), [1]),  # though six digits tell them not apart
        ((([1.0], 0.1), ([2.0], 0.2)), [1]),  # all break it
        ((([3.0, 0.0], 0.0), ([1.0, 1.0], -1.0), ([0.5, 0.5], 0.0), ([4.0, 4.0], 0.5)), [0, 1]),
    ],
)
def test_best_trials_keep_the_constraints(
    storage: BaseStorage, trials: tuple[tuple[list[float], float], ...], best: list[int]
):
    study = study_of(storage, {"max_drawdown": -0.5}, *trials)
    detail = ask(storage, f"/api/studies/{study._study_id}", f"after={len(trials) - 1}")
    assert [trial["number"] for trial in detail["best_trials"]] == best
    (last,) = detail["trials"]
    assert (last["number"], last["constraints"]) == (len(trials) - 1, [trials[-1][1]])


def test_of_infinite_trials_the_one_of_the_highest_return_is_the_best(storage: BaseStorage):
    study = study_of(storage, {}, ([math.inf], 0.0), ([math.inf], 0.0), ([2.0], 0.0), ([-math.inf], 0.0), returns=0.4)
    detail = ask(storage, f"/api/studies/{study._study_id}", "after=3")
    assert [trial["number"] for trial in detail["best_trials"]] == [1]
    assert detail["best_trials"][0]["values"] == ["inf"]
    assert [trial["values"] for trial in detail["trials"]] == [["-inf"]]


def test_a_study_renamed_in_the_dashboard_loses_nothing(storage: BaseStorage):
    study = study_of(storage, {"max_drawdown": -0.5}, ([LONG], -0.25))
    ask(storage, f"/api/studies/{study._study_id}/rename", body={"study_name": "renamed"})
    (trial,) = load_study(storage, "renamed").trials
    assert (trial.params["x"], trial.values, trial.constraints) == (LONG, [LONG], {"max_drawdown": -0.25})
    assert trial.user_attrs[METRICS] == {"train": {"returns": 0.5}}


def test_studies_of_other_programs_stay_as_they_are(storage: BaseStorage):
    import optuna

    study = optuna.create_study(storage=storage, study_name="other")
    study.add_trial(create_trial(value=LONG, user_attrs={METRICS: LONG}))
    detail = ask(storage, f"/api/studies/{study._study_id}", "after=0")
    assert detail["trials"][0]["values"] == [LONG]
    assert detail["trials"][0]["user_attrs"] == [{"key": METRICS, "value": str(LONG)}]


def test_a_study_that_was_copied_with_its_run_is_shown_as_before(tmp_path: Path) -> None:
    with opened_storage(tmp_path / "checkpoints.journal") as storage:
        study = study_of(storage, {"turnover": -1.0}, ([1.0], 0.0), ([2.0], -0.5))
        before = ask(storage, "/api/studies/0")
        notes = {"study": study.study_name, "study_id": study_id(study)}
    with CheckpointStore(tmp_path / "checkpoints.db") as store:
        run_id = fill(store, driver="search", notes=notes)
        assert export_runs(store, run_id, tmp_path / "there.db").left == {}
    with opened_storage(tmp_path / "there.journal") as storage:
        after = ask(storage, "/api/studies/0")
    assert len(after["trials"]) == 2
    times = ("datetime_start",)  # that of the study is when it was made
    assert {name: value for name, value in after.items() if name not in times} == {
        name: value for name, value in before.items() if name not in times
    }
