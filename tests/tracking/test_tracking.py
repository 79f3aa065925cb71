"""Trackers have what the store has, each number once, however a run was interrupted."""

from __future__ import annotations

import importlib.util
import logging
import signal
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quantsim import CheckpointStore
from quantsim.checkpoints import Checkpoint, Run
from quantsim.errors import ConfigError
from quantsim.tracking import Tracking, check_tracking, open_tracking
from quantsim.tracking.entries import Entry
from quantsim.tracking.tracker import Tracker

EVERY, N_SETS = 2, 2
Numbers = dict[str, dict[int, list[float]]]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CheckpointStore]:
    with CheckpointStore(tmp_path / "store.db") as opened:
        yield opened


def begin(store: CheckpointStore, driver: str = "sgd") -> str:
    config = {"pool": {"rule": "momentum"}, "seed": 7, "fees": {"gas": None}}
    return store.begin_run(experiment_id="e", data_id="d", driver=driver, config=config, name="a study")


def rows(run_id: str, step: int, driver: str = "sgd") -> list[Checkpoint]:
    sets = range(N_SETS if driver == "sgd" else 1)
    return [Checkpoint(run_id, step, i, driver, {}, metrics={"train": {"returns": step + 0.5 * i}}) for i in sets]


def log(step: int) -> dict[str, Any]:
    steps = range(step - EVERY + 1, step + 1) if step else ()
    return {"steps": {"objective": [[10.0 * at, 10.0 * at + 1.0] for at in steps]}} if step else {}


def add(store: CheckpointStore, run_id: str, step: int, tracking: Tracking | None) -> None:
    """Stores a report, and tracks it."""
    found = rows(run_id, step)
    store.append(run_id, found, state=b"", state_step=step, report=log(step))
    if tracking is not None:
        tracking.write(found, step, log(step))


def expected(steps: list[int]) -> Numbers:
    numbers: Numbers = {}
    for index in range(N_SETS):
        numbers[f"train.returns/set_{index}"] = {step: [step + 0.5 * index] for step in steps}
        every = range(1, max(steps) + 1)
        numbers[f"batch_objective/set_{index}"] = {at: [10.0 * at + index] for at in every}
    return numbers


def tensorboard_numbers(folder: Path) -> Numbers:
    """All scalars of the event files, which are TFRecords."""
    from tensorboardX.proto.event_pb2 import Event

    numbers: Numbers = {}
    for path in sorted(folder.glob("*/events.out.tfevents.*")):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            event = Event.FromString(data[at + 12 : at + 12 + length])
            at += length + 16
            for value in event.summary.value:
                numbers.setdefault(value.tag, {}).setdefault(event.step, []).append(value.simple_value)
    return numbers


def mlflow_numbers(uri: str) -> tuple[Any, Numbers]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    (run,) = client.search_runs([client.get_experiment_by_name("quantsim").experiment_id])
    numbers: Numbers = {}
    for name in run.data.metrics.keys() - {"entry"}:
        for metric in client.get_metric_history(run.info.run_id, name):
            numbers.setdefault(name, {}).setdefault(metric.step, []).append(metric.value)
    return run, numbers


def interrupted_and_resumed(store: CheckpointStore, **given: Any) -> None:
    """A process is killed after a report was stored and before it was tracked; a second one resumes the run."""
    run_id = begin(store)
    first = open_tracking(**given)
    first.begin(store, run_id)
    add(store, run_id, 0, first)
    add(store, run_id, 2, first)
    add(store, run_id, 4, None)
    for tracker in first.trackers:  # what the operating system closes
        for writer in getattr(tracker, "_writers", {}).values():
            writer.close()
    second = open_tracking(**given)
    second.begin(store, run_id)
    add(store, run_id, 6, second)
    second.end("interrupted")
    second.begin(store, run_id)  # as in the next round of a hybrid run
    add(store, run_id, 8, second)
    second.end("finished")


def test_tensorboard_has_each_number_once(store: CheckpointStore, tmp_path: Path):
    pytest.importorskip("tensorboardX")
    interrupted_and_resumed(store, tensorboard=tmp_path / "board")
    assert tensorboard_numbers(tmp_path / "board") == expected([0, 2, 4, 6, 8])
    (folder,) = (tmp_path / "board").iterdir()
    assert folder.name == f"a_study-sgd-{store.find_runs()[0].run_id[:8]}"


