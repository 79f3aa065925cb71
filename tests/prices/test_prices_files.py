from __future__ import annotations

import logging
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quantsim.errors import PriceError
from quantsim.prices import available, load_prices
from quantsim.prices.load import origin_of

Writer = Callable[..., Path]
HOURS = [f"2024-01-01T{hour:02d}:00:00" for hour in range(6)]
CLOSES = [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]


def without(values: list, *rows: int) -> list:
    return [value for row, value in enumerate(values) if row not in rows]


def put(values: list, row: int, value: object) -> list:
    return [*values[:row], value, *values[row + 1 :]]


class TestLayouts:
    @pytest.mark.parametrize("suffix", ["csv", "parquet"])
    def test_folder(self, write: Writer, suffix: str) -> None:
        folder = write(f"BTC.{suffix}", {"timestamp": HOURS, "close": CLOSES}).parent
        write(f"eth.{suffix}", {"Date": HOURS, "open": CLOSES, "Close": [2 * close for close in CLOSES]})
        (folder / "notes.txt").write_text("not a price file")
        prices = load_prices(["ETH", "BTC"], folder)
        assert prices.tokens == ("ETH", "BTC")
        np.testing.assert_array_equal(prices.prices, np.column_stack([2 * np.array(CLOSES), CLOSES]))
        assert load_prices(["ETH", "BTC"], str(folder)).identity == prices.identity

    @pytest.mark.parametrize("suffix", ["csv", "parquet"])
    def test_wide_keeps_the_given_order(self, write: Writer, suffix: str) -> None:
        path = write(f"all.{suffix}", {"time": HOURS, "BTC": CLOSES, "ETH": [1] * 6, "volume": ["x"] * 6})
        prices = load_prices(["ETH", "BTC"], path)
        np.testing.assert_array_equal(prices.prices[0], [1.0, 10.0])
        np.testing.assert_array_equal(load_prices(["BTC", "ETH"], path).prices, prices.prices[:, ::-1])

    @pytest.mark.parametrize("suffix", ["csv", "parquet"])
    def test_long(self, write: Writer, suffix: str) -> None:
        rows = [
            (hour, token, close * scale)
            for hour, close in zip(HOURS, CLOSES, strict=True)
            for token, scale in (("BTC/USD", 1.0), ("ETH", 3.0))
        ]
        path = write(f"long.{suffix}", pd.DataFrame(rows, columns=["datetime", "Symbol", "price"]).to_dict("list"))
        prices = load_prices(["ETH", "BTC"], path)
        np.testing.assert_array_equal(prices.prices[1], [33.0, 11.0])
        assert [held.token for held in available(path)] == ["BTC", "ETH"]

    def test_long_with_dictionary_encoding(self, write: Writer, tmp_path: Path) -> None:
        frame = pd.DataFrame({"time": HOURS * 2, "token": ["A"] * 6 + ["B"] * 6, "close": CLOSES * 2})
        frame["token"] = frame["token"].astype("category")
        frame.to_parquet(tmp_path / "long.parquet")
        assert load_prices(["B"], tmp_path / "long.parquet").n_bars == 6

    def test_long_errors_name_the_row_of_the_file(self, write: Writer) -> None:
        path = write("long.csv", {"time": sorted(HOURS * 2), "token": ["A", "B"] * 6, "close": put(CLOSES * 2, 7, -3)})
        with pytest.raises(PriceError, match=r"B in .*long\.csv, data row 8: the price at 2024-01-01T03:00 is -3"):
            load_prices(["A", "B"], path)
        empty = write("empty.csv", {"time": HOURS, "token": put(["A"] * 6, 2, None), "close": CLOSES})
        with pytest.raises(PriceError, match=r"data row 3: the column 'token' is empty"):
            load_prices(["A"], empty)

    def test_single_file_of_one_token(self, write: Writer) -> None:
        path = write("BTC_USD.csv", {"date": HOURS, "close": CLOSES})
        assert load_prices(["BTC"], path).n_bars == 6
        assert [held.token for held in available(path)] == ["BTC"]
        with pytest.raises(PriceError, match=r"'ETH' is not in .*BTC_USD\.csv"):
            load_prices(["ETH"], path)

    def test_datetime_index(self, tmp_path: Path) -> None:
        index = pd.date_range("2024-01-01", periods=6, freq="h", tz="UTC")
        pd.DataFrame({"BTC": CLOSES}, index=index).to_parquet(tmp_path / "unnamed.parquet")
        pd.DataFrame({"BTC": CLOSES}, index=index.rename("when")).to_parquet(tmp_path / "named.parquet")
        for name in ("unnamed", "named"):
            prices = load_prices(["BTC"], tmp_path / f"{name}.parquet")
            assert (prices.n_bars, str(prices.times[0])) == (6, "2024-01-01T00:00:00")


