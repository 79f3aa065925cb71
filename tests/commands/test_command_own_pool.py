"""A pool of a user's file in every command and driver."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

OWN = Path(__file__).resolve().parents[2] / "examples" / "own_pool.py"

STUDY = f"""
[data]
tokens = ["BTC", "ETH"]
bar_minutes = 1440
forward_fill_bars = 8
[periods]
train_start = 2018-04-01
train_end = 2018-07-01
test_end = 2018-08-01
[pool]
type = "{OWN}:band_pool"
start_at = 0.1
[fees]
swap_fee = 0.003
[update]
max_memory_days = 5.0
[objective]
metric = "returns"
bout_offset_days = 0
report = ["returns_over_hodl"]
[sgd]
n_parameter_sets = 1
train = ["band"]
[parameters]
band = 0.3
"""


@pytest.fixture
def study(tmp_path: Path) -> str:
    path = tmp_path / "band.toml"
    path.write_text(STUDY)
    return str(path)


def succeeded(result) -> str:
    assert result.exit_code == 0, result.output
    return result.output


def test_every_command_and_driver_takes_it(cli, study: str, tmp_path: Path):
    assert "band_pool" in succeeded(cli("simulate", "--study", study, "--param", "band=0.2"))
    assert "band" in succeeded(cli("space", "--study", study))
    succeeded(cli("optuna", "--study", study, "--trials", "10"))
    succeeded(cli("sgd", "--study", study, "--steps", "3"))
    succeeded(cli("hybrid", "--study", study, "--trials", "2", "--top", "1", "--set", "hybrid.steps=3"))
    assert "band" in succeeded(cli("select", "--study", study))
    succeeded(cli("export", "--study", study, "--output", "pool.json"))
    (pool,) = json.loads((tmp_path / "pool.json").read_text())["pools"]
    assert pool["parameters"][0]["name"] == "band"
    assert any("does not know" in remark for remark in pool["remarks"])
    succeeded(cli("grid", "--study", study, "--axis", "band=0.1:0.5:3"))