@pytest.mark.filterwarnings("ignore")  # of MLflow and what it imports
def test_mlflow_has_each_number_once(store: CheckpointStore, tmp_path: Path):
    pytest.importorskip("mlflow")
    interrupted_and_resumed(store, mlflow=str(tmp_path / "mlflow.db"))
    run, numbers = mlflow_numbers(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert numbers == expected([0, 2, 4, 6, 8])
    assert (run.info.status, run.info.run_name) == ("FINISHED", "a study (sgd)")
    assert run.data.params == {"pool.rule": "momentum", "seed": "7"}
    assert run.data.tags["quantsim.run_id"] == store.find_runs()[0].run_id
    with pytest.raises(
        ConfigError, match=r"nosuchstore://.* cannot be opened: .*; give an SQLite file such as mlflow.db"
    ):
        open_tracking(mlflow="nosuchstore://here")


class Kept(Tracker):
    """Keeps entries in memory; fails at one step."""

    def __init__(self, fails_at: int = -1) -> None:
        self.entries: list[Entry] = []
        self.statuses: list[str] = []
        self.fails_at = fails_at

    def begin(self, run: Run) -> set[int]:
        return {entry.step for entry in self.entries}

    def write(self, run: Run, entry: Entry) -> None:
        if entry.step == self.fails_at:
            raise OSError("the disk of postgresql://user:secret@host/name is full")
        self.entries.append(entry)

    def end(self, run: Run, status: str) -> None:
        self.statuses.append(status)


def test_a_tracker_that_fails_does_not_stop_the_run(store: CheckpointStore, caplog: pytest.LogCaptureFixture):
    sound, broken = Kept(), Kept(fails_at=2)
    tracking = Tracking([broken, sound])
    run_id = begin(store)
    with caplog.at_level(logging.WARNING, logger="quantsim"):
        tracking.begin(store, run_id)
        for step in (0, 2, 4):
            add(store, run_id, step, tracking)
        tracking.end("finished")
    assert [entry.step for entry in sound.entries] == [0, 2, 4]
    assert (sound.statuses, broken.statuses) == (["finished"], [])
    (message,) = [record.getMessage() for record in caplog.records]
    assert "Kept receives no more results (OSError: the disk of" in message
    assert "secret" not in message
    broken.fails_at = -1
    again = Tracking([broken])
    again.begin(store, run_id)
    assert [entry.step for entry in broken.entries] == [0, 2, 4], "the next session transfers what is missing"


def test_an_interrupt_waits_for_a_tracker(store: CheckpointStore):
    class Interrupted(Kept):
        def write(self, run: Run, entry: Entry) -> None:
            signal.raise_signal(signal.SIGINT)
            super().write(run, entry)

    tracker, run_id = Interrupted(), begin(store)
    tracking = Tracking([tracker])
    tracking.begin(store, run_id)
    with pytest.raises(KeyboardInterrupt):
        add(store, run_id, 0, tracking)
    assert [entry.step for entry in tracker.entries] == [0]
    tracking.end("interrupted")
    assert tracker.statuses == ["interrupted"]


def test_trials_are_named_without_a_set(store: CheckpointStore):
    run_id, kept = begin(store, "search"), Kept()
    tracking = Tracking([kept])
    tracking.begin(store, run_id)
    tracking.write([*rows(run_id, 4, "search"), *rows(run_id, 3, "search")], 5, {"given": [3]})
    assert [(entry.step, entry.points) for entry in kept.entries] == [
        (3, [("train.returns", 3, 3.0)]),
        (4, [("train.returns", 4, 4.0)]),
    ]


@pytest.mark.parametrize(("option", "package"), [("tensorboard", "tensorboardX"), ("mlflow", "mlflow")])
def test_a_missing_extra_is_named(option: str, package: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    message = rf"{option} = 'there' needs {package}, .*pip install 'quantsim\[{option}\]'"
    with pytest.raises(ConfigError, match=message):
        check_tracking(**{option: "there"})


def test_a_file_is_no_folder_for_tensorboard(tmp_path: Path):
    pytest.importorskip("tensorboardX")
    (tmp_path / "board").write_text("")
    for folder in (tmp_path / "board", tmp_path / "board" / "below"):
        with pytest.raises(ConfigError, match="board is a file: name a folder"):
            check_tracking(tensorboard=folder)
