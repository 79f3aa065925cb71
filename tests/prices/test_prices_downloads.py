"""Files from exchanges, spreadsheets and data frames: they load correctly, or raise an error with the right reason."""

from __future__ import annotations

import gzip
import logging
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantsim.errors import PriceError
from quantsim.prices import available, load_prices
from quantsim.prices.series import load_series
from quantsim.prices.time_grid import TimeGrid
from quantsim.prices.trades import load_trades

Writer = Callable[..., Path]

START = 1704067200  # 2024-01-01T00:00Z
HOURS = [f"2024-01-01T{hour:02d}:00" for hour in range(6)]
CLOSES = [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]
EPOCHS = [START + 3600 * hour for hour in range(6)]
SIMPLE = "time,close\n" + "".join(f"{hour},{close}\n" for hour, close in zip(HOURS, CLOSES, strict=True))
PACKED = gzip.compress(SIMPLE.encode(), mtime=0)  # a test is named after it, alike in every process


def rows(*columns: list, header: str = "", mark: str = ",") -> str:
    """CSV text of columns, with lines before them."""
    return header + "".join(mark.join(map(str, row)) + "\n" for row in zip(*columns, strict=True))


def klines(closes: list[float] = CLOSES) -> list[list]:
    """The 12 columns of klines: opens are the closes before."""
    opens = [closes[0], *closes[:-1]]
    milliseconds = [1000 * epoch for epoch in EPOCHS]
    highs = [max(pair) + 0.5 for pair in zip(opens, closes, strict=True)]
    lows = [min(pair) - 0.5 for pair in zip(opens, closes, strict=True)]
    ends = [stamp + 3_599_999 for stamp in milliseconds]
    return [milliseconds, opens, highs, lows, closes, [1] * 6, ends, [1] * 6, [5] * 6, [0.5] * 6, [0.5] * 6, [0] * 6]


KLINES = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n"


