"""Rules of users' files: what runs is what was hashed, and a stored study runs nothing by being read."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import optuna
import pytest

from quantsim import CheckpointStore, Experiment
from quantsim.checkpoints.stored import rule_notes, study_of_run
from quantsim.drivers.search.study import describe_task
from quantsim.errors import ConfigError

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "own_rule.py"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A rule file that leaves a trace whenever it is run."""
    trace = f"with open({str(tmp_path / 'trace')!r}, 'a') as trace:\n    trace.write('run ')\n"
    path = tmp_path / "mine.py"
    path.write_text(EXAMPLE.read_text() + trace)
    return path


def runs(file: Path) -> int:
    trace = file.parent / "trace"
    return trace.read_text().count("run") if trace.exists() else 0


def study(rule: str, **tables: Any) -> Experiment:
    return Experiment.from_dict(
        {
            "data": {"tokens": ["A", "B"]},
            "periods": {"train_start": "2023-01-21", "train_end": "2023-03-31", "validation_end": "2023-04-21"},
            "pool": {"rule": rule},
            **tables,
        }
    )


def ceiling(experiment: Experiment) -> float:
    return float(experiment.human_parameters(experiment.initial_parameters())["ceiling"][0])


def stored(experiment: Experiment, folder: Path) -> Experiment:
    """The study of a run that was stored with the experiment, as it is read."""
    with CheckpointStore(folder / "checkpoints.db") as store:
        what = {"experiment_id": experiment.identity, "data_id": "d", "driver": "sgd"}
        run_id = store.begin_run(**what, config=experiment.model_dump(mode="json"), notes=rule_notes(experiment))
        return study_of_run(store.run(run_id))


def test_a_change_that_byte_code_would_hide_is_run(file: Path) -> None:
    before = study(f"{file}:calm_momentum")
    assert ceiling(before) == pytest.approx(0.02)
    times = file.stat()
    file.write_text(file.read_text().replace("default=0.02", "default=0.07"))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # of the same size and time, as byte code is told by
    assert ceiling(study(f"{file}:calm_momentum")) == pytest.approx(0.07)
    assert not list(file.parent.glob("__pycache__/mine*"))


def test_an_experiment_keeps_the_rule_that_it_was_made_with(file: Path) -> None:
    experiment = study(f"{file}:calm_momentum")
    identity, there = experiment.identity, pickle.loads(pickle.dumps(experiment))  # noqa: S301
    file.write_text(file.read_text().replace("default=0.02", "default=0.05"))
    for same in (experiment, there, experiment.override(["fees.swap_fee=0.0"])):
        assert same.identity == identity
        assert ceiling(same) == pytest.approx(0.02)


def test_a_process_that_finds_another_file_does_not_run_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = pickle.dumps(study(f"{file}:calm_momentum"))
    file.write_text(file.read_text().replace("default=0.02", "default=0.05"))
    for known in ("_modules", "_guarded_objects"):
        monkeypatch.setattr(f"quantsim.discovery.files.{known}", {})  # as in a process of its own
    with pytest.raises(ConfigError, match=r"mine\.py has changed since"):
        _ = pickle.loads(there).rule  # noqa: S301


def test_reading_a_stored_study_runs_no_file(file: Path, tmp_path: Path) -> None:
    ensemble = {"ensemble": {"mine": f"{file}:calm_momentum", "plain": "momentum"}}
    for tables in ({}, {"pool": ensemble}):
        experiment = study(f"{file}:calm_momentum", **tables)
        before = runs(file)
        read = stored(experiment, tmp_path)
        assert read.periods.has_validation
        assert read.identity == experiment.identity
        assert read.override(["objective.report=[]"]).objective.report == ()
        assert runs(file) == before
        with pytest.raises(ConfigError, match="--rule-file"):
            _ = read.layout


def test_the_file_that_was_run_is_taken_wherever_it_lies(file: Path, tmp_path: Path) -> None:
    experiment = study(f"{file}:calm_momentum")
    config, sources = experiment.model_dump(mode="json"), experiment.rule_sources
    (tmp_path / "moved").mkdir()
    moved = Path(shutil.move(file, tmp_path / "moved" / "theirs.py"))
    opened = Experiment.from_stored(config, sources, [moved])
    assert opened.identity == experiment.identity
    assert opened.pool.rule == f"{moved}:calm_momentum"
    assert ceiling(opened) == pytest.approx(0.02)
    moved.write_text(moved.read_text() + "\n# changed\n")
    with pytest.raises(ConfigError, match=r"theirs\.py is not of the stored study.*SHA-256.*Restore"):
        Experiment.from_stored(config, sources, [moved])
    with pytest.raises(ConfigError, match=r"stored it without the hash of .*mine\.py:calm_momentum.*--as-study"):
        Experiment.from_stored(config, {}, [moved])
    plain = study("momentum").model_dump(mode="json")
    with pytest.raises(ConfigError, match="the study has no rule, fee rule or pool from a file of your own"):
        Experiment.from_stored(plain, {}, [moved])


def test_a_fee_rule_of_a_stored_study_is_not_run_either(file: Path, tmp_path: Path) -> None:
    shutil.copy(Path(__file__).resolve().parents[2] / "quantsim" / "fee_rules" / "trend.py", tmp_path / "fees.py")
    experiment = study("momentum", fees={"rule": f"{tmp_path / 'fees.py'}:FEE_RULE"})
    (tmp_path / "fees.py").write_text("raise SystemExit(1)\n")
    read = stored(experiment, tmp_path)
    assert read.identity == experiment.identity
    with pytest.raises(ConfigError, match="--rule-file"):
        _ = read.layout


def test_a_journal_runs_no_file_by_being_read(file: Path) -> None:
    experiment = study(f"{file}:calm_momentum")
    search = optuna.create_study()
    describe_task(search, experiment)
    before = runs(file)
    config, sources = (search.user_attrs[f"quantsim_{name}"] for name in ("experiment", "rule_sources"))
    assert Experiment.from_stored(config, sources).identity == experiment.identity
    assert runs(file) == before
    assert ceiling(Experiment.from_stored(config, sources, [file])) == pytest.approx(0.02)
