"""``quantsim grid``: what it prints, what it writes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_support import is_shown_as, selected_cells

from quantsim import Experiment

AXES = ("--axis", "memory_days=5:50:3:log", "--axis", "k_per_day[ETH]=1:20:2")
ONE = ("--metric", "returns_over_hodl")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_grid_shows_the_best_cell_on_train_and_writes_all(cli, suffix):
    result = cli(
        "grid", *AXES, "--metric", "returns", "--metric", "turnover", "--csv", f"cells{suffix}", "--plot", "map.png"
    )
    assert result.exit_code == 0, result.output
    assert "6 cells (3 x 2)" in result.stdout
    assert "chosen on train data (highest returns)" in result.stdout
    frame = pd.read_csv("cells.csv") if suffix == ".csv" else pd.read_parquet("cells.parquet")
    splits, metrics = ("train", "validation", "test"), ("returns", "turnover")
    assert [*frame] == [
        "memory_days",
        "k_per_day[ETH]",
        *(f"{split}_{metric}" for split in splits for metric in metrics),
    ]
    np.testing.assert_allclose(frame["memory_days"], np.repeat([5.0, np.sqrt(250.0), 50.0], 2), rtol=1e-12)
    best = frame.loc[frame["train_returns"].idxmax()]
    cells = selected_cells(result.stdout, "returns")
    assert all(is_shown_as(100 * best[f"{split}_returns"], cell) for split, cell in zip(splits, cells, strict=True))
    assert "constant weights" in result.stdout
    assert Path("map.png").read_bytes().startswith(b"\x89PNG")


def test_another_split_chooses_only_by_name_and_test_is_said(cli):
    arguments = ("grid", "--axis", "memory_days=5:50:3:log", *ONE)
    train, validation, test = (cli(*arguments, "--split", split) for split in ("train", "validation", "test"))
    assert "chosen on validation data" in validation.stdout
    assert "Chosen on test data" in test.stdout
    assert "Chosen on test data" not in train.output + validation.output


def test_a_best_cell_at_the_end_of_its_axis_is_pointed_out(cli):
    result = cli("grid", "--axis", "memory_days=5:50:2", *ONE)
    assert "at the end of memory_days; values beyond may be better" in result.stderr


def test_cells_that_fail_are_counted_with_the_reason(cli):
    month = ("--set", "periods.train_start=2019-03-08", "--set", "periods.train_end=2019-03-28")
    result = cli("grid", *month, "--axis", "memory_days=5:50:2", "--metric", "sterling")
    assert result.exit_code == 2
    assert "Note: 2 of 2 cells failed. Of the first, train sterling is nan; the pool's return is " in result.stderr
    assert "so the period is too short for the metric (see docs/metrics.md)" in result.stderr
    assert "Error: train sterling is nan in the whole grid" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--axis", "memory_days=5:50"), "name=low:high:number:log"),
        (("--axis", "memory_days=5:50:x"), "name=low:high:number:log"),
        (("--axis", "memory_days=5:50:4:lg"), "name=low:high:number:log"),
        (("--axis", "memory_days"), "--axis 'memory_days' must have the form"),
        (("--axis", "memory_days=50:5:4"), "axis memory_days: low = 50, high = 5"),
        (("--axis", "memory_days=0:5:4:log"), "axis memory_days: low = 0, high = 5: a logarithmic axis needs low > 0"),
        (("--axis", "memory=1:5:4"), "axis memory: 'momentum' has no such parameter; did you mean 'memory_days'?"),
        (("--axis", "memory_days[SUI]=1:5:4"), "memory_days[BTC], memory_days[ETH]"),
        (("--axis", "memory_days=1:5:4", "--axis", "memory_days[ETH]=1:5:4"), "axes memory_days and memory_days[ETH]"),
        (("--metric", "daily_shrpe"), "did you mean 'daily_sharpe'?"),
        (("--csv", "cells.xlsx"), ".csv or .parquet"),
        (("--plot", "nowhere/map.png"), "there is no folder"),
        ((*AXES, "--axis", "k_per_day[BTC]=1:5:2", "--plot", "map.png"), "--plot draws one or two axes, not 3"),
        (
            ("--split", "validation", "--set", "periods={train_start=2018-04-01,train_end=2019-01-01}"),
            "no validation period",
        ),
    ],
)
def test_refused_before_prices_are_read(cli, tmp_path: Path, monkeypatch, arguments, message):
    monkeypatch.setattr(Experiment, "load_prices", None)
    result = cli("grid", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []
