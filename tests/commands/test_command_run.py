"""Studies and fingerprints run with the driver that they name; fingerprints are studies to every command."""

from __future__ import annotations

import functools
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command_support import invoke

from quantsim import CheckpointStore, Experiment, FingerprintWarning
from quantsim.commands import hybrid

BASIC: dict[str, Any] = {
    "tokens": ["BTC", "ETH"],
    "rule": "momentum",
    "startDateString": "2024-01-01 00:00:00",
    "endDateString": "2024-03-01 00:00:00",
    "endTestDateString": "2024-04-01 00:00:00",
    "chunk_period": 60,
}
SHORT = ("--set", "sgd.report_every=1", "--set", "sgd.batch_size=2", "--set", "sgd.n_parameter_sets=2")


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of hourly prices of BTC and ETH, from 2023-12-15 to 2024-04-02."""
    folder = tmp_path_factory.mktemp("prices")
    times = pd.date_range("2023-12-15", "2024-04-02", freq="h", tz="UTC")
    generator = np.random.default_rng(1)
    for token, first in (("BTC", 4e4), ("ETH", 2e3)):
        closes = first * np.exp(np.cumsum(generator.standard_normal(len(times)) * 0.006))
        pd.DataFrame({"time": times, "close": closes}).to_csv(folder / f"{token}.csv", index=False)
    return folder


@pytest.fixture
def fingerprint(tmp_path: Path) -> Any:
    """Writes a dictionary over the basic one to a file, and returns where."""

    def write(tables: Mapping[str, Any], name: str = "guide") -> Path:
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(over(BASIC, tables)))
        return path

    return write


def over(base: Mapping[str, Any], tables: Mapping[str, Any]) -> dict[str, Any]:
    """The tables merged into those of ``base``, nested ones too."""
    found = dict(base)
    for name, value in tables.items():
        inside = found.get(name)
        found[name] = over(inside, value) if isinstance(value, Mapping) and isinstance(inside, Mapping) else value
    return found


def of_guide(shared: Path, name: str) -> dict[str, Any]:
    guide = json.loads((shared / "golden" / "fingerprint_defaults.json").read_text())["guide"]
    tables = over(guide["basic"], guide[name])
    if call := tables.pop("call", None):
        tables["multi_period"] = call
    return tables


@pytest.mark.parametrize(
    ("name", "driver"),
    [
        ("basic", "sgd"),
        ("gradient_descent", "sgd"),
        ("optuna", "search"),
        ("configuration", "sgd"),
        ("multi_objective", "search"),
        ("universal", "sgd"),
        ("initial", "sgd"),
        ("multi_period mean", "sgd"),
        ("multi_period softmin", "sgd"),
    ],
)
def test_the_dictionaries_of_the_guide_run_as_they_are(
    name: str, driver: str, shared: Path, prices: Path, tmp_path: Path
) -> None:
    part, _, aggregation = name.partition(" ")
    tables = of_guide(shared, part)
    if aggregation:  # the guide has both in one line
        tables["multi_period"]["aggregation"] = aggregation
    path, store = tmp_path / f"{part}.json", tmp_path / "c.db"
    path.write_text(json.dumps(tables))
    amount = ("--steps", "1") if driver == "sgd" else ("--trials", "2", "--jobs", "1")
    few = SHORT if driver == "sgd" else ()
    result = invoke("run", path, "--set", f"data.source={prices}", *amount, *few, "--store", store, "-q")
    assert result.exit_code == 0, result.output
    assert f"Driver: {driver}, named in the study." in result.stderr
    with CheckpointStore(store) as results:
        (run,) = results.find_runs()
        assert (run.driver, run.status, run.name) == (driver, "finished", part)
        rows = results.checkpoints(run_id=run.run_id)
    assert len(rows) >= 2
    assert all(np.isfinite(next(iter(row.metrics["train"].values()))) for row in rows)


def test_a_fingerprint_is_a_study_to_every_command(fingerprint: Any, prices: Path, tmp_path: Path) -> None:
    path = fingerprint({"fees": 0.003, "optimisation_settings": {"n_cycles": 2}}, "mine")
    result = invoke("simulate", "--study", path, "--set", f"data.source={prices}", "--split", "test")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("optimisation_settings.n_cycles") == 1
    assert "FingerprintWarning" not in result.stderr
    missing = fingerprint({"tokens": ["BTC", "SOL"]}, "other")
    refused = invoke("simulate", "--study", missing)
    assert refused.exit_code == 2
    assert "'SOL'" in refused.stderr
    assert "data.source = 'bundled' has few tokens: set it to a folder or a file" in refused.stderr
    other_times = invoke("simulate", "--study", path)
    assert other_times.exit_code == 2
    assert "lies outside bundled" in other_times.stderr
    assert "name a folder or a file with data.source" in other_times.stderr


def test_what_is_printed_loads_as_the_fingerprint_does(fingerprint: Any, tmp_path: Path) -> None:
    tables = {
        "tokens": ["ETH", "BTC"],
        "rule": "ensemble__momentum",
        "n_ensemble_members": 2,
        "use_fused_reserves": False,
        "subsidary_pools": [{"tokens": ["LTC", "XRP"], "rule": "momentum"}],
        "optimisation_settings": {"method": "optuna", "use_gradient_clipping": False, "initial_random_key": 3},
    }
    path = fingerprint({**tables, "initial_memory_length": 7.5}, "mine")
    result = invoke("convert", path)
    assert result.exit_code == 0, result.output
    assert "# use_fused_reserves: " in result.stdout
    assert "# optimisation_settings.optuna_settings.expand_around: " in result.stdout
    study = tmp_path / "study.toml"
    study.write_text(result.stdout)
    assert tomllib.loads(result.stdout)["driver"] == "search"
    with pytest.warns(FingerprintWarning):
        given = Experiment.load(path)
    loaded = Experiment.load(study)
    assert loaded == given.override(["name='mine'"])
    assert loaded.identity == given.identity
    again = invoke("convert", path, "--set", "sgd.steps=7")
    assert "steps = 7" in again.stdout


def test_rows_of_initial_values_survive_the_way_through_a_study_file(fingerprint: Any, tmp_path: Path) -> None:
    path = fingerprint(
        {"initial_k_per_day": [[1.0, 2.0], [3.0, 4.0]], "optimisation_settings": {"n_parameter_sets": 2}}, "rows"
    )
    study = tmp_path / "study.toml"
    study.write_text(invoke("convert", path).stdout)
    assert Experiment.load(study).identity == Experiment.load(path).identity
    assert len(Experiment.load(study).sgd.starts) == 2


def test_options_of_other_drivers_are_refused(fingerprint: Any) -> None:
    gradients, search = fingerprint({}), fingerprint({"optimisation_settings": {"method": "optuna"}}, "search")
    for arguments, said in (
        ((gradients, "--trials", "3"), "--trials 3 is not for the driver sgd"),
        ((search, "--steps", "3"), "--steps 3 is not for the driver search"),
    ):
        result = invoke("run", *arguments)
        assert result.exit_code == 2
        assert said in result.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ('"[{}]"', "it looks like a result file, which `quantsim import` reads"),
        ("5", "must hold a dictionary of keys and values, not 5"),
        ('{"data": {}}', "unknown fingerprint key 'data'"),
        ("\xff", "is not JSON"),
        ("[" * 100_000, "is nested too deeply"),
    ],
)
@pytest.mark.parametrize("command", ["run", "convert"])
def test_files_that_are_no_fingerprints(content: str, said: str, command: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text(content)
    result = invoke(command, path)
    assert result.exit_code == 2
    assert said in result.stderr
    assert str(path) in result.stderr or "broken.json" in result.stderr
    assert "Traceback" not in result.output


def test_a_missing_file_and_one_that_is_not_utf_8(tmp_path: Path) -> None:
    assert "cannot be read" in invoke("convert", tmp_path / "none.json").stderr
    path = tmp_path / "latin.json"
    path.write_bytes(b'{"rule": "\xe4"}')
    assert "is not UTF-8" in invoke("convert", path).stderr


def test_both_in_turns_get_the_options_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    kept = functools.wraps(hybrid.hybrid)(lambda **options: given.update(options))
    monkeypatch.setattr(hybrid, "hybrid", kept)
    settings = ("--set", "driver=hybrid", "--set", "seed=3")
    result = invoke("run", "momentum_fees", *settings, "--steps", "7", "--trials", "5", "--max-minutes", "2", "-q")
    assert result.exit_code == 0, result.output
    assert given["study"] == "momentum_fees"
    assert given["settings"] == ["driver=hybrid", "seed=3"]
    assert (given["steps"], given["trials"], given["max_minutes"], given["quiet"]) == (7, 5, 2.0, True)
    assert "jobs" not in given
