"""Finds price files in folders and archives, and the token in the name of a file."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from quantsim.errors import PriceError, reason_of
from quantsim.prices.files import is_price_file, stem_of
from quantsim.prices.names import base_of, is_dollar

__all__ = ["Found", "find_files", "says_another_token", "token_of_file"]

# fmt: off
_EXCHANGES = (
    "binance", "binanceus", "bitfinex", "bitget", "bitstamp", "bittrex", "bybit", "coinbase", "coinbasepro", "cryptocom",
    "gate", "gateio", "gemini", "htx", "huobi", "hyperliquid", "kraken", "kucoin", "mexc", "okex", "okx", "poloniex",
)
# fmt: on
_WORDS = (*_EXCHANGES, "candles", "klines", "ohlc", "ohlcv", "ohlcvt", "prices", "spot", "daily", "hourly", "minute")
_INTERVAL_OR_DATE = re.compile(r"\d+(s|m|min|minute|minutes|h|hour|d|day|w)?", re.IGNORECASE)
_MOST_BYTES = 4 * 2**30  # of a member of an archive
_SUFFIXES = ".csv, .csv.gz, .zip, .feather, .parquet or .json"


@dataclass(frozen=True)
class Found:
    """A price file: itself, or a member of an archive.

    Attributes:
        path: the file or the archive.
        member: name inside the archive; None for a file.
    """

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path}:{self.member}"

    @property
    def stem(self) -> str:
        """The name without folder and suffixes."""
        path = self.path if self.member is None else Path(PurePosixPath(self.member).name)
        return path.stem if path.suffix.lower() == ".json" else stem_of(path)

    @contextlib.contextmanager
    def unpacked(self) -> Iterator[Path]:
        """Yields the path of the file; a member of an archive is unpacked into a temporary folder."""
        if self.member is None:
            yield self.path
            return
        with tempfile.TemporaryDirectory(prefix="quantsim-") as folder, zipfile.ZipFile(self.path) as archive:
            target = Path(folder) / PurePosixPath(self.member).name
            if archive.getinfo(self.member).file_size > _MOST_BYTES:
                raise PriceError(
                    f"{self} holds more than {_MOST_BYTES // 2**30} GiB; unpack it, and keep time and close only"
                )
            try:
                with archive.open(self.member) as packed, target.open("wb") as file:
                    shutil.copyfileobj(packed, file)  # reads no more than the stated size
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
                raise PriceError(f"{self} cannot be unpacked: {reason_of(error)}") from error
            yield target


def find_files(paths: Sequence[Path]) -> list[Found]:
    """Returns the price files at these paths, in their order; the files of a folder or an archive in order of name.

    Raises:
        PriceError: a path does not exist, is not a price file, or holds none.
    """
    found: dict[Found, None] = {}
    for path in paths:
        path = path.expanduser()
        if path.is_dir():
            inside = [one for one in sorted(path.rglob("*")) if one.is_file() and _is_data(one.relative_to(path))]
            if not inside:
                raise PriceError(f"{path} holds no price file; names must end in {_SUFFIXES}")
            files = inside
        elif not path.exists():
            raise PriceError(f"{path} does not exist; give files or folders with prices")
        elif not _is_data(Path(path.name)):
            raise PriceError(f"{path} is not a price file; its name must end in {_SUFFIXES}")
        else:
            files = [path]
        found.update((one, None) for file in files for one in _members(file))
    return list(found)


def token_of_file(stem: str) -> str:
    """Returns the token in the name of a file.

    Exchanges, bar lengths and dates do not count: ``BTCUSDT-1m-2024-01``, ``XBTUSD_1``, ``BTC_USDT-5m`` and
    ``Binance_BTCUSDT_1h`` are all BTC.

    Raises:
        PriceError: the name has no token, several, or a price that is not in dollars.
    """
    parts = _parts(stem)
    if len(parts) == 2 and is_dollar(parts[1]):
        return base_of("_".join(parts))
    if len(parts) == 1:
        return base_of(parts[0])
    raise PriceError(
        f"the name {stem!r} does not say which token's price in dollars the file holds: name it like BTC_USDT-1m.csv, or name "
        "the token with --token (in Python token=)"
    )


def says_another_token(stem: str, tokens: Collection[str]) -> bool:
    """Whether the name of a file has a token that is none of these: ``ETHUSDT-1m`` or ``SOL`` has one, ``closes`` has none."""
    parts = _parts(stem)
    ticker = len(parts) == 1 and parts[0].isupper()
    pair = len(parts) == 2 and is_dollar(parts[1])
    return (ticker or pair) and token_of_file(stem).casefold() not in {token.casefold() for token in tokens}


def _parts(stem: str) -> list[str]:
    """Returns the parts of a name that may be a token or a currency."""
    parts = [part for part in re.split(r"[_\-. ]+", stem) if part and not _INTERVAL_OR_DATE.fullmatch(part)]
    return [part for part in parts if part.casefold() not in _WORDS] or parts[:1]


def _is_data(path: Path) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not hidden and (is_price_file(path) or path.name.lower().endswith(".json"))


def _members(path: Path) -> list[Found]:
    """Returns the files of an archive that holds several; else the file itself."""
    if path.name.lower().endswith(".zip"):
        try:
            with zipfile.ZipFile(path) as archive:
                names = sorted(one.filename for one in archive.infolist() if not one.is_dir())
        except (OSError, zipfile.BadZipFile) as error:
            raise PriceError(f"{path} cannot be read: {reason_of(error)}") from error
        data = [name for name in names if _is_data(Path(name))]
        if len(data) > 1 or (data and not data[0].lower().endswith(".csv")):
            return [Found(path, name) for name in data]
    return [Found(path)]
