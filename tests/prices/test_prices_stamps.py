"""Stamp conventions: a price is known at the end of its bar, in prices, series and trades."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from quantsim import Experiment
from quantsim.commands.app import app
from quantsim.errors import ConfigError, PriceError
from quantsim.prices import Prices, available, load_prices
from quantsim.prices.instants import MINUTE_US, microseconds
from quantsim.prices.series import load_series
from quantsim.prices.time_grid import TimeGrid
from quantsim.simulator.varying import load_varying

Writer = Callable[..., Path]

HOURS = pd.date_range("2024-01-01", periods=24 * 20, freq="h").strftime("%Y-%m-%dT%H:%M").tolist()
DAYS = HOURS[::24]
FIRST = HOURS[0]
GRID = TimeGrid(microseconds(FIRST) // MINUTE_US, 6, 60)


def experiment(source: Path, **tables: Any) -> Experiment:
    return Experiment.from_dict(
        {
            "data": {"source": str(source), "tokens": ["BTC", "ETH"], "bar_minutes": 60, "stamps": "start"},
            "periods": {"train_start": "2024-01-03", "train_end": "2024-01-10"},
            "pool": {"rule": "balancer"},
            "update": {"max_memory_days": 1.0},
            **tables,
        }
    )


@pytest.fixture
def folder(write: Writer) -> Path:
    """Hourly prices, stamped at the start of bars: each hour's price is its number, counted from 1."""
    numbers = np.arange(1.0, len(HOURS) + 1)
    write("BTC.csv", {"time": HOURS, "close": numbers})
    return write("ETH.csv", {"time": HOURS, "close": 2 * numbers}).parent


def test_bars_of_any_length_close_at_the_same_instant(write: Writer) -> None:
    write("BTC.csv", {"time": HOURS, "close": np.arange(1.0, len(HOURS) + 1)})
    folder = write("ETH.csv", {"time": DAYS, "close": 24.0 * np.arange(1, len(DAYS) + 1)}).parent
    prices = load_prices(["BTC", "ETH"], folder, bar_minutes=1440, stamps="start")
    np.testing.assert_array_equal(prices.prices[:, 0], prices.prices[:, 1])
    assert prices.prices[prices.index_of("2024-01-11"), 0] == 240.0
    ranges = {held.token: (str(held.first), str(held.last)) for held in available(folder, stamps="start")}
    assert ranges == {
        token: (first, "2024-01-21T00:00:00")
        for token, first in (("BTC", "2024-01-01T01:00:00"), ("ETH", "2024-01-02T00:00:00"))
    }


def test_the_study_key_counts_in_the_identity(folder: Path) -> None:
    study = experiment(folder)
    assert study.identity != study.override(["data.stamps=end"]).identity
    prices = study.load_prices()
    assert str(prices.times[0]) == "2024-01-01T01:00:00"
    assert prices.identity == load_prices(["BTC", "ETH"], folder, stamps="start").identity
    with pytest.raises(ConfigError, match=r"data\.stamps.*'middle'"):
        study.override(["data.stamps=middle"])


def test_the_convention_of_bundled_prices_is_fixed(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"stamps = 'start' is for your own files: the bundled prices are"):
        experiment(folder).override(["data.source=bundled"])
    for load in (available, lambda **options: load_prices(["BTC"], **options)):
        with pytest.raises(PriceError, match="bundled prices are stamped at the end"):
            load(stamps="start")


def test_the_command_shows_the_ends_of_bars(folder: Path) -> None:
    shown = CliRunner().invoke(app, ["prices", "--source", str(folder), "--stamps", "start"])
    assert shown.exit_code == 0
    assert "2024-01-01 01:00  2024-01-21 00:00" in shown.output
    assert CliRunner().invoke(app, ["prices", "--stamps", "middle"]).exit_code == 2