class TestHeaders:
    @pytest.mark.parametrize(
        "text",
        [
            SIMPLE.replace("time,close", " time , close "),
            SIMPLE.replace("time,close", '"time", "close"'),
            SIMPLE.replace("\n", "\r\n"),
            "\ufeff" + SIMPLE.replace("\n", "\r\n"),
            SIMPLE.replace("\n", "\r"),
            "https://www.example.com\n" + SIMPLE,
            "\n\n# prices\nhttps://www.example.com,,\n" + SIMPLE,
            "sep=,\n" + SIMPLE,
            SIMPLE.replace("close\n", "close\n\n", 1),
            SIMPLE.replace(",", ";"),
            SIMPLE.replace(",", "\t"),
            SIMPLE.replace(",", " , "),
            rows(list(range(6)), HOURS, CLOSES, header=",time,close\n"),
            rows(HOURS, CLOSES, header=",close\n"),
            rows(HOURS, CLOSES, header="Unnamed: 0,close\n"),
            rows(HOURS, CLOSES, header="index,close\n"),
            rows(HOURS, CLOSES, [""] * 6, [""] * 6, header="time,close,,\n"),
            rows(HOURS, CLOSES, [5] * 6, header="# a\n\ntime,close,market\n\n\n"),
        ],
        ids=[
            *(
                "blanks",
                "quotes",
                "crlf",
                "bom",
                "cr",
                "url",
                "preamble",
                "sep",
                "empty-line",
                "semicolon",
                "tab",
                "padded",
            ),
            *("row-numbers", "nameless-times", "unnamed-times", "index-times", "trailing", "blank-lines"),
        ],
    )
    def test_blanks_and_lines_before_the_header_are_skipped(self, write: Writer, text: str) -> None:
        path = write("BTC.csv", "")
        path.write_bytes(text.encode())
        prices = load_prices(["BTC"], path.parent)
        assert (str(prices.times[0]), prices.prices[:, 0].tolist()) == ("2024-01-01T00:00:00", CLOSES)

    @pytest.mark.parametrize(
        "index", ["", "Unnamed: 0", "Unnamed: 0.1", "index", "Index", "level_0", "__index_level_0__"]
    )
    @pytest.mark.parametrize("suffix", ["csv", "parquet", "feather"])
    def test_the_index_of_a_data_frame_is_not_a_token(self, tmp_path: Path, index: str, suffix: str) -> None:
        frame = pd.DataFrame({index: range(6), "time": HOURS, "BTC": CLOSES, " ETH ": CLOSES})
        path = tmp_path / f"wide.{suffix}"
        {"csv": lambda: frame.to_csv(path, index=False), "parquet": lambda: frame.to_parquet(path)}.get(
            suffix, lambda: frame.to_feather(path)
        )()
        assert [held.token for held in available(path)] == ["BTC", "ETH"]
        assert load_prices(["ETH", "BTC"], path).n_bars == 6
        with pytest.raises(PriceError, match=r"token '.*' is (not a valid name|the name of a data frame's row index)"):
            load_prices(["BTC", index], path)

    @pytest.mark.parametrize(
        ("header", "names"),
        [
            ("Price,Close,High,Open\nTicker,BTC-USD,BTC-USD,BTC-USD\nDate,,,\n", ["BTC"]),
            ("Price,Close,Close,High\nTicker,BTC-USD,ETH-USD,BTC-USD\nDate,,,\n", ["BTC", "ETH"]),
            ("Ticker,BTC-USD,ETH-USD,ETH-USD\nPrice,Close,Close,High\nDatetime,,,\n", ["BTC", "ETH"]),
            (",Close,Close,High\n,BTC-USD,ETH-USD,ETH-USD\nDate,,,\n", ["BTC", "ETH"]),
            ("Date,Close,Close,High\n,BTC-USD,ETH-USD,ETH-USD\n", ["BTC", "ETH"]),
            (",Close,Close,High\n,BTC-USD,ETH-USD,ETH-USD\n", ["BTC", "ETH"]),
        ],
    )
    def test_two_levels_of_names(self, write: Writer, header: str, names: list[str]) -> None:
        doubled = [2 * close for close in CLOSES]
        path = write("BTC.csv", rows(HOURS, CLOSES, doubled, [99] * 6, header=header))
        assert [held.token for held in available(path)] == names
        prices = load_prices(names, path)
        np.testing.assert_array_equal(prices.prices, np.column_stack([CLOSES, doubled])[:, : len(names)])
        if len(names) > 1:
            with pytest.raises(PriceError, match=r"holds several tokens \(BTC-USD, ETH-USD\); give the file itself"):
                load_prices(["BTC"], path.parent)

    def test_the_ticker_above_a_column_is_checked(self, write: Writer) -> None:
        header = "Price,Close\nTicker,ETH-USD\nDate,\n"
        with pytest.raises(PriceError, match=r"BTC\.csv is read for token 'BTC', and its header says 'ETH-USD'"):
            load_prices(["BTC"], write("BTC.csv", rows(HOURS, CLOSES, header=header)).parent)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (rows(EPOCHS, CLOSES), r"no header line: its first line holds values \(1704067200,10.0\); add a line"),
            ("\ufeff" + rows(EPOCHS, CLOSES), r"no header line: its first line holds values \(1704067200,10.0\)"),
            (rows(HOURS, CLOSES), r"no header line: its first line holds values \(2024-01-01T00:00,10.0\)"),
            (rows(EPOCHS, *[CLOSES] * 5), r"no header line: .* names the 6 columns, such as time,open,high,low,close"),
            ('time,"close\n' + rows(HOURS, CLOSES), r"a column named .*close every quotation mark"),
            ("x" * 300_000, r"its first 262144 bytes are one line"),
        ],
        ids=["epoch", "bom", "iso", "six", "quote", "endless"],
    )
    def test_errors_give_the_right_reason(self, write: Writer, text: str, expected: str) -> None:
        with pytest.raises(PriceError, match=expected):
            load_prices(["BTC"], write("BTC.csv", text))


