"""The command line and Python give the same numbers, for every command that gives any. One tiny study, and two stores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from published_support import gradient_entry, result_file
from run_support import TINY_STUDY
from typer.testing import CliRunner

import quantsim
from quantsim.commands.app import app
from quantsim.commands.robust import KINDS
from quantsim.errors import ConfigError
from quantsim.prices import available
from quantsim.robustness import Variations
from quantsim.search_space import load_search_space
from quantsim.testing import check_all


class Same:
    """One study, and the stores of the command line and of Python."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "tiny.toml"
        self.file.write_text(TINY_STUDY)
        self.study = quantsim.Experiment.load(self.file)
        self.said = ""
        self.python, self.commands = (quantsim.CheckpointStore(folder / name) for name in ("p.db", "c.db"))

    def say(self, command: str, *arguments: str | Path, store: bool = True) -> str:
        """Runs a command on the study and its store, and returns what it prints."""
        place = ("--store", str(self.commands.url).removeprefix("sqlite:///")) if store else ()
        given = [command, *map(str, arguments), "--study", str(self.file), *place]
        result = CliRunner().invoke(app, given)
        assert result.exit_code == 0, result.output
        return result.stdout

    def same_rows(self, found: quantsim.Optimization[Any]) -> None:
        """Checks that the newest runs of both stores have equal rows, bit for bit."""
        frames = [
            store.to_frame(run_id=store.find_runs(driver=found.store.run(found.run_id).driver)[0].run_id)
            for store in (self.python, self.commands)
        ]
        ours, theirs = (frame.drop(columns=["run_id", "created_at"]).reset_index(drop=True) for frame in frames)
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


@pytest.fixture(scope="module")
def same(tmp_path_factory: pytest.TempPathFactory) -> Same:
    return Same(tmp_path_factory.mktemp("same"))


@pytest.fixture(scope="module")
def searched(same: Same) -> quantsim.Optimization[Any]:
    same.said = same.say("optuna", "--quiet")
    return quantsim.search(same.study, store=same.python)


def selected(said: str) -> str:
    """The step and the set of the selected checkpoint."""
    return said.partition("Selected ")[2].split(",")[0].split(":", 1)[1]


def test_optuna_and_run(same: Same, searched: quantsim.Optimization[Any]) -> None:
    same.same_rows(searched)
    assert selected(same.said) == searched.checkpoint.key.split(":", 1)[1]
    assert list(searched.to_frame()["step"]) == [0, 1, 2]
    run = searched.run
    best = f"trial {run.best_trial} is the best with {run.best_value:.4g}"
    assert repr(run) == f"SearchRun({run.study_name!r}: 3 trials, 3 new; {best})"
    place = str(same.commands.url).removeprefix("sqlite:///")
    again = CliRunner().invoke(app, ["run", str(same.file), "--set", 'driver="search"', "--store", place, "--quiet"])
    assert selected(again.stdout) == selected(same.said)
    assert searched.frame["value"].iloc[-1] == searched.simulate().value[-1]


def test_select_validate_and_export(same: Same, searched: quantsim.Optimization[Any]) -> None:
    shown = json.loads(same.say("select", "--method", "best_train", "--json"))
    picked = quantsim.pick(same.python, "best_train", study=same.study)
    assert shown["checkpoints"][0]["metrics"] == picked.checkpoint.metrics
    rows = same.python.checkpoints(run_id=searched.run_id)
    assert quantsim.select(rows, "best_train", same.study.objective.name).checkpoint == picked.checkpoint
    assert quantsim.top(rows, 1, metric=same.study.objective.name) == (picked.checkpoint,)
    judged = json.loads(same.say("validate", "--json"))
    ours = quantsim.validate(same.python, study=same.study).to_json()
    assert judged.keys() == ours.keys()
    for found in (judged, ours):
        del found["runs"], found["selected"], found["origin"], found["best"]["trial"]
    assert judged == json.loads(json.dumps(ours))
    exported = json.loads(same.say("export", "best_train"))
    own = quantsim.deployment(same.study, quantsim.start_from(same.python, "best_train", study=same.study))
    assert exported["pools"] == json.loads(json.dumps(own["pools"]))


