"""Names: a token matches its own name or the name of its price in dollars, and never part of another name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from quantsim.errors import PriceError
from quantsim.prices import available, load_prices
from quantsim.prices.names import find_name, find_names, stands_for, token_of

Writer = Callable[..., Path]

HOURS = [f"2024-01-01T{hour:02d}:00" for hour in range(3)]

FITS = [
    *[("BTC", name) for name in ("BTC", "btc", "BTC_USD", "btc-usdt", "BTC/USDC", "BTC.usd", "BTC USD", "BTC:USD")],
    *[
        ("BTC", name)
        for name in ("BTCUSD", "btcusdt", "BTCUSDC", "BTCBUSD", "BTC/DAI", "XBT", "XBTUSD", "BINANCE:BTCUSDT")
    ],
    *[("crvUSD", name) for name in ("crvUSD", "CRVUSD", "crvUSD/USDT", "crvUSDUSDT", "crvUSD_USD")],
    *[("CRV", name) for name in ("CRV", "CRV_USD", "crv-usd", "CRVUSDT", "CRV/USD")],
    *[("USDC", name) for name in ("USDC", "USDC/USD", "USDCUSDT")],
    *[("stETH", name) for name in ("stETH", "STETH", "stETHUSD", "STETHUSD", "stETH-USD")],
    *[("BTCUSDT", name) for name in ("BTCUSDT", "BTC/USDT", "BTC")],
    ("DOGE", "XDGUSD"),
]
OTHERS = [
    *[("CRV", name) for name in ("crvUSD", "CRVUSD", "crvusd", "crvUSDT", "cvxCRV", "CRV_ETH", "CRVETH", "sdCRV_USD")],
    *[("S", name) for name in ("sUSD", "SUSD", "susd", "SUI", "S_BTC", "SUSDC")],
    *[("T", "TUSD"), ("PY", "PYUSD"), ("FD", "FDUSD"), ("G", "GUSD"), ("B", "BUSD"), ("RL", "RLUSD"), ("A", "aUSDC")],
    *[
        ("BTC", name)
        for name in ("WBTC", "BTCB", "BTC_ETH", "BTC/EUR", "BTCEUR", "ETH/BTC", "BTCST", "BTC-USD-PERP", "ETH:BTC")
    ],
    *[("ETH", name) for name in ("stETH", "WETH", "ETHW", "ETH/BTC", "ETHBTC", "BTCETH", "rETH_USD")],
    *[("USD", name) for name in ("USDT", "USDC", "crvUSD")],
    ("crvUSD", "CRV/USD"),
    ("crvUSD", "CRV"),
]


@pytest.mark.parametrize(("token", "name"), FITS)
def test_names_that_match_a_token(token: str, name: str) -> None:
    assert stands_for(name, token)
    assert find_name(token, ["other", name], "here") == name


@pytest.mark.parametrize(("token", "name"), OTHERS)
def test_names_that_do_not_match_a_token(token: str, name: str) -> None:
    assert not stands_for(name, token)
    with pytest.raises(PriceError, match=f"token '{token}' is not in here"):
        find_name(token, [name], "here")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_files_and_columns_follow_the_same_rules(write: Writer, suffix: str) -> None:
    reason = "crvUSD is another token: for the price of CRV in dollars write CRV or CRV_USD"
    folder = write(f"crvUSD.{suffix}", {"time": HOURS, "close": [1.0] * 3}).parent
    wide = write(f"wide.{suffix}", {"time": HOURS, "crvUSD": [1.0] * 3, "CRV_ETH": [2.0] * 3})
    symbols = ["crvUSD"] * 3
    long = write(f"long.{suffix}", {"time": HOURS, "symbol": symbols, "close": [1.0] * 3})
    for source in (folder, wide, long):
        with pytest.raises(PriceError, match=f"'CRV' is not in .*; {reason}"):
            load_prices(["CRV"], source)
        assert load_prices(["crvUSD"], source).n_bars == 3
    with pytest.raises(PriceError, match="CRV_ETH is the price of CRV in ETH, not in dollars"):
        load_prices(["CRV"], wide)


@pytest.mark.parametrize("column", ["Token_Symbol", "coin symbol", "sym", "asset_id", "Name", "crypto", "symbol_id"])
def test_every_column_that_names_the_token_is_checked(write: Writer, column: str) -> None:
    for symbol in ("ETH", "ETH-USD", "BITSTAMP_SPOT_ETH_USD", "BTC/ETH", "ETH/BTC", "BINANCE_SPOT_BTC_ETH"):
        with pytest.raises(PriceError, match=rf"column '{column}'.*'{symbol}'"):
            load_prices(["BTC"], write("BTC.csv", {"time": HOURS, column: [symbol] * 3, "close": [1.0] * 3}).parent)
    assert load_prices(["ETH"], write("ETH.csv", {"time": HOURS, column: ["ETH"] * 3, "close": [1.0] * 3}).parent)


def test_full_names_and_numbers_are_ignored(write: Writer) -> None:
    for column, label in {
        "name": "Bitcoin",
        "coin_id": "bitcoin",
        "asset_id": 1,
        "symbol_id": "GDAX_SPOT_BTC_USD",
    }.items():
        source = write("BTC.csv", {"time": HOURS, column: [label] * 3, "close": [1.0] * 3}).parent
        assert load_prices(["BTC"], source).n_bars == 3


def test_two_tokens_never_share_a_name() -> None:
    with pytest.raises(PriceError, match="tokens 'BTC' and 'XBT' both match 'BTC_USD' in here"):
        find_names(["BTC", "XBT"], ["BTC_USD", "ETH"], "here")
    assert find_names(["ETH", "BTC"], ["BTC", "ETH"], "here") == {"ETH": "ETH", "BTC": "BTC"}


def test_the_quote_currency_is_removed() -> None:
    assert [token_of(name) for name in ("BTC/USDT", "BTC_usd", "BTCUSDT", "BTC_ETH", "crvUSD", "_USD")] == [
        *("BTC", "BTC", "BTCUSDT", "BTC_ETH", "crvUSD", "_USD")
    ]


# Regression cases. Folder → tokens, options, and the last price of each token at a time, or the error message.
CASES = {
    "binance-header-open_time": (["BTC", "ETH"], {}, None),
    "binance-ms-then-us": (["BTC", "ETH"], {}, None),
    "binance-noheader": (["BTC", "ETH"], {"stamps": "start"}, None),
    "cryptodatadownload": (["BTC", "ETH"], {}, None),
    "yfinance-single": (["BTC"], {}, None),
    "unnamed-index/wide.csv": (["BTC", "ETH"], {}, None),
    "bom-crlf-spaces/wide.csv": (["BTC", "ETH"], {}, None),
    "file-quoted-in-btc": (["BTC", "ETH"], {}, r"ETH\.csv, column 'symbol' says 'ETH/BTC'"),
    "crv-vs-crvusd": (["CRV", "BTC"], {}, "'CRV' is not in"),
}


@pytest.mark.parametrize("case", CASES)
def test_cases(shared: Path, case: str) -> None:
    tokens, options, expected = CASES[case]
    source = shared / "cases" / case
    if expected is not None:
        with pytest.raises(PriceError, match=expected):
            load_prices(tokens, source, **options)
        return
    prices = load_prices(tokens, source, **options)
    held = {one.token.removesuffix("USDT"): one for one in available(source)}
    assert list(held) == tokens
    assert prices.n_bars == held["BTC"].n_bars
    assert prices.prices[:, 0].min() > 50_000.0
    assert prices.prices[:, -1].max() < 10_000.0 or len(tokens) == 1


def test_files_with_different_bar_lengths(shared: Path) -> None:
    source = shared / "cases" / "start-stamps-mixed-bars"
    prices = load_prices(["BTC", "ETH"], source, bar_minutes=1440, stamps="start")
    assert prices.prices[prices.index_of("2024-01-11")].round(2).tolist() == [27029.15, 2035.53]