def test_a_week_that_starts_at_its_stamp_is_known_at_its_end(write: Writer) -> None:
    """Spacings of several days count as bars, except between two events."""
    grid = TimeGrid(GRID.first_minute, 60, 1440)
    days = np.datetime64("2023-12-04") + 7 * np.arange(12)
    weekly = write("weekly.csv", {"time": days.astype(str), "BTC": np.arange(12.0) + 1.0})
    found = load_series("oracle", weekly, grid, tokens=["BTC"], stamps="start")[:, 0]
    now = (np.datetime64("1970-01-01") + grid.first_minute // 1440) + np.arange(60)
    assert found.tolist() == [float(np.sum(days + 7 <= day)) for day in now]
    events = write("events.csv", {"time": ["2023-06-01", "2024-01-10"], "value": [0.1, 0.2]})
    fees = load_series("swap_fee", events, grid, stamps="start")
    assert fees.tolist() == [0.2 if day >= np.datetime64("2024-01-11") else 0.1 for day in now]


def test_a_value_of_a_series_is_known_at_the_end_of_its_bar(write: Writer) -> None:
    path = write("gas.csv", {"time": HOURS[:4], "value": [1.0, 2.0, 3.0, 4.0]})
    found = load_series("gas_cost_usd", path, GRID, needed_from=1, stamps="start")
    np.testing.assert_array_equal(found, [np.nan, 1.0, 2.0, 3.0, 4.0, 4.0])
    daily = write("caps.csv", {"time": ["2023-12-31", *DAYS[:2]], "BTC": [1.0, 2.0, 3.0]})
    found = load_series("oracle", daily, TimeGrid(GRID.first_minute, 26, 60), tokens=["BTC"], stamps="start")
    np.testing.assert_array_equal(found[:, 0], [1.0] * 24 + [2.0] * 2)
    with pytest.raises(
        PriceError, match="first time, 2024-01-01T01:00, the end of its bar, is later than 2024-01-01T00"
    ):
        load_series("gas_cost_usd", path, GRID, stamps="start")


def test_a_series_without_regular_spacing_uses_the_bars_of_the_prices(write: Writer) -> None:
    path = write("fees.csv", {"time": ["2023-12-01", HOURS[1], HOURS[3]], "value": [0.1, 0.2, 0.3]})
    found = load_series("swap_fee", path, GRID, stamps="start")
    np.testing.assert_array_equal(found, [0.1, 0.1, 0.2, 0.2, 0.3, 0.3])


def test_series_and_trades_move_like_prices(folder: Path, write: Writer) -> None:
    trades = {"time": [HOURS[60]], "token_in": ["BTC"], "token_out": ["ETH"], "amount_in": [1.0], "amount_out": [None]}
    files = {
        "gas_cost_usd": str(write("gas.csv", {"time": HOURS, "value": np.arange(1.0, len(HOURS) + 1)})),
        "trades": str(write("trades.csv", trades)),
    }
    study = experiment(folder, series=files)
    prices = study.load_prices()
    varying = load_varying(study, prices, 0, prices.n_bars, 0)
    np.testing.assert_array_equal(varying.costs["gas_cost_usd"], prices.prices[:, 0])  # row by row the same numbers
    assert varying.trades is not None
    assert str(varying.trades.times[0].astype("datetime64[m]")) == HOURS[61]


def test_prices_in_memory_support_stamps() -> None:
    stamps, prices = ["2024-01-01T00:00", "2024-01-01T01:00"], [[2.0], [3.0]]
    ends = Prices.from_arrays(["2024-01-01T01:00", "2024-01-01T02:00"], prices, ["BTC"])
    assert Prices.from_arrays(stamps, prices, ["BTC"], stamps="start").identity == ends.identity
    frame = pd.DataFrame({"Unnamed: 0": [0, 1], "BTC": [2.0, 3.0]}, index=pd.to_datetime(stamps))
    assert Prices.from_frame(frame, stamps="start").identity == ends.identity
    with pytest.raises(PriceError, match="stamps is 'open'; it must be 'end' or 'start'"):
        Prices.from_arrays(stamps, prices, ["BTC"], stamps="open")  # type: ignore[arg-type]


def test_a_series_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match=r"series\.swap_fee = '.*' cannot be read: File name too long"):
        load_series("swap_fee", tmp_path / ("x" * 300 + ".csv"), GRID)