class TestNames:
    @pytest.mark.parametrize("name", ["BTC_USD.csv", "btc-usdt.csv", "BTCUSD.csv", "btc.CSV", "Btc_usdc.csv"])
    def test_prices_in_dollars_are_accepted(self, write: Writer, name: str) -> None:
        folder = write(name, pd.DataFrame({"time": HOURS, "close": CLOSES}).to_csv(index=False)).parent
        assert load_prices(["BTC"], folder).tokens == ("BTC",)

    def test_prices_in_other_currencies_are_refused(self, write: Writer) -> None:
        folder = write("BTC_ETH.csv", {"time": HOURS, "close": CLOSES}).parent
        with pytest.raises(PriceError, match="'BTC' is not in"):
            load_prices(["BTC"], folder)

    def test_the_plain_name_comes_first(self, write: Writer) -> None:
        folder = write("BTC_USD.csv", {"time": HOURS, "close": CLOSES}).parent
        write("BTC.csv", {"time": HOURS, "close": [7.0] * 6})
        assert load_prices(["BTC"], folder).prices[0, 0] == 7.0

    @pytest.mark.parametrize(
        "pair", [("BTC_USD.csv", "BTC-USDT.csv"), ("BTC.csv", "BTC.parquet"), ("BTC.csv", "btc.csv")]
    )
    def test_ambiguity_is_an_error(self, write: Writer, pair: tuple[str, str]) -> None:
        for name in pair:
            folder = write(name, {"time": HOURS, "close": CLOSES}).parent
        with pytest.raises(PriceError, match=r"'BTC' is ambiguous in .*keep one"):
            load_prices(["BTC"], folder)

    def test_ambiguous_columns(self, write: Writer) -> None:
        path = write("all.csv", {"time": HOURS, "BTC_USD": CLOSES, "BTC-USDT": CLOSES})
        with pytest.raises(PriceError, match="ambiguous"):
            load_prices(["BTC"], path)

    def test_invalid_tokens(self) -> None:
        with pytest.raises(PriceError, match="tokens is empty"):
            load_prices([])
        with pytest.raises(PriceError, match=r"'BTC' is given twice in \['BTC', 'ETH', 'BTC'\]"):
            load_prices(["BTC", "ETH", "BTC"])
        with pytest.raises(PriceError, match="'btc' is given twice"):
            load_prices(["BTC", "btc"])
        with pytest.raises(PriceError, match=r"such as \['BTC'\]"):
            load_prices("BTC")

    def test_sources(self, tmp_path: Path, write: Writer) -> None:
        with pytest.raises(PriceError, match="does not exist; give a file, a folder, or 'bundled'"):
            load_prices(["BTC"], tmp_path / "absent")
        with pytest.raises(PriceError, match="holds no price file"):
            load_prices(["BTC"], tmp_path)
        with pytest.raises(
            PriceError, match=r"prices\.xlsx is not a price file; its name must end in \.csv, .* or \.parquet"
        ):
            load_prices(["BTC"], write("prices.xlsx", "x"))
        with pytest.raises(PriceError, match=r"broken\.parquet cannot be read"):
            load_prices(["BTC"], write("broken.parquet", "no parquet at all"))
        with pytest.raises(PriceError, match=r"stamps is 'open'; it must be 'end' or 'start'"):
            load_prices(["BTC"], stamps="open")  # type: ignore[arg-type]


