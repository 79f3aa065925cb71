"""Bundled studies are found by name in any folder, and files by path."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantsim import Experiment
from quantsim.config.locate import bundled_names
from quantsim.errors import ConfigError

STUDY = """
[data]
tokens = ["BTC", "ETH"]
[periods]
train_start = 2018-01-01
train_end = 2018-06-01
[pool]
rule = "momentum"
"""


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_bundled_studies_are_found_wherever_it_runs(elsewhere: Path) -> None:
    for name in bundled_names("studies"):
        assert Experiment.load(name).name == name
    with pytest.raises(ConfigError, match="did you mean 'momentum_fees'"):
        Experiment.load("momentum_fee")


def test_a_name_means_the_bundled_study_and_a_path_the_file(elsewhere: Path) -> None:
    (elsewhere / "momentum_fees").write_text(STUDY)
    assert Experiment.load("momentum_fees").fees.swap_fee > 0
    for path in ("./momentum_fees", Path("momentum_fees"), elsewhere / "momentum_fees"):
        assert Experiment.load(path).fees.swap_fee == 0
    with pytest.raises(ConfigError, match="it is not a file"):
        Experiment.load(Path("momentum_zero_fee"))