def test_report(same: Same, searched: quantsim.Optimization[Any], tmp_path: Path) -> None:
    said = same.say("report", "best_train", "-o", tmp_path / "report.html")
    assert said == f"Report: {tmp_path / 'report.html'}\n"
    ours = quantsim.make_report(str(same.commands.url).removeprefix("sqlite:///"), "best_train", study=same.study)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == ours.html
    assert ours.title.startswith("tiny: ")


def test_sgd_and_hybrid(same: Same) -> None:
    said = same.say("sgd", "--quiet")
    trained = quantsim.train(same.study, store=same.python)
    same.same_rows(trained)
    assert selected(said) == trained.checkpoint.key.split(":", 1)[1]
    same.say("hybrid", "--quiet")
    same.same_rows(quantsim.hybrid(same.study, store=same.python))


def test_walk_forward(same: Same) -> None:
    options = ("--driver", "fixed", "--folds", "2", "--validation-days", "0", "--json", "--quiet")
    shown = json.loads(same.say("walk-forward", *options))
    found = quantsim.walk_forward(same.study, store=same.python, driver="fixed", folds=2, validation_days=0)
    ours = json.loads(json.dumps(found.outcome.to_json()))
    for fold in (*shown["folds"], *ours["folds"]):
        del fold["run"], fold["checkpoint"]
    assert shown == ours
    assert len(found.to_frame()) == 2
    assert found.frame["value"].iloc[0] == 1.0


def test_cross_validation(same: Same) -> None:
    options = ("--scheme", "cpcv", "--groups", "3", "--test-groups", "1", "--driver", "fixed", "--embargo-days", "1")
    shown = json.loads(same.say("walk-forward", *options, "--json", "--quiet"))
    given = {"groups": 3, "test_groups": 1, "embargo_days": 1.0}
    found = quantsim.walk_forward(same.study, store=same.python, scheme="cpcv", driver="fixed", **given)
    assert shown == json.loads(json.dumps(found.outcome.to_json()))
    assert list(found.to_frame()["sharpe"]) == list(found.outcome.sharpes)
    paths = found.frame.filter(like="path_")
    assert list(np.diff(np.log(paths["path_0"]))) == pytest.approx(list(found.outcome.daily_log_returns[0]), rel=1e-9)
    assert repr(found).startswith("CrossValidationResult('tiny', fixed, 1 paths through 3 groups")
    with pytest.raises(ConfigError, match=r"folds = 3 is not for scheme = 'cpcv'"):
        quantsim.walk_forward(same.study, store=same.python, scheme="cpcv", folds=3)  # type: ignore[call-overload]


def test_import_convert_and_check(same: Same, tmp_path: Path) -> None:
    dates = {
        "startDateString": "2019-01-01 00:00:00",
        "endDateString": "2019-05-31 00:00:00",
        "endTestDateString": "2019-07-01 00:00:00",
    }
    file = result_file(tmp_path / "run_0123.json", gradient_entry(0, [1.0, 2.0]), **dates)
    place = tmp_path / "imported.db"
    shown = json.loads(CliRunner().invoke(app, ["import", str(file), "--store", str(place), "--json"]).stdout)
    with quantsim.CheckpointStore(tmp_path / "python.db") as ours, quantsim.CheckpointStore(place) as theirs:
        (run,) = quantsim.import_results(file, ours)
        assert shown["imported"] == [{"file": str(file), "runs": [run.run_id], "checkpoints": 2, "is_new": True}]
        frames = [store.to_frame().drop(columns="created_at") for store in (ours, theirs)]
        pd.testing.assert_frame_equal(*frames, check_exact=True)
    fingerprint = {"tokens": ["BTC", "ETH"], "rule": "momentum", **dates}
    (tmp_path / "print.json").write_text(json.dumps(fingerprint))
    converted = json.loads(CliRunner().invoke(app, ["convert", str(tmp_path / "print.json"), "--json"]).stdout)
    study = quantsim.Experiment.from_fingerprint(fingerprint)
    assert quantsim.Experiment.from_dict(converted["study"]).identity == study.identity
    checked = json.loads(CliRunner().invoke(app, ["check", "returns", "--json"]).stdout)
    assert checked == {"passed": list(check_all("returns"))}