class TestColumns:
    def test_no_time_column(self, write: Writer) -> None:
        with pytest.raises(PriceError, match=r"BTC\.csv has no time column: its columns are when, close; name one"):
            load_prices(["BTC"], write("BTC.csv", {"when": HOURS, "close": CLOSES}))
        with pytest.raises(PriceError, match="cannot be read: it is empty"):
            load_prices(["BTC"], write("BTC.csv", ""))

    def test_no_price_column(self, write: Writer) -> None:
        folder = write("BTC.csv", {"time": HOURS, "open": CLOSES, "high": CLOSES}).parent
        with pytest.raises(PriceError, match=r"BTC\.csv has no price column: its columns are time, open, high"):
            load_prices(["BTC"], folder)
        with pytest.raises(PriceError, match="has no price column beside 'time'"):
            load_prices(["BTC"], write("only.csv", {"time": HOURS}))

    def test_repeated_column(self, write: Writer) -> None:
        with pytest.raises(PriceError, match="two columns named 'BTC'"):
            load_prices(["BTC"], write("all.csv", "time,BTC,BTC\n2024-01-01,1,2\n"))

    def test_no_rows(self, write: Writer) -> None:
        with pytest.raises(PriceError, match="has no rows"):
            load_prices(["BTC"], write("BTC.csv", "time,close\n"))

    def test_ragged_csv(self, write: Writer) -> None:
        with pytest.raises(PriceError, match=r"BTC\.csv cannot be read"):
            load_prices(["BTC"], write("BTC.csv", "time,close\n2024-01-01,1\n2024-01-02,1,5,6\n"))

    def test_byte_order_mark(self, write: Writer) -> None:
        assert load_prices(["BTC"], write("BTC.csv", "\ufefftime,close\n2024-01-01,1\n2024-01-02,2\n")).n_bars == 2

    def test_price_that_is_not_a_number(self, write: Writer) -> None:
        with pytest.raises(PriceError, match=r"BTC\.csv, data row 4: 'many' in column 'close' is not a number"):
            load_prices(["BTC"], write("BTC.csv", {"time": HOURS, "close": put(put(CLOSES, 3, "many"), 1, None)}))
        with pytest.raises(PriceError, match="'True' in column 'close' is not a number"):
            load_prices(["BTC"], write("BTC.csv", {"time": HOURS, "close": [True] * 6}))
        with pytest.raises(PriceError, match="values of type bool"):
            load_prices(["BTC"], write("BTC.parquet", {"time": HOURS, "close": [True] * 6}))

    def test_numbers_as_text_and_decimals(self, tmp_path: Path) -> None:
        decimals = pa.array([Decimal("10.00"), Decimal("11.00"), Decimal("12.00")], pa.decimal128(20, 2))
        for kind, values in (("text", pa.array(["10", "11", "12.0"])), ("decimal", decimals)):
            pq.write_table(pa.table({"time": HOURS[:3], "close": values}), tmp_path / f"{kind}.parquet")
            assert load_prices([kind], tmp_path / f"{kind}.parquet").prices[:, 0].tolist() == [10.0, 11.0, 12.0]


START = 1704067200  # 2024-01-01T00:00Z


