"""The pages of gradient training beside Optuna's dashboard, asked for as a browser does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quantsim import CheckpointStore, Experiment
from quantsim.checkpoints import Checkpoint
from quantsim.dashboard.training import TrainingPages

PERIODS = {"train_start": "2020-01-01", "train_end": "2021-01-01"}
PAGE = b"<html><body>Optuna</body></html>"


def optuna(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Stands for Optuna's dashboard."""
    kind = "text/html" if environ["PATH_INFO"].startswith("/dashboard") else "application/json"
    start_response("200 OK", [("Content-Type", kind), ("Content-Length", str(len(PAGE)))])
    return [PAGE]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CheckpointStore]:
    with CheckpointStore(tmp_path / "store.db") as opened:
        yield opened


def begin(store: CheckpointStore) -> str:
    study = Experiment.from_dict({"data": {"tokens": ["A", "B"]}, "pool": {"rule": "momentum"}, "periods": PERIODS})
    config = study.model_dump(mode="json")
    run_id = store.begin_run(experiment_id="e", data_id="d", driver="sgd", config=config, name="<b>probe</b>")
    metrics = {split: {"daily_log_sharpe": 0.25} for split in ("train", "validation")}
    log = {name: [[0.5]] for name in ("objective", "gradient_norm", "update_norm", "learning_rate")}
    for step, steps in ((0, {}), (1, {"steps": {**log, "rejected": [[True]]}})):
        row = Checkpoint(run_id, step, 0, "sgd", {}, metrics=metrics)
        store.append(run_id, [row], state_step=step, report={"restarts": [0], **steps})
    return run_id


def ask(store: CheckpointStore, path: str, method: str = "GET") -> tuple[str, str]:
    begun: list[Any] = []
    parts = TrainingPages(optuna, store)(
        {"PATH_INFO": path, "REQUEST_METHOD": method}, lambda *given: begun.append(given)
    )
    body = b"".join(parts)
    assert dict(begun[0][1])["Content-Length"] == str(len(body))
    return begun[0][0], body.decode()


def test_runs_are_listed_and_shown(store: CheckpointStore):
    run_id = begin(store)
    status, page = ask(store, "/training")
    assert (status, f'href="/training/{run_id}"' in page) == ("200 OK", True)
    assert "<b>probe" not in page
    status, page = ask(store, f"/training/{run_id}")
    assert (status, page.count("<svg")) == ("200 OK", 1)
    assert "http-equiv" in page, "a running run is loaded again"
    assert '<td>0</td><td class="number">0.25</td><td class="number">0.25</td><td class="number">1</td>' in page
    assert "<b>probe" not in page
    store.finish_run(run_id)
    assert "http-equiv" not in ask(store, f"/training/{run_id}")[1]


def test_what_a_store_of_others_says_is_shown_as_text(store: CheckpointStore, monkeypatch: pytest.MonkeyPatch):
    run_id = begin(store)
    hostile = "<script>alert(1)</script>"
    with store.tables.database._engine.connect().execution_options(quantsim_writes=True) as connection:
        connection.exec_driver_sql("UPDATE runs SET status = ?", (hostile,))
        connection.commit()
    assert "<script" not in ask(store, "/training")[1]
    assert "<script" not in ask(store, f"/training/{run_id}")[1]


def test_unknown_runs_are_refused_with_a_way_back(store: CheckpointStore):
    status, page = ask(store, "/training/abc")
    assert status == "404 Not Found"
    assert "no run in" in page
    assert 'href="/training"' in page


def test_pages_of_optuna_get_a_link_and_nothing_else_changes(store: CheckpointStore):
    assert ask(store, "/dashboard")[1] == PAGE.decode(), "without gradient runs"
    begin(store)
    assert 'href="/training"' in ask(store, "/dashboard/studies/1")[1]
    for path, method in (("/api/studies", "GET"), ("/training", "POST"), ("/trainings", "GET")):
        assert ask(store, path, method)[1] == PAGE.decode()