def test_simulate_and_grid(same: Same, tmp_path: Path) -> None:
    same.say("simulate", "--param", "memory_days=5", "--csv", tmp_path / "path.parquet")
    shown = pd.read_parquet(tmp_path / "path.parquet").set_index("time")
    frame = quantsim.simulate(same.study, {"memory_days": 5.0}, split="all").frame
    assert list(frame.index) == list(shown.index)
    pd.testing.assert_frame_equal(frame[list(shown.columns)].set_index(shown.index), shown, check_exact=True)
    same.say("grid", "--axis", "memory_days=5:20:2", "--csv", tmp_path / "cells.parquet", store=False)
    grid = quantsim.evaluate_grid(same.study, [quantsim.Axis("memory_days", 5.0, 20.0, 2)])
    cells = pd.read_parquet(tmp_path / "cells.parquet")
    for metric, values in grid.metrics["test"].items():
        assert list(cells[f"test_{metric}"]) == list(values)
    pd.testing.assert_frame_equal(grid.to_frame(), cells, check_exact=True)
    assert repr(grid).startswith("GridResult('tiny', 2 memory_days; best train daily_log_sharpe ")
    assert "<table" in grid._repr_html_()
    assert grid.plot().axes


def test_robust(same: Same) -> None:
    shown = json.loads(
        same.say("robust", "--kind", "neighbours", "--variations", "2", "--json", "--quiet", store=False)
    )
    found = quantsim.evaluate_robustness(same.study, variations=Variations(n=2), kinds=["neighbours"])
    assert shown == json.loads(json.dumps(found.to_json()))
    rows = found.to_frame()
    of_test = shown["kinds"]["neighbours"]["splits"]["test"]["returns"]
    assert rows.loc[("returns", "test", "neighbours"), "5 %"] == of_test["set"]["percentiles"]["5"]
    assert rows.loc[("returns", "test", "neighbours"), "share_ahead"] == of_test["share_ahead"]
    assert "<table" in found._repr_html_()
    assert found.plot().axes
    assert list(KINDS) == list(quantsim.robustness.KINDS)


def test_space_and_prices(same: Same) -> None:
    assert f"{len(load_search_space(same.study).draws)} values to search" in same.say("space", store=False)
    listed = CliRunner().invoke(app, ["prices"]).stdout
    assert all(covered.token in listed and f"{covered.n_bars:,}" in listed for covered in available())


def test_fit_volume(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "time": pd.date_range("2024-01-01", periods=60, freq="D"),
            "volume_usd": 2e5 * np.exp(0.3 * generator.standard_normal(60)),
            "tvl_usd": 1e6,
            "swap_fee": np.where(np.arange(60) < 30, 0.003, 0.001),
        }
    )
    frame.to_csv(tmp_path / "pool.csv", index=False)
    given = ["fit-volume", str(tmp_path / "pool.csv"), "--draws", "4", "--seed", "1"]
    result = CliRunner().invoke(app, [*given, "--json", "--output", str(tmp_path / "volume.json")])
    assert result.exit_code == 0, result.output
    found = quantsim.fit_volume(frame, draws=4, seed=1)
    assert json.loads(result.stdout) == json.loads(json.dumps(found.to_json()))
    assert json.loads((tmp_path / "volume.json").read_text()) == json.loads(result.stdout)
    shown = CliRunner().invoke(app, given)
    assert f"{found.estimates['fee_elasticity'].value:.2f}" in shown.stdout
    assert "2 values of the fee" in " ".join(shown.stdout.split())