class TestTimes:
    @pytest.mark.parametrize("suffix", ["csv", "parquet"])
    @pytest.mark.parametrize(
        "times",
        [
            HOURS,
            [hour.replace("T", " ") for hour in HOURS],
            [hour + "Z" for hour in HOURS],
            [hour.replace("-", "/").replace("T", " ") for hour in HOURS],
            [hour.replace("-0", "-") for hour in HOURS],
            [hour + " UTC" for hour in HOURS],
            [f"2024-01-01T{hour + 2:02d}:00:00+02:00" for hour in range(6)],
            [HOURS[0] + "Z", HOURS[1], "2024-01-01T03:00+01:00", *HOURS[3:]],
            [START + 3600 * hour for hour in range(6)],
            [float(START + 3600 * hour) for hour in range(6)],
            [(START + 3600 * hour) * 1000 for hour in range(6)],
            [(START + 3600 * hour) * 10**6 for hour in range(6)],
            [(START + 3600 * hour) * 10**9 for hour in range(6)],
        ],
        ids=["T", "space", "Z", "slashes", "short", "UTC", "offset", "mixed", "s", "float", "ms", "us", "ns"],
    )
    def test_time_formats(self, write: Writer, suffix: str, times: list) -> None:
        prices = load_prices(["BTC"], write(f"BTC.{suffix}", {"time": times, "close": CLOSES}))
        assert prices.times.tolist() == np.array(HOURS, "datetime64[s]").tolist()

    @pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
    @pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
    def test_parquet_timestamps(self, tmp_path: Path, unit: str, zone: str | None) -> None:
        stamps = pa.array(np.array(HOURS, f"datetime64[{unit}]")).cast(pa.timestamp(unit, zone))
        pq.write_table(pa.table({"timestamp": stamps, "close": CLOSES}), tmp_path / "BTC.parquet")
        assert str(load_prices(["BTC"], tmp_path).times[0]) == "2024-01-01T00:00:00"

    def test_dates(self, write: Writer) -> None:
        prices = load_prices(["BTC"], write("BTC.csv", "date,close\n2024-01-01,1\n2024-01-02,2\n2024-01-03,3\n"))
        assert (prices.bar_minutes, prices.bars_per_day, prices.n_bars) == (1440, 1, 3)

    def test_a_change_to_summer_time_leaves_no_gap(self, tmp_path: Path) -> None:
        times = pd.date_range("2024-03-31", periods=48, freq="h", tz="Europe/Berlin")
        pd.DataFrame({"time": times, "close": np.arange(1.0, 49.0)}).to_parquet(tmp_path / "BTC.parquet")
        prices = load_prices(["BTC"], tmp_path)
        assert (prices.n_bars, prices.gaps, str(prices.times[0])) == (48, (), "2024-03-30T23:00:00")

    def test_of_several_time_columns_the_preferred_name_is_used(self, write: Writer) -> None:
        unix = [(START + 3600 * hour) * 1000 for hour in range(6)]
        path = write("BTC.csv", {"date": ["nonsense"] * 6, "unix": unix, "close": CLOSES})
        assert load_prices(["BTC"], path).n_bars == 6
        wide = write("all.csv", {"date": ["nonsense"] * 6, "unix": unix, "BTC": CLOSES})
        assert [held.token for held in available(wide)] == ["BTC"]

    @pytest.mark.parametrize(
        ("times", "message"),
        [
            (put(HOURS, 2, "yesterday"), r"column 'time', data row 3: the time 'yesterday' is not ISO 8601"),
            (put(HOURS, 2, None), r"data row 3: the time is missing"),
            ([f"{hour}/01/2024 00:00" for hour in range(1, 7)], r"data row 1: the time '1/01/2024 00:00' is not ISO"),
            ([20240101 + day for day in range(6)], r"data row 1: the time 20240101 is not an epoch time between"),
            (put([float(START + 3600 * hour) for hour in range(6)], 4, None), r"data row 5: the time is missing"),
            (["10:00:00", "11:00:00", "12:00:00", "13:00:00", "14:00:00", "15:00:00"], r"without a date"),
        ],
        ids=["word", "empty", "american", "digits", "empty epoch", "clock"],
    )
    def test_refused(self, write: Writer, times: list, message: str) -> None:
        with pytest.raises(PriceError, match=message):
            load_prices(["BTC"], write("BTC.csv", {"time": times, "close": CLOSES}))

    def test_missing_stamp_in_parquet(self, tmp_path: Path) -> None:
        stamps = pa.array([0, None, 7200], pa.timestamp("s", "UTC"))
        pq.write_table(pa.table({"time": stamps, "close": CLOSES[:3]}), tmp_path / "BTC.parquet")
        with pytest.raises(PriceError, match="data row 2: the time is missing"):
            load_prices(["BTC"], tmp_path)


