"""Downloaded files, in the formats of exchanges and tools, become one checked file per token."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from quantsim.commands.app import app
from quantsim.config import Experiment
from quantsim.errors import ConfigError, PriceError
from quantsim.prices import load_prices
from quantsim.prices.importing import import_prices
from quantsim.prices.importing.find import token_of_file

START = 1735689600 - 4 * 60  # four minutes before 2025, when Binance's unit changes
CLOSES = np.array([100.0, 101.5, 99.25, 102.0, 103.5, 104.0, 101.0, 100.5])
OPENS = START + 60 * np.arange(CLOSES.size)


def klines(opens: np.ndarray, closes: np.ndarray, per_second: int) -> str:
    """Binance's klines, without a header."""
    return "".join(
        f"{stamp * per_second},{close},{close + 1},{close - 1},{close},5,{(stamp + 60) * per_second - 1},9,3,1,1,0\n"
        for stamp, close in zip(opens.tolist(), closes.tolist(), strict=True)
    )


def kraken(opens: np.ndarray, closes: np.ndarray) -> str:
    """Kraken's OHLCVT."""
    pairs = zip(opens.tolist(), closes.tolist(), strict=True)
    return "".join(f"{stamp},{close},{close + 1},{close - 1},{close},5,3\n" for stamp, close in pairs)


def archive(path: Path, members: dict[str, str]) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in members.items():
            packed.writestr(name, text)


def candles(opens: np.ndarray, closes: np.ndarray) -> list[list[float]]:
    """The rows of ccxt."""
    return [
        [1000 * stamp, close, close + 1, close - 1, close, 5.0]
        for stamp, close in zip(opens.tolist(), closes.tolist(), strict=True)
    ]


def frame(opens: np.ndarray, closes: np.ndarray) -> pd.DataFrame:
    """The columns of freqtrade."""
    dates = pd.to_datetime(opens, unit="s", utc=True)
    return pd.DataFrame({"date": dates, "open": closes, "high": closes, "low": closes, "close": closes, "volume": 1.0})


def write_binance(folder: Path) -> None:
    """A zip file per month; the unit changes from one to the next."""
    archive(folder / "BTCUSDT-1m-2024-12.zip", {"BTCUSDT-1m-2024-12.csv": klines(OPENS[:4], CLOSES[:4], 1000)})
    archive(folder / "BTCUSDT-1m-2025-01.zip", {"BTCUSDT-1m-2025-01.csv": klines(OPENS[4:], CLOSES[4:], 1_000_000)})
    (folder / "BTCUSDT-1m-2025-01.zip.CHECKSUM").write_text("0\n")


