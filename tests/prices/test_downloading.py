"""Downloads from a local server that answers like an exchange: pages, refusals, holes, and breaks of either side."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from quantsim.commands.app import app
from quantsim.errors import PriceError
from quantsim.prices import load_prices
from quantsim.prices.downloading import download_prices

try:
    import ccxt
except ImportError:
    ccxt = None

with_ccxt = pytest.mark.skipif(ccxt is None, reason="the extra download is not installed")

FIRST = 28_400_000 // 60 * 60  # minutes since 1970, in 2023
NOW = FIRST + 12
PAGE = 5
SINCE = np.datetime64(FIRST, "m")


class Server(ThreadingHTTPServer):
    """Answers like Binance, with at most ``PAGE`` bars at once; the bar at ``NOW`` has not ended.

    Attributes:
        asked: the first bar of each request, in minutes from ``FIRST``.
        failures: what to do with the next requests instead of answering: a status, or None to break the connection.
        holes: bars that the exchange does not have.
        late: bars that are missing from the first answer.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[int] = []
        self.failures: list[int | None] = []
        self.holes: set[int] = set()
        self.late: set[int] = set()

    def rows(self, first: int, limit: int) -> list[list[Any]]:
        there = [bar for bar in range(max(first, 0), NOW - FIRST + 1) if bar not in self.holes][: min(limit, PAGE)]
        given = [bar for bar in there if bar not in self.late]
        self.late -= set(there)
        return [[60_000 * (FIRST + bar), "1", "1", "1", str(100 + bar), "1", 0, "1", 1, "1", "1", "0"] for bar in given]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path == "/exchangeInfo":
            self.answer(200, {"symbols": [market("BTC"), market("ETH")]})
            return
        status = self.server.failures.pop(0) if self.server.failures else 200
        if status is None:
            self.close_connection = True
            return
        query = parse_qs(address.query)
        first = int(query["startTime"][0]) // 60_000 - FIRST
        self.server.asked.append(first)
        refusal = {"code": -1100 if status == 400 else -1003, "msg": "refused"}
        self.answer(status, self.server.rows(first, int(query["limit"][0])) if status == 200 else refusal)

    def answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Retry-After", "7")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def market(token: str) -> dict[str, Any]:
    precisions = dict.fromkeys(("baseAssetPrecision", "quotePrecision", "quoteAssetPrecision"), 8)
    names = {"symbol": f"{token}USDT", "baseAsset": token, "quoteAsset": "USDT", "status": "TRADING"}
    return {
        **names,
        **precisions,
        "isSpotTradingAllowed": True,
        "permissions": ["SPOT"],
        "filters": [],
        "orderTypes": [],
    }


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as one:
        thread = threading.Thread(target=one.serve_forever, args=(0.01,))
        thread.start()
        yield one
        one.shutdown()
        thread.join()


@pytest.fixture
def exchange(server: Server) -> Iterator[Any]:
    one = ccxt.binance({"options": {"fetchMarkets": {"types": ["spot"]}}, "rateLimit": 1, "enableRateLimit": False})
    one.urls["api"] = dict.fromkeys(one.urls["api"], f"http://127.0.0.1:{server.server_port}")
    one.milliseconds = lambda: 60_000 * NOW + 30_000
    with contextlib.closing(one.session):
        yield one


def bars(folder: Path, name: str = "BTC") -> list[int]:
    """The bars on file by their starts, in minutes from ``FIRST``; checks their closes."""
    held = pd.read_parquet(folder / f"{name}.parquet")
    found = (
        held["close_time"].dt.tz_localize(None).to_numpy().astype("datetime64[m]").astype(int) - FIRST - 1
    ).tolist()
    assert held["close"].tolist() == [100.0 + bar for bar in found]
    return found


@with_ccxt
def test_pages_refusals_and_broken_connections(server: Server, exchange: Any, tmp_path: Path):
    server.failures = [200, 429, 503, None, 418]
    waits: list[float] = []
    reports: list[tuple[int, int, str]] = []
    report = download_prices(
        ["BTC", "ETH"],
        SINCE,
        exchange=exchange,
        folder=tmp_path,
        progress=lambda *one: reports.append(one),
        sleep=waits.append,
    )
    assert bars(tmp_path) == bars(tmp_path, "ETH") == list(range(12))  # not the one that has not ended
    assert waits == [7.0, 7.0, 4.0, 7.0]
    assert server.asked == [0, 5, 5, 5, 5, 10, 0, 5, 10]
    assert (reports[0], reports[-1]) == ((5, 24, "BTC"), (24, 24, "ETH"))
    assert reports == sorted(reports)
    assert exchange.enableRateLimit
    assert load_prices(["BTC", "ETH"], tmp_path).identity == report.sha256
    assert [(file.name, file.stamps) for one in report.tokens for file in one.files] == [
        ("binance BTC/USDT", "start"),
        ("binance ETH/USDT", "start"),
    ]