class TestRows:
    @pytest.mark.parametrize("suffix", ["csv", "parquet"])
    def test_duplicate(self, write: Writer, suffix: str) -> None:
        path = write(f"BTC.{suffix}", {"time": put(HOURS, 3, HOURS[2]), "close": CLOSES})
        with pytest.raises(PriceError, match=rf"BTC\.{suffix}, data row 4: the time 2024-01-01T02:00 is a duplicate"):
            load_prices(["BTC"], path)

    def test_unordered(self, write: Writer) -> None:
        path = write("BTC.csv", {"time": [*HOURS[:3], HOURS[4], HOURS[3], HOURS[5]], "close": CLOSES})
        message = r"data row 5: the time 2024-01-01T03:00 comes after 2024-01-01T04:00, which is later; sort"
        with pytest.raises(PriceError, match=message):
            load_prices(["BTC"], path)

    def test_reverse_chronological_order_is_reversed(self, write: Writer) -> None:
        prices = load_prices(["BTC"], write("BTC.csv", {"time": HOURS[::-1], "close": CLOSES}))
        assert (str(prices.times[0]), prices.prices[:, 0].tolist()) == (HOURS[0], CLOSES[::-1])
        with pytest.raises(PriceError, match=r"data row 2: the price at 2024-01-01T04:00 is -3"):
            load_prices(["BTC"], write("BTC.csv", {"time": HOURS[::-1], "close": put(CLOSES, 1, -3)}))

    @pytest.mark.parametrize("bad", [0.0, -1.5, float("inf")])
    @pytest.mark.parametrize("suffix", ["csv", "parquet"])
    def test_price(self, write: Writer, suffix: str, bad: float) -> None:
        path = write(f"BTC.{suffix}", {"time": HOURS, "close": put(CLOSES, 1, bad)})
        with pytest.raises(
            PriceError, match=rf"data row 2: the price at 2024-01-01T01:00 is {bad}; .*positive and finite"
        ):
            load_prices(["BTC"], path)

    def test_off_grid(self, write: Writer) -> None:
        path = write("BTC.csv", {"time": put(HOURS, 4, "2024-01-01T04:00:30"), "close": CLOSES})
        with pytest.raises(
            PriceError, match=r"data row 5: the time 2024-01-01T04:00:30 is off the grid of 60-minute bars"
        ):
            load_prices(["BTC"], path)
        path = write("BTC.csv", {"time": [hour.replace(":00:00", ":05:00") for hour in HOURS], "close": CLOSES})
        with pytest.raises(PriceError, match=r"data row 1: .*starts at UTC midnight"):
            load_prices(["BTC"], path)

    def test_a_distant_stamp_is_refused_before_it_exhausts_memory(self, write: Writer) -> None:
        times = pd.date_range("2024-01-01", periods=5, freq="min").astype(str).to_list()
        path = write("BTC.csv", {"time": [*times, "2924-01-01T00:00:00"], "close": CLOSES})
        with pytest.raises(
            PriceError, match=r"data row 6: the time 2924-01-01T00:00 follows 2024-01-01T00:04, too far"
        ):
            load_prices(["BTC"], path)

    @pytest.mark.parametrize("step", ["7min", "30s", "2D"])
    def test_bar_that_does_not_divide_a_day(self, write: Writer, step: str) -> None:
        times = pd.date_range("2024-01-01", periods=6, freq=step)
        with pytest.raises(PriceError, match=r"most common spacing of its stamps is .* divides a day"):
            load_prices(["BTC"], write("BTC.parquet", {"time": times, "close": CLOSES}))


class TestGaps:
    @pytest.fixture
    def holed(self, write: Writer) -> Path:
        """BTC lacks 02:00 and 03:00 as rows, ETH has an empty price at 04:00."""
        write("BTC.csv", {"time": without(HOURS, 2, 3), "close": without(CLOSES, 2, 3)})
        return write("ETH.csv", {"time": HOURS, "close": put(CLOSES, 4, None)}).parent

    def test_refused_by_default(self, holed: Path) -> None:
        with pytest.raises(
            PriceError,
            match=r"forward_fill_bars = 0\. BTC in .*BTC\.csv: 1 too long, the first at 2024-01-01T02:00, 2 bars of 60 "
            r"min\. ETH in .*ETH\.csv: .*2024-01-01T04:00, 1 bar of 60 min\. .*forward_fill_bars = 2$",
        ):
            load_prices(["BTC", "ETH"], holed)

    def test_the_limit_is_the_longest_that_is_filled(self, holed: Path) -> None:
        with pytest.raises(PriceError, match=r"forward_fill_bars = 1\. BTC"):
            load_prices(["BTC", "ETH"], holed, forward_fill_bars=1)
        assert load_prices(["ETH"], holed, forward_fill_bars=1).prices[4, 0] == 13.0

    def test_filled_gaps_are_listed_and_logged(self, holed: Path, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING, logger="quantsim.prices"):
            prices = load_prices(["BTC", "ETH"], holed, forward_fill_bars=2)
        np.testing.assert_array_equal(prices.prices[:, 0], [10, 11, 11, 11, 14, 15])
        assert [(gap.token, str(gap.first), gap.n_bars) for gap in prices.gaps] == [
            ("BTC", "2024-01-01T02:00:00", 2),
            ("ETH", "2024-01-01T04:00:00", 1),
        ]
        assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
        assert "2024-01-01T02:00, 2 bars of 60 min" in caplog.text

    def test_a_gap_that_overlaps_the_range_counts_with_its_full_length(self, holed: Path) -> None:
        with pytest.raises(PriceError, match="2024-01-01T02:00, 2 bars"):
            load_prices(["BTC"], holed, start=HOURS[3], forward_fill_bars=1)
        prices = load_prices(["BTC"], holed, start=HOURS[3], forward_fill_bars=2)
        assert prices.prices[0, 0] == 11.0
        assert [gap.n_bars for gap in prices.gaps] == [1]
        assert load_prices(["BTC"], holed, start=HOURS[4]).gaps == ()

    def test_a_missing_minute_does_not_shift_later_days(self, tmp_path: Path) -> None:
        times = pd.date_range("2024-01-01", "2024-01-04", freq="min", inclusive="left")
        frame = pd.DataFrame({"time": times, "close": 1.0 + times.day_of_year}).drop(index=[700, 1700])
        frame.to_parquet(tmp_path / "BTC.parquet")
        prices = load_prices(["BTC"], tmp_path, forward_fill_bars=1)
        assert prices.n_bars == 3 * 1440
        days = prices.prices[:, 0].reshape(3, 1440)
        assert (days == [[2.0], [3.0], [4.0]]).all()
        assert prices.index_of("2024-01-03") == 2 * 1440

    def test_available_reports_them(self, holed: Path) -> None:
        btc, eth = available(holed)
        assert (btc.token, btc.n_bars, btc.bar_minutes, btc.path.name) == ("BTC", 4, 60, "BTC.csv")
        assert (str(btc.first), str(btc.last)) == (HOURS[0], HOURS[5])
        assert [str(gap) for gap in btc.gaps] == ["2024-01-01T02:00, 2 bars of 60 min"]
        assert [str(gap) for gap in eth.gaps] == ["2024-01-01T04:00, 1 bar of 60 min"]

    def test_many_gaps_are_summarised(self, write: Writer) -> None:
        times = pd.date_range("2024-01-01", periods=100, freq="h")
        path = write("BTC.parquet", {"time": times.delete(range(20, 80, 5)), "close": np.ones(88)})
        with pytest.raises(PriceError, match=r"12 too long, .*; and 7 more"):
            load_prices(["BTC"], path)


