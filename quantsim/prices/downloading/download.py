"""Downloads the bars that a folder of prices lacks. Each call asks for what is missing, so an interrupted one goes on."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantsim.errors import PriceError
from quantsim.prices.align import RegularSeries
from quantsim.prices.downloading.exchange import Candles, opened
from quantsim.prices.importing.importing import Progress
from quantsim.prices.importing.report import ImportedFile, ImportedToken, ImportReport, covered, report_of
from quantsim.prices.importing.write import check_folder, check_token, note_of, path_for, write_prices
from quantsim.prices.instants import MINUTE_US, Time, microseconds, text
from quantsim.prices.names import check_tokens, is_dollar
from quantsim.prices.read import read_single
from quantsim.prices.time_grid import TimeGrid, check_bar_minutes

__all__ = ["download_prices"]

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_WRITES = 30.0
_PASSES = 2  # a bar that is missing from an answer is asked for once more


def download_prices(
    tokens: Sequence[str],
    since: Time,
    *,
    exchange: Any = "binance",
    until: Time | None = None,
    bar_minutes: int = 1,
    quote: str = "USDT",
    folder: str | Path = "prices",
    progress: Progress = lambda done, total, token: None,
    sleep: Callable[[float], None] = time.sleep,
) -> ImportReport:
    """Downloads closes from an exchange, one file per token, into a folder that is a source of prices.

    The folder is written to every half minute, and if the download is interrupted. The same call then goes on; a later call
    also adds newer bars, and asks again for missing ones. The rate limit of the exchange is kept, and requests that it refuses
    as too many, or does not answer, are made again after a pause. The last bar is one that has ended.

    Args:
        tokens: names, such as ``["BTC", "ETH"]``.
        since: start of the first bar; without a zone UTC.
        exchange: name of an exchange in ccxt, or an exchange object of ccxt.
        until: end of the last bar; None for now.
        bar_minutes: bar length in minutes; the exchange must have it.
        quote: the dollar currency of the markets.
        folder: where ``BTC.parquet`` and so on are written, stamped at the ends of bars.
        progress: called after each page, with the bars of the range that are done, their total, and the token.
        sleep: waits before a request is made again.

    Returns:
        What was written, as for an import.

    Raises:
        PriceError: ccxt is not installed; there is no such exchange, market or bar; the range is empty; the folder holds other
            prices of a token; or the exchange does not answer.
    """
    names, bar = check_tokens(tokens), check_bar_minutes(bar_minutes)
    if not is_dollar(quote):
        raise PriceError(f"quote is {quote!r}; prices must be in dollars, such as USDT, USDC or USD")
    first = -(-microseconds(since, "since") // (bar * MINUTE_US)) * bar
    asked = None if until is None else microseconds(until, "until") // (bar * MINUTE_US) * bar
    target = Path(folder).expanduser()
    check_folder(target)
    source = opened(exchange)
    downloads = []
    for token in names:
        candles = Candles(source, token, quote, bar, sleep=sleep)
        stop = min(candles.now() // bar * bar, candles.now() if asked is None else asked)
        if first >= stop:
            raise PriceError(
                f"no bar of {bar} min begins at {text(first * MINUTE_US)} or later and ends by {text(stop * MINUTE_US)}"
            )
        downloads.append(_Download(token, candles, first, stop, bar, target))
    total = sum(one.n_bars for one in downloads)
    before = 0
    for one in downloads:
        with contextlib.closing(one.run()) as run:
            for done in run:
                progress(before + done, total, one.token)
        before += one.n_bars
    return report_of(target, [one.described() for one in downloads])


class _Download:
    """The bars of one token from ``first`` up to ``stop``, minutes since 1970 at which bars start."""

    def __init__(self, token: str, candles: Candles, first: int, stop: int, bar: int, folder: Path) -> None:
        self.token, self._candles, self._bar, self._folder = token, candles, bar, folder
        self._first, self._stop = first, stop
        self._note = {"exchange": candles.exchange, "symbol": candles.symbol, "bar_minutes": bar}
        self._starts, self._closes = np.empty(0, np.int64), np.empty(0)
        self._asked_from = stop  # from here on, the exchange was asked for all bars up to the first one held
        self._changed = False
        self._resume()

    @property
    def n_bars(self) -> int:
        return (self._stop - self._first) // self._bar

    def run(self) -> Generator[int, None, None]:
        """Downloads what is missing. Yields the number of bars of the range that are done."""
        written, done = time.monotonic(), 0
        try:
            for _ in range(_PASSES):
                for begin, end in self._missing():
                    for reached in self._fetch(begin, end):
                        done = max(done, (reached - self._first) // self._bar)
                        yield done
                        if time.monotonic() - written > _SECONDS_BETWEEN_WRITES:
                            self._write()
                            written = time.monotonic()
                if self._asked_from > self._first:
                    self._asked_from, self._changed = self._first, True
        finally:
            self._write()
        if not self._starts.size:
            raise PriceError(
                f"{self._candles} has no bar from {text(self._first * MINUTE_US)} on; choose a later range"
            )
        if self._starts[0] > self._first:
            at = text(int(self._starts[0]) * MINUTE_US)
            logger.warning("%s: the first bar that the exchange gives begins at %s", self._candles, at)
        yield self.n_bars

    def described(self) -> ImportedToken:
        file = ImportedFile(
            *(str(self._candles), self._starts.size, "epoch milliseconds", "start", "ccxt's format", self._bar),
            n_repeated=0,
            reordered=False,
        )
        return ImportedToken(covered(self._series(), path_for(self.token, self._folder)), (file,))

    def _fetch(self, begin: int, end: int) -> Iterator[int]:
        """Asks for the bars from ``begin`` up to ``end``, page by page. Yields the start of the next page."""
        while begin < end:
            starts, closes = self._candles.page(begin)
            if starts.size:
                self._add(starts, closes)
                begin = int(starts[-1]) + self._bar
            else:
                begin += self._candles.most * self._bar  # some exchanges answer for the time of one page only
            yield min(begin, end)

    def _add(self, starts: NDArray[np.int64], closes: NDArray[np.float64]) -> None:
        self._changed = True
        inside = (starts >= self._first) & (starts < self._stop)
        whole = np.concatenate([starts[inside], self._starts])  # of equal ones, the first: the new one
        self._starts, places = np.unique(whole, return_index=True)
        self._closes = np.concatenate([closes[inside], self._closes])[places]

    def _missing(self) -> list[tuple[int, int]]:
        """Returns the ranges of bars to ask for, half open; ranges that fit into one page are joined."""
        held, begin = self._starts, self._first
        if held.size and self._asked_from <= self._first:
            begin = max(begin, int(held[0]))  # the exchange has no earlier bars
        inside = held[(held >= begin) & (held < self._stop)]
        edges = np.concatenate([[begin - self._bar], inside, [self._stop]])
        found: list[tuple[int, int]] = []
        for place in np.flatnonzero(np.diff(edges) > self._bar).tolist():
            begin, end = int(edges[place]) + self._bar, int(edges[place + 1])
            if found and end - found[-1][0] <= self._candles.most * self._bar:
                found[-1] = (found[-1][0], end)
            else:
                found.append((begin, end))
        return found

    def _resume(self) -> None:
        """Reads what an earlier call has written.

        Raises:
            PriceError: the folder holds other prices of the token.
        """
        path = path_for(self.token, self._folder)
        check_token(self.token, self._folder, overwrite=True)
        if not path.exists():
            return
        note = note_of(path)
        others = {key: note.get(key) for key, value in self._note.items() if note.get(key) != value}
        if others:
            found = ", ".join(f"{key} {value}" for key, value in others.items() if value is not None)
            raise PriceError(
                f"{path} holds other prices of {self.token} than {self._candles} in bars of {self._bar} min"
                f"{f' ({found})' if found else ''}: write to another folder with --to (in Python folder=), or move it away"
            )
        raw = read_single(path, self.token)
        self._starts, self._closes = raw.times_us // MINUTE_US - self._bar, raw.prices
        self._asked_from = int(note["asked_from"])

    def _write(self) -> None:
        """Writes what is held, if that has changed since it was read or written."""
        if self._starts.size and self._changed:
            write_prices(self._series(), self._folder, {**self._note, "asked_from": self._asked_from})
            self._changed = False

    def _series(self) -> RegularSeries:
        grid = TimeGrid(
            int(self._starts[0]) + self._bar, int(self._starts[-1] - self._starts[0]) // self._bar + 1, self._bar
        )
        prices = np.full(grid.n_bars, np.nan)
        prices[(self._starts - self._starts[0]) // self._bar] = self._closes
        return RegularSeries(self.token, str(self._candles), grid, prices)
