"""Files of series and trades: values hold until the next stamp; errors name file and row before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from quantsim.errors import PriceError
from quantsim.prices.instants import MINUTE_US, microseconds
from quantsim.prices.series import check_values, load_series
from quantsim.prices.time_grid import TimeGrid
from quantsim.prices.trades import Trades, load_trades

Writer = Callable[..., Path]

FIRST = "2024-01-01T00:00"
GRID = TimeGrid(microseconds(FIRST) // MINUTE_US, 12, 30)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_value_holds_until_the_next_stamp(write: Writer, suffix: str) -> None:
    stamps = ["2023-12-31T07:00", "2024-01-01T01:00", "2024-01-01T02:10", "2024-01-01T04:30"]
    path = write(f"fees.{suffix}", {"Timestamp": stamps, "value": [0.001, 0.004, 0.0, 0.002]})
    wanted = [0.001, 0.001, 0.004, 0.004, 0.004, 0.0, 0.0, 0.0, 0.0, 0.002, 0.002, 0.002]
    np.testing.assert_array_equal(load_series("swap_fee", path, GRID), wanted)


def test_a_time_with_a_zone_is_converted(write: Writer) -> None:
    path = write("gas.csv", {"time": ["2024-01-01T00:00Z", "2024-01-01T03:00+01:00"], "value": [1, 2]})
    np.testing.assert_array_equal(load_series("gas_cost_usd", path, GRID), [1.0] * 4 + [2.0] * 8)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_oracle_has_a_column_per_token_in_any_order(write: Writer, suffix: str) -> None:
    caps = {"time": [FIRST, "2024-01-01T02:00"], "ETH": [10.0, 20.0], "BTC": [1.0, 2.0], "volume": ["x", "y"]}
    found = load_series("oracle", write(f"caps.{suffix}", caps), GRID, tokens=("BTC", "ETH"))
    np.testing.assert_array_equal(found, [[1.0, 10.0]] * 4 + [[2.0, 20.0]] * 8)
    long = {"time": [FIRST, FIRST, "2024-01-01T02:00"], "token": ["BTC", "ETH", "ETH"], "price": [1.0, 10.0, 20.0]}
    found = load_series("oracle", write(f"long.{suffix}", long), GRID, tokens=("BTC", "ETH"))
    np.testing.assert_array_equal(found, [[1.0, 10.0]] * 4 + [[1.0, 20.0]] * 8)


def test_a_series_must_start_by_the_first_bar_that_uses_it(write: Writer) -> None:
    path = write("fees.csv", {"time": ["2024-01-01T01:00"], "value": [0.001]})
    error = r"swap_fee in .*fees\.csv, data row 1: the first time, 2024-01-01T01:00, is later than 2024-01-01T00:30.*add a row"
    with pytest.raises(PriceError, match=error):
        load_series("swap_fee", path, GRID, needed_from=1)
    found = load_series("swap_fee", path, GRID, needed_from=2)
    assert np.isnan(found[:2]).all()
    assert (found[2:] == 0.001).all()


LATER = "2024-01-01T01:00"


@pytest.mark.parametrize(
    ("setting", "columns", "expected"),
    [
        ("swap_fee", {"time": [FIRST, LATER], "value": [0.0, 1.0]}, "row 2: .*at 2024-01-01T01:00 is 1.0; .*below 1"),
        ("swap_fee", {"time": [FIRST, LATER], "value": [0.0, -0.01]}, "row 2: .*is -0.01; it must be at least 0"),
        ("arb_fee", {"time": [FIRST, LATER], "value": [0.0, None]}, "arb_fee in .*row 2: .*is empty"),
        ("gas_cost_usd", {"time": [FIRST, LATER], "value": [np.inf, 1.0]}, "row 1: .*is inf; .*finite"),
        ("gas_cost_usd", {"time": [FIRST, LATER], "value": [1.0, -1.0]}, "row 2: .*0 or more"),
        (
            "gas_cost_usd",
            {"time": [FIRST, LATER], "value": ["1.0", "dear"]},
            "row 2: 'dear' in column 'value' is not a number",
        ),
        (
            "oracle",
            {"time": [FIRST, LATER], "BTC": [1.0, 0.0], "ETH": [1.0, 1.0]},
            "BTC in .*row 2: .*is 0.0; .*above 0",
        ),
        ("oracle", {"time": [FIRST], "BTC": [1.0]}, "'ETH' is not in"),
        ("swap_fee", {"time": [FIRST, FIRST], "value": [0.1, 0.1]}, "row 2: .*duplicate"),
        ("swap_fee", {"time": [FIRST, LATER, FIRST], "value": [0.1] * 3}, "row 3: .*sort the file"),
        ("swap_fee", {"time": [FIRST, "soon"], "value": [0.1] * 2}, "row 2: the time 'soon'"),
        ("swap_fee", {"time": [FIRST], "fee": [0.1]}, "no column 'value': its columns are time, fee"),
        ("swap_fee", {"when": [FIRST], "value": [0.1]}, "no time column"),
        ("swap_fee", "time,value\n", "has no rows"),
    ],
)
def test_errors_name_the_file_and_the_row(write: Writer, setting: str, columns: object, expected: str) -> None:
    path = write("series.csv", columns)
    with pytest.raises(PriceError, match=expected) as caught:
        load_series(setting, path, GRID, tokens=("BTC", "ETH"))
    assert "series.csv" in str(caught.value)


def test_a_source_that_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match=r"series\.swap_fee = '.*fees\.csv' is not a file"):
        load_series("swap_fee", tmp_path / "fees.csv", GRID)
    (tmp_path / "fees.txt").write_text("time,value\n")
    with pytest.raises(PriceError, match=r"must end in \.csv, .* or \.parquet"):
        load_series("swap_fee", tmp_path / "fees.txt", GRID)


def test_arrays_in_memory_have_the_same_limits() -> None:
    np.testing.assert_array_equal(check_values("swap_fee", [0, 0.1], (2,)), [0.0, 0.1])
    with pytest.raises(PriceError, match=r"series\.oracle has shape \(2,\), but must have \(2, 2\)"):
        check_values("oracle", [1.0, 2.0], (2, 2))
    with pytest.raises(PriceError, match=r"series\.oracle at bar 1 is 0\.0; it must be finite, and above 0"):
        check_values("oracle", [[1.0, 1.0], [1.0, 0.0]], (2, 2))
    with pytest.raises(PriceError, match=r"series\.gas_cost_usd at bar 0 is nan"):
        check_values("gas_cost_usd", [np.nan], (1,))


# Trades


def trade_columns(**changes: object) -> dict[str, object]:
    columns: dict[str, object] = {
        "time": [FIRST, LATER, LATER],
        "token_in": ["BTC", "ETH", "BTC"],
        "token_out": ["ETH", "BTC", "ETH"],
        "amount_in": [1.5, None, 2.0],
        "amount_out": [None, 0.25, None],
    }
    return {**columns, **changes}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_trades_are_read_in_the_order_of_the_file(write: Writer, suffix: str) -> None:
    trades = load_trades(write(f"trades.{suffix}", trade_columns()))
    assert trades.size == 3
    assert [str(time) for time in trades.times.astype("datetime64[m]")] == [FIRST, LATER, LATER]
    assert trades.token_in == ("BTC", "ETH", "BTC")
    np.testing.assert_array_equal(trades.amount_in, [1.5, np.nan, 2.0])
    np.testing.assert_array_equal(trades.amount_out, [np.nan, 0.25, np.nan])


def test_an_unused_amount_column_may_be_missing(write: Writer) -> None:
    columns = trade_columns(amount_in=[1.0, 2.0, 3.0])
    del columns["amount_out"]
    assert np.isnan(load_trades(write("trades.csv", columns)).amount_out).all()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"amount_out": [None, 0.25, 1.0]}, "data row 3: both amount_in and amount_out are given; give one"),
        ({"amount_out": [None, None, None]}, "data row 2: neither amount_in nor amount_out is given"),
        ({"amount_in": [-1.5, None, 2.0]}, "data row 1: the amount is -1.5; it must be positive"),
        ({"amount_in": [1.5, None, 0.0]}, "data row 3: the amount is 0.0"),
        ({"amount_in": [np.inf, None, 2.0]}, "data row 1: the amount is inf"),
        ({"token_in": ["BTC", "ETH", "ETH"]}, "data row 3: ETH is swapped for itself"),
        ({"token_in": ["BTC", None, "BTC"]}, "data row 2: token_in is empty"),
        ({"time": [LATER, FIRST, LATER]}, "data row 2: the time 2024-01-01T00:00 comes after 2024-01-01T01:00"),
    ],
)
def test_invalid_trades_are_refused(write: Writer, changes: dict[str, object], expected: str) -> None:
    with pytest.raises(PriceError, match=rf"trades\.csv, {expected}"):
        load_trades(write("trades.csv", trade_columns(**changes)))


def test_an_unknown_token_names_its_row(write: Writer) -> None:
    trades = load_trades(write("trades.csv", trade_columns(token_in=["BTC", "EHT", "BTC"])))
    with pytest.raises(PriceError, match=r"trades\.csv, data row 2: the pool has no token 'EHT'; did you mean 'ETH'"):
        trades.check_tokens(("BTC", "ETH"))


def test_trades_in_memory_must_have_equal_lengths() -> None:
    with pytest.raises(PriceError, match="one entry per trade each"):
        Trades(np.array([FIRST], "datetime64[m]"), ("BTC",), ("ETH", "BTC"), np.array([1.0]), np.array([np.nan]))
