from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from checkpoint_support import BEGIN

from quantsim.checkpoints import Checkpoint, CheckpointStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "er" / "checkpoints.db"


@pytest.fixture
def store(path: Path) -> Iterator[CheckpointStore]:
    with CheckpointStore(path) as opened:
        yield opened


@pytest.fixture
def run_id(store: CheckpointStore) -> str:
    return store.begin_run(**BEGIN)


@pytest.fixture(scope="session")
def make() -> Callable[..., Checkpoint]:
    """A checkpoint with metrics ``m`` per split given by keyword: ``make(step, set, train=1.0, test=2.0)``."""

    def made(step: int = 0, parameter_set: int = 0, run_id: str = "r", **options: Any) -> Checkpoint:
        metric = options.pop("metric", "m")
        splits = ("train", "validation", "test")
        metrics = {split: {metric: options.pop(split)} for split in splits if split in options}
        options.setdefault("raw", {"w": (float(step), float(parameter_set))})
        return Checkpoint(run_id, step, parameter_set, options.pop("driver", "sgd"), metrics=metrics, **options)

    return made


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts Python scripts as processes of their own, which do not outlive the test."""
    started: list[subprocess.Popen[str]] = []

    def start(source: str, *arguments: object) -> subprocess.Popen[str]:
        file = tmp_path / f"script_{len(started)}.py"
        file.write_text(source)
        command = [sys.executable, "-W", "error", str(file), *map(str, arguments)]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, env=dict(os.environ), **pipes)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