class TestWithoutHeader:
    def test_klines(self, write: Writer, caplog: pytest.LogCaptureFixture) -> None:
        write("BTCUSDT.csv", rows(*klines()))
        folder = write("ETHUSDT.csv", rows(*klines([2 * close for close in CLOSES]))).parent
        with caplog.at_level(logging.WARNING, logger="quantsim.prices"):
            prices = load_prices(["BTC", "ETH"], folder, stamps="start")
        np.testing.assert_array_equal(prices.prices[:, 0], CLOSES)
        np.testing.assert_array_equal(prices.prices[:, 1], 2 * prices.prices[:, 0])
        assert str(prices.times[0]) == "2024-01-01T01:00:00"
        assert (
            "BTCUSDT.csv has no header line: its columns are taken as open_time, open, high, low, close" in caplog.text
        )
        assert (
            load_prices(["BTC", "ETH"], folder).identity == prices.identity
        )  # known at the end of their bars in any case

    @pytest.mark.parametrize("columns", [7, 8])
    def test_ohlcvt(self, write: Writer, columns: int) -> None:
        _, opens, highs, lows, closes, *_ = klines()
        rest = [[3.5] * 6, [7] * 6] if columns == 7 else [[11.0] * 6, [3.5] * 6, [7] * 6]
        prices = load_prices(["BTC"], write("XBTUSD.csv", rows(EPOCHS, opens, highs, lows, closes, *rest)))
        np.testing.assert_array_equal(prices.prices[:, 0], CLOSES)
        assert str(prices.times[0]) == "2024-01-01T01:00:00"

    def test_another_order_of_columns_is_refused(self, write: Writer) -> None:
        _, opens, highs, lows, closes, *_ = klines()
        path = write("BTC.csv", rows(EPOCHS, opens, closes, highs, lows, [1] * 6, [7] * 6))
        with pytest.raises(
            PriceError, match=r"no header line, and in data row 1 the columns 2 to 5 cannot be open, high"
        ):
            load_prices(["BTC"], path)


class TestStampsInNames:
    @pytest.mark.parametrize("name", ["open_time", "Open time", "openTime", "time_period_start"])
    def test_a_column_that_names_the_start_is_moved(
        self, write: Writer, caplog: pytest.LogCaptureFixture, name: str
    ) -> None:
        path = write("BTC.csv", rows(*klines(), header=KLINES.replace("open_time", name)))
        with caplog.at_level(logging.WARNING, logger="quantsim.prices"):
            prices = load_prices(["BTC"], path)
        assert str(prices.times[0]) == "2024-01-01T01:00:00"
        assert f"taken as the start of bars, as its column '{name}' says, though stamps is 'end'" in caplog.text
        caplog.clear()
        assert load_prices(["BTC"], path, stamps="start").identity == prices.identity
        assert not caplog.text

    @pytest.mark.parametrize("name", ["close_time", "time"])
    def test_stamps_just_before_the_end_of_a_bar_mark_its_end(
        self, write: Writer, caplog: pytest.LogCaptureFixture, name: str
    ) -> None:
        path = write("BTC.csv", {name: klines()[6], "close": CLOSES})
        assert str(load_prices(["BTC"], path).times[0]) == "2024-01-01T01:00:00"
        assert not caplog.text
        assert str(load_prices(["BTC"], path, stamps="start").times[0]) == "2024-01-01T01:00:00"
        assert "taken as the end of bars" in caplog.text

    def test_different_bar_lengths_warn_of_look_ahead(self, write: Writer, caplog: pytest.LogCaptureFixture) -> None:
        write("BTC.csv", SIMPLE)
        folder = write("ETH.csv", {"time": [*HOURS[::2]], "close": CLOSES[::2]}).parent
        load_prices(["BTC", "ETH"], folder, bar_minutes=120)
        assert "if the stamps mark the starts of bars, that looks ahead: set stamps = 'start'" in caplog.text
        caplog.clear()
        load_prices(["BTC", "ETH"], folder, bar_minutes=120, stamps="start")
        assert not caplog.text