def write_kraken(folder: Path) -> None:
    """One archive of all pairs and bars."""
    hours = np.array([START // 3600 * 3600, START // 3600 * 3600 + 3600])
    members = {"XBTUSD_1.csv": kraken(OPENS, CLOSES), "XBTUSD_60.csv": kraken(hours, CLOSES[:2])}
    archive(folder / "Kraken_OHLCVT.zip", {**members, "ETHXBT_1.csv": "not read\n"})


def write_days(folder: Path) -> None:
    """A daily file, and another of the next day, whose first minute is the only row."""
    (folder / "BTC_USDT-1m-2024-12-31.json").write_text(json.dumps(candles(OPENS[:7], CLOSES[:7])))
    (folder / "BTC_USDT-1m-2025-01-01.json").write_text(json.dumps({"BTC/USDT": candles(OPENS[7:], CLOSES[7:])}))


FORMATS = {
    "klines by month": (write_binance, {}, "start (the shape of its rows)", "epoch milliseconds, epoch microseconds"),
    "OHLCVT in an archive": (write_kraken, {"bar_minutes": 1}, "start (the shape of its rows)", "epoch seconds"),
    "ccxt by day": (write_days, {}, "start (ccxt's format)", "epoch milliseconds"),
    "feather": (
        lambda folder: frame(OPENS, CLOSES).to_feather(folder / "BTC_USDT-1m.feather"),
        *({"stamps": "start"}, "start (stamps as given)", "dates"),
    ),
    "parquet of the ends": (
        lambda folder: frame(OPENS + 60, CLOSES).to_parquet(folder / "btc.parquet"),
        *({"stamps": "end"}, "end (stamps as given)", "dates"),
    ),
    "text in reverse order": (
        lambda folder: (
            frame(OPENS, CLOSES)[::-1]
            .rename(columns={"date": "open_time"})
            .to_csv(folder / "btcusd.csv.gz", index=False)
        ),
        *({}, "start (its column 'open_time')", "dates"),
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats_give_the_same_prices_and_hash(name: str, tmp_path: Path):
    make, options, stamps, unit = FORMATS[name]
    (tmp_path / "raw").mkdir()
    make(tmp_path / "raw")
    report = import_prices([tmp_path / "raw"], tmp_path / "prices", tokens=["BTC"], **options)
    expected = pd.Series(CLOSES, pd.to_datetime(OPENS + 60, unit="s"))
    loaded = load_prices(["BTC"], tmp_path / "prices")
    pd.testing.assert_series_equal(pd.Series(loaded.prices[:, 0], loaded.times), expected, check_index_type=False)
    (token,) = report.tokens
    assert report.sha256 == loaded.identity
    assert ", ".join(dict.fromkeys(f"{file.stamps} ({file.why})" for file in token.files)) == stamps
    assert ", ".join(dict.fromkeys(file.unit for file in token.files)) == unit
    assert (token.n_repeated, token.disagreements, token.coverage.gaps) == (0, (), ())
    assert [length for _, length in report.skipped] == ([60] if "archive" in name else [])


def test_gaps_repeated_rows_and_disagreements_are_reported(tmp_path: Path):
    """The first file that has a price counts; within a file the last row with one stamp. Another source fills gaps."""
    rows = candles(OPENS, CLOSES)
    unfinished = [rows[2][0], *[90.0] * 5]
    (tmp_path / "BTC.json").write_text(json.dumps([rows[1], rows[0], unfinished, rows[2], rows[2], rows[6], rows[7]]))
    other = [rows[0], rows[1], [rows[2][0], *[100.2425] * 5], rows[3]]
    (tmp_path / "kraken_BTC_USD.json").write_text(json.dumps(other))
    paths = [tmp_path / "BTC.json", tmp_path / "kraken_BTC_USD.json"]
    report = import_prices(paths, tmp_path / "prices")
    (token,) = report.tokens
    assert [str(gap) for gap in token.coverage.gaps] == ["2025-01-01T00:01, 2 bars of 1 min"]
    assert [file.n_repeated for file in token.files] == [2, 0]
    assert [file.reordered for file in token.files] == [True, False]
    assert token.n_repeated == 5
    inside, between = token.disagreements
    assert (inside.kept, inside.other, inside.n_bars) == (str(paths[0]), str(paths[0]), 1)
    assert (between.kept, between.other, between.n_bars) == (str(paths[0]), str(paths[1]), 1)
    assert between.largest == pytest.approx(0.01)
    assert str(between.at) == "2024-12-31T23:59:00"
    assert report.forward_fill_bars == 2
    held = pd.read_parquet(token.coverage.path)["close"]
    assert held.tolist() == [*CLOSES[:4], *CLOSES[6:]]


def test_a_study_pins_the_prices(tmp_path: Path):
    for token, factor in (("BTC", 1.0), ("ETH", 0.1)):
        frame(OPENS, factor * CLOSES).to_csv(tmp_path / f"{token}-USD.csv", index=False)
    report = import_prices([tmp_path], tmp_path / "prices", stamps="start")
    text = (
        f"{report.study_table()}\n[periods]\ntrain_start = 2024-12-31T23:57:00Z\ntrain_end = 2025-01-01T00:00:00Z\n"
        '[pool]\nrule = "balancer"\n'
    )
    (tmp_path / "study.toml").write_text(text)
    study = Experiment.load(tmp_path / "study.toml")
    assert study.load_prices().identity == report.sha256 == study.data.sha256
    free = Experiment.load(tmp_path / "study.toml", [f"data.sha256={'0' * 64}"])
    assert free.identity == study.identity
    with pytest.raises(PriceError, match=rf"data\.sha256 is 0{{64}}, and the hash of .* is {report.sha256}\. Restore"):
        free.load_prices()
    with pytest.raises(ConfigError, match="sha256"):
        Experiment.load(tmp_path / "study.toml", ["data.sha256=abc"])


REFUSED = {
    "no convention": ({"BTC.csv": "date,close\n2024-01-01,1\n2024-01-02,2\n"}, {}, "mark the start or the end"),
    "other token": ({"BTC.csv": "date,symbol,close\n2024-01-01,ETH,1\n"}, {"token": "BTC"}, "holds ETH, not BTC"),
    "no token": ({"my_data.csv": "open_time,close\n2024-01-01,1\n"}, {}, "does not say which token"),
    "not in dollars": ({"ETH_BTC.csv": "open_time,close\n2024-01-01,1\n"}, {}, "does not say which token"),
    "missing token": (
        {"BTC.json": json.dumps(candles(OPENS, CLOSES))},
        {"tokens": ["ETH"]},
        "no file holds prices of ETH",
    ),
    "different bars": (
        {
            "BTC-1m.json": json.dumps(candles(OPENS, CLOSES)),
            "BTC-4h.json": json.dumps(candles(OPENS // 14400 * 14400 + np.arange(8) * 14400, CLOSES)),
        },
        *({}, r"different bars: 1 min \(.*BTC-1m.json\), 240 min .*--bar 1m"),
    ),
    "other bars": (
        {"BTC.json": json.dumps(candles(OPENS, CLOSES))},
        {"bar_minutes": 60},
        "bars of 60 min: they have 1 min",
    ),
    "one row": ({"BTC.json": json.dumps(candles(OPENS[:1], CLOSES[:1]))}, {}, "shows no bar length"),
    "not candles": ({"BTC.json": "[[1, 2]]"}, {}, r"data row 1: \[1, 2\] is not a candle"),
    "not JSON": ({"BTC.json": "time,close"}, {}, "cannot be read as JSON"),
    "no prices": ({"notes.txt": "?"}, {}, "holds no price file"),
    "negative": ({"BTC.json": json.dumps(candles(OPENS, -CLOSES))}, {}, "must be positive"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_and_nothing_written(name: str, tmp_path: Path):
    files, options, message = REFUSED[name]
    (tmp_path / "raw").mkdir()
    for file, text in files.items():
        (tmp_path / "raw" / file).write_text(text)
    with pytest.raises(PriceError, match=message):
        import_prices([tmp_path / "raw"], tmp_path / "prices", **options)
    assert not (tmp_path / "prices").exists()


@pytest.mark.parametrize(
    ("stem", "token"),
    [
        *(
            ("BTCUSDT-1m-2024-01", "BTC"),
            ("BTCUSDT-1m-2024-01-31", "BTC"),
            ("XBTUSD_1", "BTC"),
            ("1INCHUSDT-1d", "1INCH"),
        ),
        *(
            ("BTC_USDT-5m", "BTC"),
            ("Binance_ETHUSDT_1h", "ETH"),
            ("eth-usd", "ETH"),
            ("kraken_SOL", "SOL"),
            ("SUI", "SUI"),
        ),
        *(("crvUSD", "crvUSD"), ("sol_usdc_spot_klines_1h", "SOL")),
    ],
)
def test_names_of_files(stem: str, token: str):
    assert token_of_file(stem) == token


def test_files_that_name_another_token_are_not_read(tmp_path: Path):
    archive(tmp_path / "damaged.zip", {"BTCUSDT-1m.csv": kraken(OPENS, CLOSES), "ETHUSDT-1m.csv": "?" * 200})
    packed = (tmp_path / "damaged.zip").read_bytes()
    (tmp_path / "damaged.zip").write_bytes(packed.replace(b"?" * 200, b"!" * 200))
    (tmp_path / "SOL.csv").write_text("?")
    (tmp_path / "closes.json").write_text(json.dumps({"SUI/USDT": candles(OPENS, CLOSES)}))
    report = import_prices([tmp_path], tmp_path / "prices", tokens=["SUI", "BTC"])
    assert report.names == ("SUI", "BTC")
    with pytest.raises(PriceError, match=r"damaged.zip:ETHUSDT-1m.csv cannot be unpacked: Bad CRC-32"):
        import_prices([tmp_path], tmp_path / "others", tokens=["ETH"])


def test_the_command_imports_once_and_shows_what_it_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    rows = candles(OPENS, CLOSES)
    (tmp_path / "a.json").write_text(json.dumps(rows[:5] + rows[6:]))
    (tmp_path / "b.json").write_text(json.dumps([[rows[0][0], *[50.0] * 5], rows[1]]))
    command = ["prices", "import", "a.json", "b.json", "--token", "SUI"]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 0, shown.output
    for text in ("epoch milliseconds", "start (ccxt's format)", "50 %", 'source = "prices"', "forward_fill_bars = 1"):
        assert text in shown.stdout
    assert load_prices(["SUI"], "prices", forward_fill_bars=1).identity in shown.stdout
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 2
    assert "holds prices of SUI already: replace it with --overwrite" in again.stderr
    report = json.loads(CliRunner().invoke(app, [*command, "--overwrite", "--json"]).stdout)
    assert report["tokens"][0]["gaps"] == [{"first": "2025-01-01T00:02:00Z", "n_bars": 1}]
    assert report["tokens"][0]["disagreements"][0]["n_bars"] == 1
