"""Paths in a study are relative to its file, and the location of files does not count in the identity."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantsim import Evaluator, Experiment
from quantsim.errors import ConfigError
from quantsim.search_space import load_search_space

DAYS = pd.date_range("2024-01-01", periods=40, freq="D").strftime("%Y-%m-%d")

STUDY = """
[data]
source = "prices"
tokens = ["A", "B"]
[periods]
train_start = 2024-01-10
train_end = 2024-02-05
[pool]
rule = "../rules/own.py:still"
[update]
max_memory_days = 5.0
[series]
swap_fee = "prices/fees.csv"
[search]
space = "spaces/mine.toml"
"""

RULE = """
from quantsim.rules.momentum import RULE as momentum
import dataclasses
still = dataclasses.replace(momentum, name="still")
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study with files beside it; the working directory is another."""
    root = tmp_path / "checkout"
    for folder in ("study/prices", "study/spaces", "rules"):
        (root / folder).mkdir(parents=True)
    for number, token in enumerate(("A", "B"), start=1):
        closes = np.exp(0.01 * np.sin(np.arange(DAYS.size) * number))
        pd.DataFrame({"time": DAYS, "close": closes}).to_csv(root / f"study/prices/{token}.csv", index=False)
    (root / "study/prices/fees.csv").write_text("time,value\n2024-01-01,0.003\n")
    (root / "study/spaces/mine.toml").write_text("[memory_days]\nlow = 1.0\nhigh = 4.0\n")
    (root / "rules/own.py").write_text(RULE)
    (root / "study/study.toml").write_text(STUDY)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return root


def test_paths_in_a_file_are_relative_to_its_folder(checkout: Path) -> None:
    study = Experiment.load(checkout / "study/study.toml")
    evaluator = Evaluator(study)
    assert evaluator.series.costs["swap_fee"][0] == 0.003
    assert study.rule.name == "still"
    assert load_search_space(study).distributions().keys() == {"memory_days[A]", "memory_days[B]"}


def test_a_stored_study_finds_its_files_from_anywhere(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkout / "study")
    study = Experiment.load("./study.toml")
    config, sources = study.model_dump(mode="json"), study.rule_sources
    monkeypatch.chdir(checkout)
    again = Experiment.from_stored(config, sources, [checkout / "rules/own.py"])
    assert again.identity == study.identity
    assert again.load_prices().identity == study.load_prices().identity
    assert again.override(["fees.arb_fee=0.001"]).load_prices().identity == study.load_prices().identity


def test_the_folder_of_a_checkout_does_not_count(checkout: Path, tmp_path: Path) -> None:
    study = Experiment.load(checkout / "study/study.toml")
    moved = Experiment.load(Path(shutil.copytree(checkout, tmp_path / "moved")) / "study/study.toml")
    assert moved.data.source != study.data.source
    assert moved.identity == study.identity
    assert Evaluator(moved).data_id == Evaluator(study).data_id
    (tmp_path / "moved/rules/own.py").write_text(RULE + "\n# changed\n")
    assert Experiment.load(tmp_path / "moved/study/study.toml").identity != study.identity
    (tmp_path / "moved/study/prices/fees.csv").write_text("time,value\n2024-01-01,0.001\n")
    assert Evaluator(moved).data_id != Evaluator(study).data_id


def test_paths_in_settings_and_dicts_are_relative_to_the_working_directory(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Experiment.load(checkout / "study/study.toml")
    assert study.override(["data.source=other"]).data.source == str(Path.cwd() / "other")
    tables = study.model_dump(mode="json") | {"data": {"source": "study/prices", "tokens": ["A", "B"]}}
    monkeypatch.chdir(checkout)
    made = Experiment.from_dict(tables)
    monkeypatch.chdir("/")
    assert made.load_prices().identity == study.load_prices().identity
    with_path = Experiment.from_dict(tables | {"data": {"source": checkout / "study/prices", "tokens": ["A", "B"]}})
    assert with_path.identity == made.identity


def test_bundled_names_are_not_paths(checkout: Path) -> None:
    study = Experiment.load("momentum_fees").override(["search.space=momentum"])
    assert (study.data.source, study.search.space) == ("bundled", "momentum")
    assert load_search_space(study).dimensions
    misspelt = study.override(["search.space=momentm"])
    with pytest.raises(ConfigError, match="did you mean 'momentum'"):
        load_search_space(misspelt)