class TestUnits:
    @pytest.mark.parametrize("factors", [(10**3, 10**6), (1, 10**3), (10**9, 1)])
    def test_a_change_within_a_column_is_converted_with_a_warning(
        self, write: Writer, caplog: pytest.LogCaptureFixture, factors: tuple[int, int]
    ) -> None:
        times = [epoch * factors[row > 2] for row, epoch in enumerate(EPOCHS)]
        prices = load_prices(["BTC"], write("BTC.csv", {"unix": times, "close": CLOSES}))
        assert [str(stamp)[:16] for stamp in prices.times] == HOURS
        assert "the unit of time changes from" in caplog.text
        assert "in data row 4; each row is read in its own unit" in caplog.text

    def test_text_and_numbers_do_not_mix(self, write: Writer) -> None:
        for times, row in (([*HOURS[:3], *EPOCHS[3:]], 4), ([*EPOCHS[:3], "soon", *EPOCHS[4:]], 4)):
            with pytest.raises(
                PriceError, match=rf"column 'time', data row {row}: the time '.*' has another format than"
            ):
                load_prices(["BTC"], write("BTC.csv", {"time": times, "close": CLOSES}))

    @pytest.mark.parametrize("time", ["2024", "202401", "45292.5", "20240101000000", "99999999999999999999"])
    def test_invalid_times(self, write: Writer, time: str) -> None:
        with pytest.raises(PriceError, match=r"data row 1: the time .* is not (ISO 8601|an epoch time)"):
            load_prices(["BTC"], write("BTC.csv", f"time,close\n{time},1\n"))


class TestNumbers:
    @pytest.mark.parametrize(
        ("cell", "reason"),
        [
            ("0x1f", "it is hexadecimal"),
            ("1_000", "thousands separators"),
            ('"1,234.5"', "thousands separators"),
            ('"1234,5"', "a comma, of decimals or of thousands"),
            ('"1.234,5"', "a decimal comma"),
            ("$12", "without the sign"),
            ("1e", None),
            ("1d5", None),
            ("1j", None),
            ("True", None),
            ("٣", None),
            ("--1", None),
        ],
    )
    @pytest.mark.parametrize("all_rows", [False, True])
    def test_only_decimals_are_accepted(self, write: Writer, cell: str, reason: str | None, all_rows: bool) -> None:
        cells = [cell] * 6 if all_rows else [*CLOSES[:2], cell, *CLOSES[3:]]
        expected = rf"BTC\.csv, data row {1 if all_rows else 3}: .* in column 'close' is not a number"
        with pytest.raises(PriceError, match=expected + (rf" \(.*{reason}" if reason else "")):
            load_prices(["BTC"], write("BTC.csv", rows(HOURS, cells, header="time,close\n")))

    @pytest.mark.parametrize("cell", ["0x1f", "1_000", "1,5"])
    def test_text_in_parquet_follows_the_same_rules(self, write: Writer, cell: str) -> None:
        with pytest.raises(PriceError, match=rf"data row 3: '{cell}' in column 'close' is not a number"):
            load_prices(["BTC"], write("BTC.parquet", {"time": HOURS, "close": ["1", "2", cell, "4", "5", "6"]}))

    @pytest.mark.parametrize("time", ["0x6592f980", "1_704_067_200"])
    def test_times_are_decimal(self, write: Writer, time: str) -> None:
        with pytest.raises(PriceError, match=r"data row 1: the time .* is not ISO 8601"):
            load_prices(["BTC"], write("BTC.csv", f"time,close\n{time},1\n"))

    def test_an_extra_comma_is_reported_with_its_row(self, write: Writer) -> None:
        text = SIMPLE.replace("12.0", "12,0")
        with pytest.raises(PriceError, match=r"cannot be read: data row 3 has 3 cells .* a comma within a number"):
            load_prices(["BTC"], write("BTC.csv", text))
        with pytest.raises(PriceError, match=r"cannot be read: data row 3 has 1 cells"):
            load_prices(["BTC"], write("BTC.csv", "http://x.org\n" + SIMPLE.replace(",12.0", "")))