class TestRanges:
    def test_intersection(self, write: Writer) -> None:
        write("BTC.csv", {"time": HOURS[:5], "close": CLOSES[:5]})
        folder = write("ETH.csv", {"time": HOURS[1:], "close": CLOSES[1:]}).parent
        prices = load_prices(["BTC", "ETH"], folder)
        assert (str(prices.times[0]), prices.n_bars) == (HOURS[1], 4)
        np.testing.assert_array_equal(prices.prices[:, 0], prices.prices[:, 1])
        with pytest.raises(PriceError, match=r"start 2024-01-01T00:00 .*ETH in .*ETH\.csv begins at 2024-01-01T01:00"):
            load_prices(["BTC", "ETH"], folder, start=HOURS[0])
        with pytest.raises(
            PriceError, match=r"end 2024-01-01T06:00 .*BTC in .*BTC\.csv has its last price at 2024-01-01T04"
        ):
            load_prices(["BTC", "ETH"], folder, end="2024-01-01T06:00")

    def test_no_stamp_in_common(self, write: Writer) -> None:
        write("BTC.csv", {"time": HOURS[:3], "close": CLOSES[:3]})
        folder = write("ETH.csv", {"time": HOURS[3:], "close": CLOSES[3:]}).parent
        with pytest.raises(
            PriceError, match=r"no stamp in common \(BTC in .*2024-01-01T02:00.*; ETH in .*2024-01-01T03:00"
        ):
            load_prices(["BTC", "ETH"], folder)

    def test_start_and_end_with_a_zone(self, write: Writer) -> None:
        path = write("BTC.csv", {"time": HOURS, "close": CLOSES})
        prices = load_prices(["BTC"], path, start="2024-01-01T03:00+01:00", end="2024-01-01T05:00Z")
        assert prices.prices[:, 0].tolist() == [12.0, 13.0, 14.0]

    def test_bounds_must_be_on_the_grid(self, write: Writer) -> None:
        path = write("BTC.csv", {"time": HOURS, "close": CLOSES})
        with pytest.raises(PriceError, match=r"start 2024-01-01T00:30 is not on the grid of BTC in .*BTC\.csv"):
            load_prices(["BTC"], path, start="2024-01-01T00:30")
        with pytest.raises(PriceError, match="end 'never' is not an ISO 8601 time"):
            load_prices(["BTC"], path, end="never")