@with_ccxt
def test_missing_bars_are_asked_for_again(server: Server, exchange: Any, tmp_path: Path):
    server.holes, server.late = {7, 8}, {2, 3}
    done: list[int] = []
    report = download_prices(
        ["BTC"], SINCE, exchange=exchange, folder=tmp_path, progress=lambda *one: done.append(one[0])
    )
    assert bars(tmp_path) == [0, 1, 2, 3, 4, 5, 6, 9, 10, 11]
    assert done == sorted(done)
    assert [(gap.first, gap.n_bars) for gap in report.tokens[0].coverage.gaps] == [(SINCE + 8, 2)]
    server.holes.clear()
    server.asked.clear()
    report = download_prices(["BTC"], SINCE, exchange=exchange, folder=tmp_path)
    assert bars(tmp_path) == list(range(12))
    assert (server.asked, report.tokens[0].coverage.gaps) == ([7], ())


@with_ccxt
def test_the_same_call_goes_on_after_an_interrupt(server: Server, exchange: Any, tmp_path: Path):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download_prices(["BTC"], SINCE, exchange=exchange, folder=tmp_path, progress=interrupt)
    assert bars(tmp_path) == [0, 1, 2, 3, 4]
    server.failures = [None] * 8
    waits: list[float] = []
    with pytest.raises(PriceError, match=r"binance did not answer in 8 attempts: .* goes on from there"):
        download_prices(["BTC"], SINCE, exchange=exchange, folder=tmp_path, sleep=waits.append)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0]
    server.asked.clear()
    download_prices(["BTC"], SINCE, exchange=exchange, folder=tmp_path)
    assert bars(tmp_path) == list(range(12))
    assert server.asked == [5, 10]


@with_ccxt
def test_earlier_bars_are_added_and_asked_for_once(server: Server, exchange: Any, tmp_path: Path, caplog: Any):
    download_prices(["BTC"], SINCE + 6, exchange=exchange, folder=tmp_path, until=SINCE + 9)
    assert bars(tmp_path) == [6, 7, 8]
    download_prices(["BTC"], SINCE - 60, exchange=exchange, folder=tmp_path)
    assert bars(tmp_path) == list(range(12))
    assert "binance BTC/USDT: the first bar that the exchange gives begins at 2023" in caplog.text
    server.asked.clear()
    download_prices(["BTC"], SINCE - 60, exchange=exchange, folder=tmp_path)
    assert server.asked == []


REFUSED = {
    "token": ({"tokens": ["XYZ"]}, "binance does not trade XYZ for dollars"),
    "currency": ({"quote": "USDC"}, "does not trade BTC for USDC; it does for USDT: set --quote"),
    "not dollars": ({"quote": "EUR"}, "prices must be in dollars"),
    "bar": ({"bar_minutes": 10}, "has no bars of 10 min; it has"),
    "empty range": ({"since": SINCE + 20}, "no bar of 1 min begins at"),
    "exchange": ({"exchange": "binanec"}, "ccxt has no exchange 'binanec'; did you mean 'binance'"),
    "status": ({"failures": [400]}, "binance refuses the request"),
}


@with_ccxt
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_downloaded_is_refused(name: str, server: Server, exchange: Any, tmp_path: Path):
    changes, message = REFUSED[name]
    options = {"tokens": ["BTC"], "since": SINCE, "exchange": exchange, "folder": tmp_path / "prices", **changes}
    server.failures = options.pop("failures", [])
    with pytest.raises(PriceError, match=message):
        download_prices(**options)
    assert not (tmp_path / "prices").exists()


@with_ccxt
def test_the_command_and_other_prices_in_the_folder(exchange: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ccxt, "binance", lambda: exchange)
    command = ["prices", "download", "--tokens", "BTC,ETH", "--since", f"{SINCE}Z"]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 0, shown.output
    assert load_prices(["BTC", "ETH"], "prices").identity in shown.stdout
    assert "bar 24 of 24: ETH" in shown.stderr
    other = CliRunner().invoke(app, [*command, "--bar", "3m"])
    assert (other.exit_code, "than binance BTC/USDT in bars of 3 min (bar_minutes 1)" in other.stderr) == (2, True)


def test_without_ccxt_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ccxt", None)
    with pytest.raises(
        PriceError, match=r"a download from kraken needs the package ccxt: pip install 'quantsim\[download\]'"
    ):
        download_prices(["BTC"], SINCE, exchange="kraken", folder=tmp_path / "prices")