class TestLabels:
    @pytest.mark.parametrize("name", ["symbol", "Pair", "ticker", "instrument", "market", "product_id", "base"])
    @pytest.mark.parametrize(
        "value", ["BTC", "btc", "BTC/USDT", "BTC-USD", "BTCUSDT", "XBTUSD", "XBT/USDC", "COINBASE:BTCUSD"]
    )
    def test_a_matching_label(self, write: Writer, name: str, value: str) -> None:
        folder = write("BTC.csv", {"time": HOURS, name: [value] * 6, "close": CLOSES}).parent
        assert load_prices(["BTC"], folder).n_bars == 6
        assert load_prices(["BTC"], folder / "BTC.csv").n_bars == 6

    @pytest.mark.parametrize("name", ["symbol", "Pair", "ticker", "instrument", "market", "product_id", "base"])
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (
                "ETH/BTC",
                "ETH/BTC is the price of ETH in BTC, not in dollars: take ETH/USD, or multiply by the price of BTC",
            ),
            ("ETH-EUR", "in EUR, not in dollars"),
            ("BTC/USDT", "BTC/USDT is not ETH"),
            ("BTC", "BTC is not ETH"),
            ("WETH/USD", "WETH/USD is not ETH"),
            ("ETHUSDT-PERP", "not ETH|in PERP"),
        ],
    )
    def test_another_label(self, write: Writer, name: str, value: str, expected: str) -> None:
        folder = write("ETH.csv", {"time": HOURS, name: [value] * 6, "close": CLOSES}).parent
        with pytest.raises(PriceError, match=rf"ETH\.csv, column '{name}' says '{value}', .*({expected})"):
            load_prices(["ETH"], folder)
        with pytest.raises(PriceError, match="says"):
            available(folder)

    def test_several_are_refused_with_their_values(self, write: Writer) -> None:
        symbols = ["BTC/USDT"] * 3 + ["ETH/USDT"] * 3
        folder = write("BTC.csv", {"time": HOURS, "symbol": symbols, "close": CLOSES}).parent
        with pytest.raises(
            PriceError, match=r"column 'symbol' names more than one: BTC/USDT, ETH/USDT \(from data row 4\)"
        ):
            load_prices(["BTC"], folder)
        assert load_prices(["ETH"], folder / "BTC.csv").prices[:, 0].tolist() == CLOSES[3:]

    def test_an_empty_label(self, write: Writer) -> None:
        folder = write("BTC.csv", {"time": HOURS, "symbol": ["BTC"] * 5 + [None], "close": CLOSES}).parent
        with pytest.raises(PriceError, match="data row 6: the column 'symbol' is empty"):
            load_prices(["BTC"], folder)

    def test_base_and_quote(self, write: Writer) -> None:
        columns = {"time": HOURS, "base": ["ETH"] * 6, "quote": ["USDT"] * 6, "close": CLOSES}
        folder = write("ETH.csv", columns).parent
        assert load_prices(["ETH"], folder).n_bars == load_prices(["ETH"], folder / "ETH.csv").n_bars == 6
        write("ETH.csv", {**columns, "quote": ["USDT"] * 4 + ["BTC"] * 2})
        with pytest.raises(
            PriceError, match=r"column 'quote', data row 5: the prices are in 'BTC', not in dollars; multiply"
        ):
            load_prices(["ETH"], folder)
        write("ETH.csv", {**columns, "quote": ["BTC"] * 6})
        with pytest.raises(PriceError, match=r"'ETH' is not in .*; ETH/BTC is the price of ETH in BTC"):
            load_prices(["ETH"], folder / "ETH.csv")

    def test_two_symbols_of_one_token_are_ambiguous(self, write: Writer) -> None:
        columns = {"time": HOURS, "symbol": ["BTC/USD"] * 3 + ["BTC/USDT"] * 3, "close": CLOSES}
        path = write("all.csv", columns)
        for load in (lambda: available(path), lambda: load_prices(["BTC"], path)):
            with pytest.raises(PriceError, match=r"'BTC' is ambiguous in .*: BTC/USD, BTC/USDT; keep one"):
                load()

    def test_a_column_of_numbers_is_not_a_label(self, write: Writer) -> None:
        folder = write("BTC.csv", {"time": HOURS, "market": [1.5] * 6, "quote": [2] * 6, "close": CLOSES}).parent
        assert load_prices(["BTC"], folder).n_bars == 6


