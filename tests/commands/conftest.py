"""The command line in this process and in one of its own; a store with results, made once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_support import ROOT, SMALL_SEARCH, SMALL_SGD, invoke
from typer.testing import Result

from quantsim.dashboard import artifacts

Cli = Callable[..., Result]
Process = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(autouse=True)
def _no_pictures_of_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out what searches draw for the dashboard, which takes longer than their trials: see tests/dashboard."""
    monkeypatch.setattr(artifacts, "_suffixes", lambda: (".toml",))


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs the command line in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("QUANTSIM_STORE", "QUANTSIM_STORAGE", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    return invoke


@pytest.fixture(scope="session")
def compilations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the processes of these tests keep compiled programs, so that each is compiled once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def process(tmp_path: Path, compilations: Path) -> Process:
    """Starts the command line as the user does, in an empty folder."""

    def start(*arguments: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "XDG_CACHE_HOME": str(compilations), "PYTHONUNBUFFERED": "1"}
        environment.pop("JAX_COMPILATION_CACHE_DIR", None)
        return subprocess.Popen(
            [sys.executable, str(ROOT / "cli.py"), *arguments],
            cwd=tmp_path,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    return start


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a gradient run and a search, each of the bundled study of its command. Only to be read."""
    store = tmp_path_factory.mktemp("results") / "checkpoints.db"
    for command, small in (("sgd", SMALL_SGD), ("optuna", SMALL_SEARCH)):
        result = invoke(command, *small, "--store", store)
        assert result.exit_code == 0, result.output
    return store


@pytest.fixture
def own_results(results: Path, tmp_path: Path) -> Path:
    """A copy of that store, to be written to."""
    return Path(shutil.copytree(results.parent, tmp_path / "results")) / results.name