class TestBars:
    @pytest.fixture
    def mixed(self, write: Writer) -> Path:
        """BTC by the half hour, ETH by the hour; the price is the stamp's half hours since midnight, plus one."""
        halves = pd.date_range("2024-01-01", periods=12, freq="30min")
        write("BTC.parquet", {"time": halves, "close": np.arange(1.0, 13.0)})
        return write("ETH.parquet", {"time": halves[::2], "close": np.arange(1.0, 13.0, 2.0)}).parent

    def test_different_bar_lengths_need_bar_minutes(self, mixed: Path) -> None:
        with pytest.raises(
            PriceError, match=r"bar lengths differ \(BTC in .*30 min, ETH in .*60 min\); give bar_minutes"
        ):
            load_prices(["BTC", "ETH"], mixed)
        with pytest.raises(PriceError, match=r"ETH in .* bars of 60 min, which do not divide bars of 30 min"):
            load_prices(["BTC", "ETH"], mixed, bar_minutes=30)
        with pytest.raises(PriceError, match="divides a day"):
            load_prices(["BTC", "ETH"], mixed, bar_minutes=50)

    @pytest.mark.parametrize("bar", [60, 120])
    def test_stamps_keep_their_prices(self, mixed: Path, bar: int) -> None:
        prices = load_prices(["BTC", "ETH"], mixed, bar_minutes=bar)
        assert prices.bar_minutes == bar
        np.testing.assert_array_equal(prices.prices[:, 0], prices.prices[:, 1])
        np.testing.assert_array_equal(prices.prices[:, 0], np.arange(1.0, 13.0, bar // 30))

    def test_stamps_at_the_start_of_bars_are_moved_to_their_ends(self, mixed: Path) -> None:
        # Bars that start at 00:30 (half hour) and 00:00 (hour) both close at 01:00.
        prices = load_prices(["BTC", "ETH"], mixed, bar_minutes=60, stamps="start")
        assert str(prices.times[0]) == "2024-01-01T01:00:00"
        np.testing.assert_array_equal(prices.prices[0], [2.0, 1.0])

    def test_loading_longer_bars_is_resampling(self) -> None:
        fine = load_prices(["EOS", "LTC"])
        coarse = load_prices(["EOS", "LTC"], bar_minutes=120)
        assert coarse.identity == fine.resample(120).identity
        assert coarse.gaps == fine.resample(120).gaps

    def test_a_gap_between_coarse_stamps_is_measured_in_bars_of_the_file(self, write: Writer) -> None:
        times = pd.date_range("2024-01-01", periods=24, freq="30min").delete(3)
        path = write("BTC.parquet", {"time": times, "close": np.ones(23)})
        with pytest.raises(PriceError, match="2024-01-01T01:30, 1 bar of 30 min"):
            load_prices(["BTC"], path, bar_minutes=60)
        assert load_prices(["BTC"], path, bar_minutes=60, forward_fill_bars=1).gaps == ()


class TestMinuteData:
    def test_loads_fast_and_whole(self, minute_folder: Path) -> None:
        begin = time.perf_counter()
        prices = load_prices(["SUI", "BTC", "ETH"], minute_folder)
        seconds = time.perf_counter() - begin
        assert prices.prices.shape == (875520, 3)
        assert (prices.bar_minutes, prices.gaps) == (1, ())
        assert str(prices.times[-1]) == "2024-12-31T23:59:00"
        assert seconds < 10  # about 0.3 s; the margin is for a busy machine

    def test_days_start_at_midnight(self, minute_folder: Path) -> None:
        prices = load_prices(["BTC"], minute_folder, start="2024-02-28", end="2024-03-02")
        assert prices.n_bars == 3 * 1440
        assert prices.index_of("2024-02-29") == 1440
        assert prices.resample(1440).n_bars == 3

    def test_equals_pandas(self, minute_folder: Path) -> None:
        frame = pd.read_parquet(minute_folder / "ETH.parquet").set_index("timestamp")["close"]
        prices = load_prices(["ETH"], minute_folder, bar_minutes=60)
        np.testing.assert_array_equal(prices.prices[:, 0], frame[frame.index.minute == 0].to_numpy())


def test_a_url_stays_as_it_is_in_the_origin(tmp_path: Path) -> None:
    found = origin_of("exchange://BTC", bar_minutes=None, forward_fill_bars=None, stamps="end")
    assert found.source == "exchange://BTC"
    assert origin_of(tmp_path, bar_minutes=None, forward_fill_bars=None, stamps="end").source == str(tmp_path)
