from __future__ import annotations

import dataclasses
import pickle
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantsim.errors import PriceError
from quantsim.prices import Gap, Prices
from quantsim.prices.align import RawSeries, align, regularize
from quantsim.prices.frames import as_prices


def make(n_bars: int = 96, bar_minutes: int = 30, tokens: tuple[str, ...] = ("ETH", "BTC")) -> Prices:
    times = np.datetime64("2024-01-01", "s") + np.arange(n_bars) * np.timedelta64(60 * bar_minutes, "s")
    values = 1.0 + np.arange(n_bars * len(tokens), dtype=float).reshape(n_bars, len(tokens))
    return Prices(times, values, tokens, bar_minutes)


def test_fields_and_counts() -> None:
    prices = make()
    assert (prices.n_bars, prices.n_tokens, prices.bars_per_day) == (96, 2, 48)
    assert prices.times.dtype == np.dtype("datetime64[s]")
    assert prices.prices.flags.c_contiguous
    assert "ETH, BTC" in repr(prices)
    assert "2024-01-01T00:00 to 2024-01-02T23:30" in repr(prices)


def test_arrays_are_read_only_copies() -> None:
    values = np.ones((2, 1))
    prices = Prices(np.array(["2024-01-01", "2024-01-02"], "datetime64[s]"), values, ("A",), 1440)
    values[0] = 7.0
    assert prices.prices[0, 0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        prices.prices[0, 0] = 2.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        prices.bar_minutes = 1  # type: ignore[misc]


def test_a_read_only_view_of_a_writable_array_is_copied() -> None:
    values = np.ones((2, 1))
    view = values[:]
    view.setflags(write=False)
    prices = Prices(np.array(["2024-01-01", "2024-01-02"], "datetime64[s]"), view, ("A",), 1440)
    values[0] = 7.0
    assert prices.prices[0, 0] == 1.0


def test_slices_share_memory() -> None:
    prices = make()
    whole, part = prices.identity, prices.slice(3, 10)
    assert np.shares_memory(part.prices, prices.prices)
    copied = Prices(part.times.copy(), part.prices.copy(), part.tokens, part.bar_minutes)
    assert part.identity == copied.identity != whole
    assert (part.source, part.origin) == (prices.source, prices.origin)
    assert not part.prices.flags.writeable


def test_pickled_table_is_read_only_and_the_same() -> None:
    prices = make()
    again = pickle.loads(pickle.dumps(prices))  # noqa: S301
    assert again.identity == prices.identity
    assert not again.prices.flags.writeable
    assert not again.times.flags.writeable


def test_comparison_and_hash_are_by_identity() -> None:
    prices = make()
    assert prices == prices
    assert prices != make()
    assert len({prices, make()}) == 2


class TestIdentity:
    def test_is_stable(self) -> None:
        assert make().identity == make().identity
        assert make().identity == "97d17d3fc206bceea76f8f7e1d1588de4c65b5fb10a48bef64632884d53058c1"

    def test_ignores_source_and_gaps(self) -> None:
        prices = make()
        gap = Gap("ETH", prices.times[3], 1, 30)
        assert dataclasses.replace(prices, gaps=(gap,), source="elsewhere").identity == prices.identity

    @pytest.mark.parametrize(
        "other",
        [
            make(tokens=("BTC", "ETH")),
            make(tokens=("ETH", "BTc")),
            make(bar_minutes=60),
            make(n_bars=95),
            Prices(make().times + np.timedelta64(1800, "s"), make().prices, ("ETH", "BTC"), 30),
            Prices(make().times, np.nextafter(make().prices, 0.0), ("ETH", "BTC"), 30),
            Prices(make().times, make().prices[:, ::-1], ("ETH", "BTC"), 30),
        ],
        ids=["order", "name", "bar", "length", "time", "price", "columns"],
    )
    def test_changes_with_the_data(self, other: Prices) -> None:
        assert other.identity != make().identity

    def test_a_single_changed_price_changes_it(self) -> None:
        values = make().prices.copy()
        values[40, 1] = np.nextafter(values[40, 1], np.inf)
        assert Prices(make().times, values, ("ETH", "BTC"), 30).identity != make().identity


class TestConstructor:
    def test_shapes_must_fit(self) -> None:
        with pytest.raises(PriceError, match=r"times \(96,\), prices \(96, 2\) and 1 tokens"):
            Prices(make().times, make().prices, ("ETH",), 30)
        with pytest.raises(PriceError, match="T at least 1"):
            Prices(np.array([], "datetime64[s]"), np.ones((0, 1)), ("ETH",), 30)

    def test_times_must_be_the_grid(self) -> None:
        prices = make()
        with pytest.raises(PriceError, match="not a regular grid of 15-minute bars"):
            Prices(prices.times, prices.prices, prices.tokens, 15)
        with pytest.raises(PriceError, match="starts at UTC midnight"):
            Prices(prices.times + np.timedelta64(60, "s"), prices.prices, prices.tokens, 30)
        with pytest.raises(PriceError, match="not a whole second"):
            Prices(prices.times.astype("datetime64[ms]") + 1, prices.prices, prices.tokens, 30)

    @pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
    def test_prices_must_be_positive_and_finite(self, bad: float) -> None:
        values = make().prices.copy()
        values[5, 1] = bad
        with pytest.raises(PriceError, match=r"price of BTC at 2024-01-01T02:30:00 is .* positive and finite"):
            Prices(make().times, values, ("ETH", "BTC"), 30)

    @pytest.mark.parametrize("bar", [0, 7, 2880, -30, True, 30.0, "30"])
    def test_bar_must_divide_a_day(self, bar: object) -> None:
        with pytest.raises(PriceError, match=r"bar_minutes is .* divides a day"):
            Prices(make().times, make().prices, ("ETH", "BTC"), bar)  # type: ignore[arg-type]

    def test_tokens(self) -> None:
        with pytest.raises(PriceError, match="given twice"):
            Prices(make().times, make().prices, ("ETH", "eth"), 30)
        with pytest.raises(PriceError, match="not a valid name"):
            Prices(make().times, make().prices, ("ETH", ""), 30)


class TestIndexOf:
    @pytest.mark.parametrize(
        "time",
        [
            "2024-01-02",
            "2024-01-02T00:00:00",
            "2024-01-02 00:00Z",
            "2024-01-02T01:00:00+01:00",
            date(2024, 1, 2),
            datetime(2024, 1, 2),
            datetime(2024, 1, 2, tzinfo=UTC),
            datetime(2024, 1, 1, 19, tzinfo=timezone(timedelta(hours=-5))),
            np.datetime64("2024-01-02"),
            np.datetime64("2024-01-02T00:00:00.000000000"),
            pd.Timestamp("2024-01-02"),
            pd.Timestamp("2024-01-02 09:00", tz="Asia/Tokyo"),
        ],
        ids=repr,
    )
    def test_accepts_all_time_formats(self, time: object) -> None:
        assert make().index_of(time) == 48  # type: ignore[arg-type]

    def test_off_the_grid(self) -> None:
        with pytest.raises(
            PriceError,
            match=r"2024-01-01T10:07 is not on the grid .*2024-01-01T00:00 to 2024-01-02T23:30, bars of 30 min.*"
            "2024-01-01T10:00 and 2024-01-01T10:30",
        ):
            make().index_of("2024-01-01T10:07")
        with pytest.raises(PriceError, match=r"2024-01-01T10:00:00\.250000 is not on the grid"):
            make().index_of("2024-01-01T10:00:00.25")
        with pytest.raises(PriceError, match="2024-01-01T10:00:01 is not on the grid"):
            make().index_of(np.datetime64("2024-01-01T10:00:01"))

    @pytest.mark.parametrize("time", ["2023-12-31T23:30", "2024-01-03"])
    def test_outside(self, time: str) -> None:
        with pytest.raises(PriceError, match=r"lies outside arrays \(2024-01-01T00:00 to 2024-01-02T23:30, bars of 30"):
            make().index_of(time)

    @pytest.mark.parametrize("time", ["soon", "", 1704067200, None, np.datetime64("NaT"), pd.NaT])
    def test_invalid_time(self, time: object) -> None:
        with pytest.raises(PriceError, match="time"):
            make().index_of(time)  # type: ignore[arg-type]

    @given(st.integers(0, 95))
    def test_is_the_inverse_of_times(self, index: int) -> None:
        prices = make()
        assert prices.index_of(prices.times[index]) == index


class TestRanges:
    def test_slice(self) -> None:
        part = make().slice(2, 5)
        assert part.n_bars == 3
        assert part.times[0] == np.datetime64("2024-01-01T01:00")
        np.testing.assert_array_equal(part.prices, make().prices[2:5])

    @pytest.mark.parametrize(("start", "stop"), [(-1, 5), (0, 97), (5, 5), (6, 5), (96, 97)])
    def test_slice_is_never_cut_silently(self, start: int, stop: int) -> None:
        with pytest.raises(PriceError, match="do not fit"):
            make().slice(start, stop)

    def test_between_is_half_open(self) -> None:
        part = make().between("2024-01-01T12:00", "2024-01-02")
        assert part.n_bars == 24
        assert part.times[-1] == np.datetime64("2024-01-01T23:30")
        assert make().between("2024-01-01", "2024-01-03").n_bars == 96
        assert make().between(None, "2024-01-02").n_bars == 48
        assert make().between("2024-01-02", None).n_bars == 48

    def test_between_must_be_covered(self) -> None:
        prices = dataclasses.replace(make(), source="my.csv")
        with pytest.raises(
            PriceError, match=r"start 2023-12-31T00:00 is before the data: my\.csv begins at 2024-01-01"
        ):
            prices.between("2023-12-31", "2024-01-02")
        with pytest.raises(PriceError, match=r"end 2024-01-03T00:30 is after the data: my\.csv .*latest possible is"):
            prices.between("2024-01-01", "2024-01-03T00:30")
        with pytest.raises(PriceError, match=r"start 2024-01-01T00:10 is not on the grid of my\.csv"):
            prices.between("2024-01-01T00:10", "2024-01-02")

    @pytest.mark.parametrize(
        ("start", "end"),
        [("2024-01-02", "2024-01-02"), ("2024-01-02", "2024-01-01"), ("2024-01-03", None), (None, "2023-01-01")],
    )
    def test_between_must_hold_a_bar(self, start: str | None, end: str | None) -> None:
        with pytest.raises(PriceError, match="holds no bar"):
            make().between(start, end)

    def test_split(self) -> None:
        first, middle, last = make().split("2024-01-01T06:00", "2024-01-02")
        assert (first.n_bars, middle.n_bars, last.n_bars) == (12, 36, 48)
        with pytest.raises(PriceError, match="do not fit"):
            make().split("2024-01-02", "2024-01-01T06:00")
        with pytest.raises(PriceError, match="lies outside"):
            make().split("2024-02-01")

    @given(st.lists(st.integers(1, 95), min_size=1, max_size=4, unique=True))
    def test_split_parts_add_up(self, cuts: list[int]) -> None:
        prices = make()
        parts = prices.split(*(prices.times[cut] for cut in sorted(cuts)))
        np.testing.assert_array_equal(np.concatenate([part.prices for part in parts]), prices.prices)

    def test_gaps_are_cut_to_the_range(self) -> None:
        prices = dataclasses.replace(make(), gaps=(Gap("ETH", np.datetime64("2024-01-01T01:00:00"), 4, 30),))
        assert prices.slice(0, 2).gaps == ()
        assert prices.slice(3, 5).gaps == (Gap("ETH", np.datetime64("2024-01-01T01:30:00"), 2, 30),)
        assert prices.slice(6, 9).gaps == ()


class TestResample:
    def test_keeps_the_price_at_the_stamp(self) -> None:
        prices = make()
        hours = prices.resample(60)
        assert hours.bar_minutes == 60
        np.testing.assert_array_equal(hours.times, prices.times[::2])
        np.testing.assert_array_equal(hours.prices, prices.prices[::2])
        assert hours.prices.flags.c_contiguous

    def test_starts_at_midnight_for_any_first_stamp(self) -> None:
        hours = make().slice(3, 96).resample(120)
        assert hours.times[0] == np.datetime64("2024-01-01T02:00")
        assert hours.prices[0, 0] == make().prices[4, 0]

    def test_gaps_are_the_coarse_stamps_that_were_filled(self) -> None:
        gaps = (
            Gap("ETH", np.datetime64("2024-01-01T00:30:00"), 1, 30),
            Gap("BTC", np.datetime64("2024-01-01T01:30:00"), 3, 30),
        )
        hours = dataclasses.replace(make(), gaps=gaps).resample(60)
        assert hours.gaps == (Gap("BTC", np.datetime64("2024-01-01T02:00:00"), 1, 60),)

    def test_own_bar_is_a_no_op(self) -> None:
        prices = make()
        assert prices.resample(30) is prices

    def test_errors(self) -> None:
        with pytest.raises(PriceError, match="bars of 30 min, which do not divide bars of 45 min"):
            make().resample(45)
        with pytest.raises(PriceError, match="bars of 30 min, which do not divide bars of 15 min"):
            make().resample(15)
        with pytest.raises(PriceError, match="divides a day"):
            make().resample(7 * 1440)
        with pytest.raises(PriceError, match="too short"):
            make().slice(1, 40).resample(1440)

    @given(st.integers(0, 40), st.integers(41, 96))
    def test_two_steps_equal_one(self, start: int, stop: int) -> None:
        part = make().slice(start, stop)
        if part.grid.last_minute // 240 * 240 < part.grid.first_minute:
            return
        assert part.resample(60).resample(240).identity == part.resample(240).identity

    @given(st.sampled_from([30, 60, 90, 120, 240, 360]), st.integers(0, 90), st.floats(0.5, 2.0))
    def test_no_look_ahead(self, bar: int, changed: int, factor: float) -> None:
        prices = make()
        values = prices.prices.copy()
        values[changed:] *= factor
        future = Prices(prices.times, values, prices.tokens, 30)
        before = prices.resample(bar)
        known = before.times < prices.times[changed]
        np.testing.assert_array_equal(future.resample(bar).prices[known], before.prices[known])


class TestFromMemory:
    def test_from_arrays(self) -> None:
        times = [datetime(2024, 1, 1, hour, tzinfo=UTC) for hour in range(4)]
        prices = Prices.from_arrays(times, np.arange(1.0, 9.0).reshape(4, 2), ["ETH", "BTC"])
        assert prices.tokens == ("ETH", "BTC")
        assert (prices.bar_minutes, prices.n_bars, prices.source) == (60, 4, "arrays")
        assert prices.prices[3, 1] == 8.0

    def test_a_missing_row_and_an_empty_price_are_gaps(self) -> None:
        times = np.array(["2024-01-01T00:00", "2024-01-01T01:00", "2024-01-01T03:00", "2024-01-01T04:00"], "M8[m]")
        values = np.array([[1.0, 5.0], [2.0, 6.0], [np.nan, 7.0], [4.0, 8.0]])
        with pytest.raises(
            PriceError, match=r"A in arrays.*2024-01-01T02:00, 2 bars.*B in arrays.*forward_fill_bars = 2"
        ):
            Prices.from_arrays(times, values, ["A", "B"])
        prices = Prices.from_arrays(times, values, ["A", "B"], forward_fill_bars=2)
        np.testing.assert_array_equal(prices.prices, [[1, 5], [2, 6], [2, 6], [2, 7], [4, 8]])
        assert [(gap.token, gap.n_bars) for gap in prices.gaps] == [("A", 2), ("B", 1)]

    def test_missing_prices_at_the_ends_shorten_the_range(self) -> None:
        values = [[np.nan, 1.0], [2.0, 2.0], [3.0, 3.0], [4.0, np.nan]]
        times = [f"2024-01-0{day}" for day in (1, 2, 3, 4)]
        prices = Prices.from_arrays(times, values, ["A", "B"])
        assert (prices.n_bars, str(prices.times[0])) == (2, "2024-01-02T00:00:00")

    def test_single_row_needs_the_bar(self) -> None:
        with pytest.raises(PriceError, match="give bar_minutes"):
            Prices.from_arrays(["2024-01-01"], [[1.0]], ["A"])
        assert Prices.from_arrays(["2024-01-01"], [[1.0]], ["A"], bar_minutes=60).n_bars == 1

    def test_errors(self) -> None:
        times = ["2024-01-01", "2024-01-02"]
        with pytest.raises(PriceError, match=r"shape \(2,\).*need \(2, 1\)"):
            Prices.from_arrays(times, [1.0, 2.0], ["A"])
        with pytest.raises(PriceError, match=r"times have shape \(2, 1\)"):
            Prices.from_arrays([[time] for time in times], [[1.0], [2.0]], ["A"])
        with pytest.raises(PriceError, match="not numbers"):
            Prices.from_arrays(times, [["x"], ["y"]], ["A"])
        with pytest.raises(PriceError, match=r"A in arrays, data row 2: the price at 2024-01-02T00:00 is -2.0"):
            Prices.from_arrays(times, [[1.0], [-2.0]], ["A"])
        with pytest.raises(PriceError, match=r"forward_fill_bars is -1"):
            Prices.from_arrays(times, [[1.0], [2.0]], ["A"], forward_fill_bars=-1)
        with pytest.raises(PriceError, match="has no price"):
            Prices.from_arrays(times, [[np.nan], [np.nan]], ["A"])
        with pytest.raises(PriceError, match="has no rows"):
            Prices.from_arrays([], np.ones((0, 1)), ["A"])

    def test_from_frame(self) -> None:
        index = pd.date_range("2024-01-01 09:00", periods=3, freq="h", tz="Asia/Tokyo")
        frame = pd.DataFrame({"BTC": [1.0, 2.0, 3.0], "ETH": [4, 5, 6]}, index=index)
        prices = Prices.from_frame(frame)
        assert prices.tokens == ("BTC", "ETH")
        assert str(prices.times[0]) == "2024-01-01T00:00:00"
        chosen = Prices.from_frame(frame, tokens=["ETH", "BTC"])
        np.testing.assert_array_equal(chosen.prices, prices.prices[:, ::-1])
        assert Prices.from_frame(frame.tz_convert("UTC").tz_localize(None)).identity == prices.identity

    def test_from_a_frame_that_exports_arrow(self) -> None:
        """As frames of polars do; times are in a column."""
        index = pd.date_range("2024-01-01", periods=3, freq="h")
        expected = Prices.from_frame(pd.DataFrame({"BTC": [1.0, 2.0, 3.0], "ETH": [4.0, 5.0, 6.0]}, index=index))
        table = pa.table({"ETH": [4, 5, 6], "time": index, "BTC": [1.0, 2.0, 3.0]})
        assert Prices.from_frame(table, tokens=["BTC", "ETH"]).identity == expected.identity
        epochs = table.set_column(1, "unix", pa.array(1_704_067_200 + 3600 * np.arange(3)))
        pairs = epochs.rename_columns(["ETH/USDT", "unix", "BTC/USDT"])
        assert as_prices(pairs, tokens=["BTC", "ETH"]).identity == expected.identity
        candles = {name: pa.table({"close_time": index, "close": table[name]}) for name in ("BTC", "ETH")}
        assert as_prices(candles, tokens=["BTC", "ETH"]).identity == expected.identity
        with pytest.raises(PriceError, match="frame has no times: give it a column timestamp"):
            Prices.from_frame(table.drop_columns(["time"]))
        with pytest.raises(PriceError, match="frame is a list; it must be a data frame of pandas or polars"):
            Prices.from_frame([1.0])

    def test_prices_without_gaps_are_copied_once(self) -> None:
        times = np.arange(3, dtype=np.int64) * 3_600_000_000
        raw = RawSeries("A", "here", times, np.array([1.0, 2.0, 3.0]))
        series = regularize(raw)
        assert np.shares_memory(series.prices, raw.prices)
        table = align([series], bar_minutes=None, start=None, end=None, forward_fill_bars=0)
        made = Prices(table.grid.times(), table.prices, ("A",), 60)
        assert np.shares_memory(made.prices, table.prices)
        assert not np.shares_memory(made.prices, raw.prices)  # which its owner may change

    def test_from_frame_errors(self) -> None:
        twice = pd.DataFrame([[1.0, 2.0]], columns=["BTC", "BTC"], index=pd.to_datetime(["2024-01-01"]))
        with pytest.raises(PriceError, match="two columns named 'BTC'"):
            Prices.from_frame(twice, tokens=["BTC"])
        with pytest.raises(PriceError, match="index of frame is a RangeIndex; it must be a DatetimeIndex"):
            Prices.from_frame(pd.DataFrame({"BTC": [1.0]}))
        frame = pd.DataFrame({"BTC": [1.0, 2.0]}, index=pd.to_datetime(["2024-01-01", "2024-01-02"]))
        with pytest.raises(PriceError, match="frame has no column 'ETH'; it has BTC"):
            Prices.from_frame(frame, tokens=["ETH"])

    @given(
        st.lists(st.booleans(), min_size=1, max_size=40),
        st.lists(st.floats(0.1, 1e6), min_size=42, max_size=42),
    )
    def test_filling_equals_the_plain_loop(self, kept: list[bool], values: list[float]) -> None:
        # Two rows first, so that one hour is the most common spacing, or wins a tie as the shorter one.
        present = [True, True, *kept, True]
        rows = [row for row, keep in enumerate(present) if keep]
        hours = np.datetime64("2024-01-01", "s") + np.arange(len(present)) * np.timedelta64(3600, "s")
        column = np.resize(values, len(present))
        expected = []
        for row, keep in enumerate(present):
            expected.append(column[row] if keep else expected[-1])
        spacings, counts = np.unique(np.diff(rows), return_counts=True)
        if spacings[np.argmax(counts)] != 1:
            return
        prices = Prices.from_arrays(hours[rows], column[rows, None], ["A"], forward_fill_bars=50)
        np.testing.assert_array_equal(prices.prices[:, 0], expected)
        missing = {
            index for gap in prices.gaps for index in range(prices.index_of(gap.first), 1 + prices.index_of(gap.last))
        }
        assert missing == {row for row, keep in enumerate(present) if not keep}


def test_dates_and_objects_that_are_not_times() -> None:
    days = [date(2024, 1, 1), date(2024, 1, 2)]
    assert Prices.from_arrays(days, [[1.0], [2.0]], ["A"]).bar_minutes == 1440
    with pytest.raises(PriceError, match=r"arrays, data row 2: True is not a time"):
        Prices.from_arrays(np.array([days[0], True], dtype=object), [[1.0], [2.0]], ["A"])
    with pytest.raises(PriceError, match=r"arrays, data row 1: the time is missing"):
        Prices.from_arrays(np.array([None, days[0]], dtype=object), [[1.0], [2.0]], ["A"])
