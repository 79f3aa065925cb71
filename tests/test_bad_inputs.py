"""What is wrong is refused: exit code 1 or 2, one message that names the key, no traceback; nothing begun, nothing written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
import typer.testing
from bad_files import file_cases, make_inputs, make_store
from bad_inputs import TREE, Began, Case, problem
from bad_options import option_cases
from bad_studies import FREE_TEXT, free_texts, study_cases
from typer.testing import CliRunner

from quantsim.simulator import Evaluator

KINDS = {"study": study_cases, "options": option_cases, "files": file_cases}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder that commands run in, one of faulty files, and one with results, which all stay as they are."""
    root = tmp_path_factory.mktemp("bad")
    (root / "work").mkdir()
    store = make_store(root / "results")
    make_inputs(root / "inputs", store)
    return {"work": root / "work", "inputs": root / "inputs", "store": store.parent, "study": root / "study.toml"}


@pytest.fixture
def runner(places: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Runs commands as far as their first simulation."""

    def begin(*_args: object, **_options: object) -> None:
        raise Began

    monkeypatch.chdir(places["work"])
    monkeypatch.setattr(Evaluator, "arrays", begin)  # what every evaluation does first
    monkeypatch.setattr(typer.testing, "_get_command", lambda _app: TREE)
    for name in ("QUANTSIM_STORE", "QUANTSIM_STORAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "400")
    return CliRunner()


def failures(cases: Iterable[Case], places: dict[str, Path], runner: CliRunner) -> list[str]:
    return [f"{case.label}: {found}" for case in cases if (found := problem(case, places, runner)) is not None]


@pytest.mark.parametrize("kind", KINDS)
def test_refused_by_name_before_anything_begins(kind, places, runner):
    found = failures(KINDS[kind](), places, runner)
    assert not found, "\n".join([f"{len(found)} wrong inputs are not refused as they should be:", *found])


def test_there_are_enough():
    assert sum(1 for make in KINDS.values() for _ in make()) > 300


def test_every_key_of_free_text_has_its_wrong_values():
    assert free_texts() <= set(FREE_TEXT)