class TestPacked:
    @pytest.mark.parametrize("name", ["BTC.csv.gz", "BTC_USD.zip", "btc.csv.zip", "BTC.feather"])
    def test_loads(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        if name.endswith(".gz"):
            path.write_bytes(PACKED)
        elif name.endswith(".zip"):
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("BTCUSD-1h.csv", SIMPLE)
        else:
            pd.DataFrame({"time": pd.to_datetime(HOURS), "close": CLOSES}).to_feather(path)
        for source in (tmp_path, path):
            prices = load_prices(["BTC"], source)
            assert (str(prices.times[0]), prices.prices[:, 0].tolist()) == ("2024-01-01T00:00:00", CLOSES)

    def test_the_file_inside_must_be_of_the_same_pair(self, tmp_path: Path) -> None:
        for inside in ("BTCUSDT-1d-2024-01", "BTCUSDT", "data"):
            with zipfile.ZipFile(tmp_path / "BTC.zip", "w") as archive:
                archive.writestr(f"{inside}.csv", SIMPLE)
            assert load_prices(["BTC"], tmp_path).n_bars == len(CLOSES)
        for inside in ("ETHUSDT-1d-2024-01", "ETHUSD", "WBTCUSDT"):
            with zipfile.ZipFile(tmp_path / "BTC.zip", "w") as archive:
                archive.writestr(f"{inside}.csv", SIMPLE)
            with pytest.raises(PriceError, match=rf"BTC\.zip is read for token 'BTC', and holds {inside}\.csv: "):
                load_prices(["BTC"], tmp_path)

    @pytest.mark.parametrize(
        ("members", "expected"),
        [
            (("a.csv", "b.csv"), "must hold exactly one CSV file, but holds a.csv, b.csv"),
            ((), "must hold exactly one CSV file, but holds nothing"),
            (("a.txt",), "must hold exactly one CSV file, but holds a.txt"),
        ],
    )
    def test_an_archive_must_hold_one_file(self, tmp_path: Path, members: tuple[str, ...], expected: str) -> None:
        with zipfile.ZipFile(tmp_path / "BTC.zip", "w") as archive:
            for member in members:
                archive.writestr(member, SIMPLE)
        with pytest.raises(PriceError, match=rf"BTC\.zip {expected}"):
            load_prices(["BTC"], tmp_path)

    def test_several_files_of_one_token_are_ambiguous(self, tmp_path: Path) -> None:
        (tmp_path / "BTC.csv.gz").write_bytes(PACKED)
        (tmp_path / "BTC.csv").write_text(SIMPLE)
        with pytest.raises(PriceError, match=r"'BTC' is ambiguous in .*: BTC\.csv, BTC\.csv\.gz; keep one"):
            load_prices(["BTC"], tmp_path)


class TestOtherColumns:
    def test_series_and_trades_may_have_them(self, write: Writer) -> None:
        trades = {"time": HOURS[:2], "pair": ["BTC/ETH"] * 2, "token_in": ["BTC"] * 2, "token_out": ["ETH"] * 2}
        assert load_trades(write("trades.csv", {**trades, "amount_in": [1.0, 2.0]})).size == 2
        seconds = [hour + ":59" for hour in HOURS[:2]]  # of trades these are no ends of bars
        held = load_trades(write("trades.csv", {**trades, "time": seconds, "amount_in": [1.0, 2.0]}))
        assert [str(time)[:19] for time in held.times] == seconds
        path = write("fees.csv", {"": [0, 1], "time": HOURS[:2], "market": ["a", "b"], " value ": [0.1, 0.2]})
        grid = TimeGrid(START // 60, 2, 60)
        np.testing.assert_array_equal(load_series("swap_fee", path, grid), [0.1, 0.2])

    def test_trades_do_not_belong_to_bars(self, write: Writer) -> None:
        trades = {"open_time": HOURS[:1], "token_in": ["BTC"], "token_out": ["ETH"], "amount_in": [1.0]}
        with pytest.raises(PriceError, match="its times are those of bars, as its column 'open_time' says"):
            load_trades(write("trades.csv", trades))

    def test_a_series_that_names_the_start_of_its_bars_is_moved(
        self, write: Writer, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = write("gas.csv", {"open_time": HOURS[:3], "value": [1.0, 2.0, 3.0]})
        found = load_series("gas_cost_usd", path, TimeGrid(START // 60, 4, 60), needed_from=1)
        np.testing.assert_array_equal(found, [np.nan, 1.0, 2.0, 3.0])
        assert "taken as the start of bars" in caplog.text

    @pytest.mark.parametrize("columns", [{"symbol": ["BTC"] * 6}, {"base": ["BTC"] * 6, "quote": ["USD"] * 6}])
    def test_a_symbol_without_a_price(self, write: Writer, columns: dict) -> None:
        path = write("all.csv", {"time": HOURS, **columns, "last": CLOSES})
        for source in (path, path.parent):
            with pytest.raises(
                PriceError, match=r"all\.csv has no price column: its columns are time, .*, last; name one"
            ):
                load_prices(["all"], source)


class TestFaults:
    @pytest.mark.parametrize(
        ("name", "content", "expected"),
        [
            ("BTC.csv", b"", "cannot be read: it is empty"),
            ("BTC.csv", b"\n \n", "cannot be read: it is empty"),
            ("BTC.parquet", b"", "cannot be read: it is empty"),
            ("BTC.feather", b"", "cannot be read: it is empty"),
            ("BTC.csv.gz", gzip.compress(b"", mtime=0), "cannot be read: it is empty"),
            ("BTC.csv.gz", SIMPLE.encode(), "cannot be read: Not a gzipped file"),
            ("BTC.csv.gz", PACKED[:-9], "cannot be read: "),
            ("BTC.zip", b"PK\x03\x04", "cannot be read: File is not a zip file"),
            ("BTC.parquet", b"PAR1nothing", "cannot be read: "),
            ("BTC.feather", b"ARROW1nothing", "cannot be read: "),
            ("BTC.csv", SIMPLE.encode("utf-16"), "is UTF-16, not UTF-8"),
            ("BTC.csv", "time,close,Währung\n".encode("latin-1"), "is not UTF-8 text .byte 0xe4 at position 12."),
            ("BTC.csv", SIMPLE.encode() + b"2024-01-01T06:00\xff,1\n", "column 'time' is not UTF-8 text|not UTF-8"),
            ("BTC.csv", b"time,close\n\x00\x01\x02", "it holds bytes that are not text"),
            ("BTC.csv", PACKED, r"is a \.csv\.gz file, not a CSV file: rename it so that it ends in \.csv\.gz"),
            ("BTC.csv", b"PAR1....", r"is a \.parquet file, not a CSV file"),
            ("BTC.csv", b"time\n2024-01-01\n", "has no price column beside 'time'"),
        ],
    )
    def test_an_invalid_file_gives_one_message(self, tmp_path: Path, name: str, content: bytes, expected: str) -> None:
        (tmp_path / name).write_bytes(content)
        for load in (lambda: load_prices(["BTC"], tmp_path / name), lambda: available(tmp_path / name)):
            with pytest.raises(PriceError, match=expected) as caught:
                load()
            assert name in str(caught.value)
            assert "\n" not in str(caught.value)

    def test_a_folder_instead_of_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "BTC.csv").mkdir()
        with pytest.raises(PriceError, match=r"BTC\.csv is a folder, not a file"):
            load_prices(["BTC"], tmp_path)
        with pytest.raises(PriceError, match="holds no price file"):
            load_prices(["BTC"], tmp_path / "BTC.csv")
        with pytest.raises(PriceError, match="the price source is empty"):
            load_prices(["BTC"], "")

    def test_broken_links_and_devices(self, tmp_path: Path) -> None:
        (tmp_path / "BTC.csv").symlink_to(tmp_path / "absent.csv")
        os.mkfifo(tmp_path / "ETH.csv")  # opening it would wait for ever
        for token in ("BTC", "ETH"):
            with pytest.raises(PriceError, match=rf"{token}\.csv is not a readable file"):
                load_prices([token], tmp_path)

    def test_unpacking_has_a_limit(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("quantsim.prices.files._MOST_UNPACKED_BYTES", 50)
        (tmp_path / "BTC.csv.gz").write_bytes(PACKED)
        with pytest.raises(PriceError, match=r"BTC\.csv\.gz holds more than 0 GiB; unpack it"):
            load_prices(["BTC"], tmp_path)

    def test_random_damage_raises_a_price_error(self, tmp_path: Path) -> None:
        """Random bytes, lines and cells in good files: each is loaded or refused in one line, and nothing else is raised."""
        draw = random.Random(7)  # noqa: S311
        good = [SIMPLE, KLINES + rows(*klines()), rows(*klines())]
        good.append(rows(HOURS, CLOSES, header="Price,Close\nTicker,BTC\nDate,\n"))
        bits = [
            b",",
            b";",
            b"\n",
            b"\r",
            b'"',
            b"\0",
            b"\xff",
            b"0x1f",
            b"nan",
            b"-1",
            b"1e400",
            b"close",
            b"open_time",
            b"",
        ]
        expected: dict[str, str] = {}
        for number in range(250):
            content = bytearray(draw.choice(good).encode())
            for _ in range(draw.choice([1, 2, 5])):
                place = draw.randrange(len(content) or 1)
                content[place : place + draw.choice([0, 1, 3, 20])] = draw.choice(bits)
            suffix = draw.choice([".csv", ".csv", ".csv.gz", ".parquet", ".feather"])
            path = tmp_path / f"BTC{number}{suffix}"
            path.write_bytes(gzip.compress(content) if suffix == ".csv.gz" else content)
            try:
                load_prices([f"BTC{number}"], path)
            except PriceError as error:
                expected[path.name] = str(error)
        assert 50 < len(expected) < 250
        for name, message in expected.items():
            assert name in message
            assert "\n" not in message
            assert len(message) < 1000

    def test_files_without_permission(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "BTC.csv").write_text(SIMPLE)

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", refuse)
            with pytest.raises(PriceError, match=r"BTC\.csv cannot be read: Permission denied"):
                load_prices(["BTC"], tmp_path)
        for method in ("iterdir", "is_file"):
            with monkeypatch.context() as patch:
                patch.setattr(Path, method, refuse)
                with pytest.raises(PriceError, match=r"price source '.*' cannot be read: Permission denied"):
                    load_prices(["BTC"], tmp_path)
        with pytest.raises(PriceError, match=r"price source '.*' cannot be read: File name too long"):
            load_prices(["BTC"], tmp_path / ("x" * 300))
        with pytest.raises(PriceError, match="'~nobody-of-that-name/x': there is no such user"):
            load_prices(["BTC"], "~nobody-of-that-name/x")

    def test_a_huge_file_is_refused_before_it_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "BTC.csv"
        path.write_text(SIMPLE + "#" * 2**18)
        with path.open("r+b") as file:
            file.truncate(2**43)  # sparse: it takes no room
        with pytest.raises(PriceError, match=r"BTC\.csv is larger than 4 GiB; keep the columns time and close only"):
            load_prices(["BTC"], path)
