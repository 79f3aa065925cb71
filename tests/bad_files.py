"""Faulty files: every fault wherever a file is read or written, and a store that must stay as it is."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import optuna
from bad_inputs import LONG, Case
from sqlalchemy import create_engine, text, update

import quantsim
from quantsim import Experiment
from quantsim.checkpoints import Checkpoint, CheckpointStore
from quantsim.checkpoints.database import schema
from quantsim.storages.opened import opened_storage

_CONTENTS = ("empty", "binary", "text", "latin", "cut", "deep")
_UNREADABLE = ("unreadable",) if os.geteuid() else ()  # nothing is, to the superuser
_FAULTS = (*_CONTENTS, "missing", "folder", "long", "loop", "pipe", "below a file", *_UNREADABLE)


def file_cases() -> Iterator[Case]:
    """Every fault of a file, wherever a file is read or written."""
    for fault in _FAULTS:
        study = "{inputs}/" + _faulty("study", fault, ".toml")
        yield Case(f"study: {fault}", ("optuna", "--study", study), (study, "no study"))
        fingerprint = "{inputs}/" + _faulty("fingerprint", fault, ".json")
        for command in (("optuna", "--study"), ("run",), ("convert",)):
            yield Case(f"fingerprint of {command[0]}: {fault}", (*command, fingerprint), (fingerprint, "no study"))
        space = "{inputs}/" + _faulty("space", fault, ".toml")
        yield Case(f"search space: {fault}", ("space", space), (space, "no search space"))
        yield Case(f"search.space: {fault}", ("optuna", "--set", f"search.space={space}"), (space, "no search space"))
        for suffix in (".csv", ".parquet"):
            prices = "{inputs}/" + _faulty("prices", fault, suffix)
            yield Case(f"prices{suffix}: {fault}", ("prices", "--source", prices), (prices, "price source"))
            yield Case(
                f"data.source{suffix}: {fault}", ("sgd", "--set", f"data.source={prices}"), (prices, "price source")
            )
            for key in ("swap_fee", "trades"):
                arguments = ("simulate", "--set", f"series.{key}={prices}", "--set", "fees.swap_fee=0.0")
                yield Case(f"series.{key}{suffix}: {fault}", arguments, (prices, f"series.{key}"))
        store = "{inputs}/" + _faulty("store", fault, ".db")
        for command in (("select",), ("simulate", "--from", "best"), ("export", "best"), ("sgd", "--from", "best")):
            yield Case(f"store of {command[0]}: {fault}", (*command, "--store", store), (store, "checkpoint store"))
        for suffix in (".journal", ".db"):
            storage = "{inputs}/" + _faulty("storage", fault, suffix)
            yield Case(f"storage{suffix}: {fault}", ("dashboard", "--storage", storage), (storage,))
        result = "{inputs}/" + _faulty("result", fault, ".json")
        yield Case(f"result file: {fault}", ("import", result), (result,))
    for fault in ("folder", "binary", "text", "cut", "loop", "below a file"):
        store = "{inputs}/" + _faulty("store", fault, ".db")
        yield Case(f"store to write: {fault}", ("sgd", "--steps", "1", "--store", store), (store,))
    for fault in ("folder", "binary", "text", "pipe", "loop", "below a file"):
        storage = "{inputs}/" + _faulty("storage", fault, ".journal")
        yield Case(f"storage to write: {fault}", ("optuna", "--storage", storage), (storage,))
    for store in ("newer.db", "foreign.db"):
        yield Case(f"store: {store}", ("select", "--store", f"{{inputs}}/{store}"), (store,))
    for name in ("no price.csv", "no time.csv", "negative.csv", "backwards.csv", "words.csv", "twice.csv"):
        yield Case(f"prices: {name}", ("prices", "--source", f"{{inputs}}/{name}"), (name,))


def _faulty(what: str, fault: str, suffix: str) -> str:
    """The name of a faulty file below the folder of inputs."""
    if fault == "below a file":
        return f"text.txt/{what}{suffix}"
    if fault == "long":
        return f"{LONG}{suffix}"
    return f"{what} {fault}{suffix}"


def make_inputs(folder: Path, store: Path) -> None:
    """The faulty files that the cases name."""
    folder.mkdir()
    noise = random.Random(0).randbytes(3000)  # noqa: S311
    kinds = {
        "study": ".toml",
        "space": ".toml",
        "result": ".json",
        "fingerprint": ".json",
        "store": ".db",
        "storage": ".journal .db",
        "prices": ".csv .parquet",
    }
    (folder / "fingerprint.json").write_text(json.dumps(_FINGERPRINT))
    (folder / "text.txt").write_text("what I did today\n")
    (folder / "binary.db").write_bytes(noise)
    for what, suffixes in kinds.items():
        for suffix in suffixes.split():
            contents = {
                "empty": b"",
                "binary": noise,
                "text": b"what I did today\nnothing\n",
                "latin": "name = 'Zürich'\ndate,Zürich\n".encode("latin-1"),
                "cut": _cut(what, suffix, store),
                "deep": b"x = " + b"[" * 20_000,
            }
            for fault, content in contents.items():
                (folder / _faulty(what, fault, suffix)).write_bytes(content)
            (folder / _faulty(what, "folder", suffix)).mkdir()
            (folder / _faulty(what, "loop", suffix)).symlink_to(folder / _faulty(what, "loop", suffix))
            (folder / _faulty(what, "unreadable", suffix)).touch(mode=0)
            os.mkfifo(folder / _faulty(what, "pipe", suffix))
    header = "timestamp,close\n"
    tables = {
        "no price.csv": "timestamp\n2019-01-01T00:00\n2019-01-01T00:01\n",
        "no time.csv": "close\n1.0\n2.0\n",
        "negative.csv": f"{header}2019-01-01T00:00,1.0\n2019-01-01T00:01,-1.0\n",
        "backwards.csv": f"{header}2019-01-01T00:01,1.0\n2019-01-01T00:00,1.0\n2019-01-01T00:02,1.0\n",
        "words.csv": f"{header}2019-01-01T00:00,one\n2019-01-01T00:01,two\n",
        "twice.csv": f"{header}2019-01-01T00:00,1.0\n2019-01-01T00:00,1.0\n",
    }
    for name, rows in tables.items():
        (folder / name).write_text(rows)
    shutil.copy(store, folder / "newer.db")
    newer = update(schema.schema_version).values(version=99)
    statements = {"newer.db": newer, "foreign.db": text("create table runs (x)")}
    for name, statement in statements.items():
        engine = create_engine(f"sqlite:///{folder / name}")
        with engine.begin() as connection:
            connection.execute(statement)
        engine.dispose()


_FINGERPRINT = {
    "rule": "momentum",
    "tokens": ["BTC", "ETH"],
    "startDateString": "2018-01-01 00:00:00",
    "endDateString": "2018-06-01 00:00:00",
    "endTestDateString": "2018-08-01 00:00:00",
}


def _cut(what: str, suffix: str, store: Path) -> bytes:
    """The beginning of a file that was right."""
    if suffix == ".db":
        return store.read_bytes()[:6000]
    if suffix == ".parquet":
        return next((Path(quantsim.__file__).parent / "prices" / "bundled").glob("*.parquet")).read_bytes()[:5000]
    cut = {".toml": b"[memory_days]\nlow = ", ".json": b'[{"a": [1, ', ".csv": b"timestamp,close\n2019-01-01T00:00,"}
    return cut.get(suffix, b"{}")


def make_store(folder: Path) -> Path:
    """A store with a run of two checkpoints, and an empty journal beside it."""
    folder.mkdir()
    study = Experiment.load("momentum_fees")
    raw = {name: tuple(values.tolist()) for name, values in study.initial_parameters().items()}
    human = {name: tuple(values.tolist()) for name, values in study.human_parameters(raw).items()}
    metrics = {split: {study.objective.name: 1.0} for split in study.periods.splits()}
    with CheckpointStore(folder / "checkpoints.db") as store:
        config = study.model_dump(mode="json")
        run = store.begin_run(experiment_id=study.identity, data_id="0", driver="sgd", config=config, name=study.name)
        rows = [Checkpoint(run, 0, row, "sgd", raw, human=human, metrics=metrics) for row in range(2)]
        store.append(run, rows)
        store.finish_run(run)
    with opened_storage(folder / "checkpoints.journal") as storage:
        optuna.create_study(storage=storage, study_name="any")
    return folder / "checkpoints.db"
