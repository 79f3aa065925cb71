"""Reads a price file into raw, unchecked columns of times and prices, by token.

The columns of a file show which of three layouts it has. *Single*: a time and a price; the file's name is the token.
*Long*: a time, a token and a price, one row for each pair of time and token. *Wide*: a time, and a price column per token.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantsim.errors import PriceError
from quantsim.prices.align import RawSeries
from quantsim.prices.cells import ends_of_bars, numbers_of, texts_of, times_of, unit_text
from quantsim.prices.files import Sheet, member_of, open_sheet, stem_of
from quantsim.prices.header import PRICE_NAMES, TIME_NAMES, normal
from quantsim.prices.instants import StampConvention, row_text, text
from quantsim.prices.names import find_names, is_dollar, is_index_name, refusal, stands_for, token_of, tokens_of

__all__ = ["Named", "read_columns", "read_named", "read_single"]

logger = logging.getLogger(__name__)

# Names of the column that holds the token of each row, in order of preference. The later names can also mean other things, so
# they count only if the file has none of the earlier ones.
_LABEL_NAMES = (
    *("symbol", "token", "ticker", "pair", "tradingpair", "currencypair", "instrument", "instid", "instrumentid"),
    *("instrumentname", "product", "productid", "market", "marketid", "asset", "coin", "contract"),
    *("tokensymbol", "coinsymbol", "assetsymbol", "marketsymbol", "symbolname", "marketpair", "sym"),
)
# These may also hold other things, such as a full name or a number: only cells that look like a ticker count.
_LOOSE_NAMES = (
    *("symbolid", "assetid", "coinid", "tokenid", "assetname", "coinname", "tokenname", "name", "crypto", "cryptoname"),
    *("cryptocurrency", "currencyname", "underlying"),
)
_TICKER = re.compile(r"[A-Z0-9]*[A-Z][A-Z0-9]*([_\-/.: ][A-Z0-9]+)*")
_BASE_NAMES = ("base", "baseasset", "basecurrency", "basesymbol", "fromsymbol", "fsym")
_QUOTE_NAMES = ("quote", "quoteasset", "quotecurrency", "quotesymbol", "tosymbol", "tsym", "currency", "vscurrency")
_REMEDY = "correct the file's name or the cell, or rename the column if it means something else"
_MOST_LISTED = 20


@dataclass(frozen=True, eq=False)
class _Layout:
    """The layout of a sheet: positions of its columns. A column is None if the sheet does not have it.

    Attributes:
        sheet: the file.
        time: the time column.
        price: the price column; None in a wide file.
        columns: token name → the price column of a wide file.
        ticker: the ticker of the price column, from a second header line; None if there is none.
        label: the column with the token or pair of each row.
        base: a column with the token alone.
        quote: a column with the currency of the price.
        loose: columns that may hold the token of each row, or something else.
    """

    sheet: Sheet
    time: int
    price: int | None
    columns: dict[str, int]
    ticker: str | None = None
    label: int | None = None
    base: int | None = None
    quote: int | None = None
    loose: tuple[int, ...] = ()

    @property
    def path(self) -> Path:
        return self.sheet.path

    def where(self, position: int) -> str:
        """Names a column in messages."""
        return f"{self.path}, column {self.sheet.names[position]!r}"


@dataclass(frozen=True, eq=False)
class Named:
    """Columns of given names.

    Attributes:
        times_us: ``(N,)`` stamps, UTC microseconds since 1970.
        convention: stamp convention that the file states; None if it states none.
        columns: name → ``(N,)``, float64 or ``str``.
    """

    times_us: NDArray[np.int64]
    convention: StampConvention | None
    columns: dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class _Times:
    """The time column of a file: UTC microseconds ``(N,)``, the convention that the file states, and the unit."""

    us: NDArray[np.int64]
    convention: StampConvention | None
    unit: str


def read_single(path: Path, token: str) -> RawSeries:
    """Returns the prices of a file that holds one token.

    Raises:
        PriceError: the file has no time or price column, their content is invalid, or the file states that its prices are
            those of another token or not in dollars.
    """
    layout = _layout_of(path)
    if layout.price is None and layout.sheet.labels:
        raise PriceError(
            f"{path} holds several tokens ({', '.join(layout.columns)}); give the file itself as the source, not its folder"
        )
    if layout.price is None:
        raise _no_price(layout.sheet)
    _check_labels(layout, token)
    _check_member(path, token)
    times, (prices,) = _read(layout, [layout.price])
    return RawSeries(token, str(path), times.us, prices, convention=times.convention, unit=times.unit)


def read_columns(
    path: Path, tokens: Sequence[str] | None, *, token_of_stem: Callable[[str], str] = token_of
) -> list[RawSeries]:
    """Returns the prices of several tokens from one file, in the given order.

    Args:
        path: a file of any of the three layouts.
        tokens: the tokens; ``None`` for all tokens of the file, named by :func:`token_of`.
        token_of_stem: names the token of a file that holds one, from the name of the file, if ``tokens`` is ``None``.

    Raises:
        PriceError: the file is malformed, or a token is not in it.
    """
    layout = _layout_of(path)
    named = layout.label is not None or layout.base is not None
    if layout.price is None:
        if named:
            raise _no_price(layout.sheet)
        return _read_wide(layout, tokens)
    if named:
        return _read_long(layout, tokens)
    stem = stem_of(path)
    chosen = [token_of_stem(stem)] if tokens is None else list(find_names(tokens, [stem], str(path)))
    return [read_single(path, token) for token in chosen]


def read_named(
    path: Path, *, numbers: Sequence[str] = (), texts: Sequence[str] = (), optional: Sequence[str] = ()
) -> Named:
    """Returns the times of a file and its columns of the given names. Case does not matter.

    Args:
        path: a file with a time column.
        numbers: columns of numbers, each ``(N,)`` float64; NaN where a cell is empty.
        texts: columns of text, each ``(N,)`` of ``str``; ``""`` where a cell is empty.
        optional: columns that may be missing. All cells of a missing column are empty.

    Raises:
        PriceError: the file cannot be read, or a column is missing or of the wrong type.
    """
    layout = _layout_of(path)
    sheet = layout.sheet
    found = {name: _first_of((name,), sheet) for name in (*numbers, *texts)}
    missing = [name for name, column in found.items() if column is None and name not in optional]
    if missing:
        raise PriceError(f"{path} has no column {missing[0]!r}: its columns are {_listed(sheet)}; name one of them so")
    held = {name: column for name, column in found.items() if column is not None}
    times, values = _read(layout, [held[name] for name in numbers if name in held], of_bars=False)
    columns: dict[str, NDArray[Any]] = dict(zip((name for name in numbers if name in held), values, strict=True))
    for name in texts:
        if name in held:
            cells = texts_of(sheet.read({held[name]: "text"})[0], layout.where(held[name]))
            columns[name] = np.array(cells.fill_null("").to_pylist(), object)
    for name in (*numbers, *texts):
        empty = np.full(times.us.size, np.nan) if name in numbers else np.full(times.us.size, "", object)
        columns.setdefault(name, empty)
    return Named(times.us, times.convention, columns)


def _layout_of(path: Path) -> _Layout:
    """Returns the layout of a file, from its column names.

    Raises:
        PriceError: the file cannot be read, two columns have the same name, or there is no time column.
    """
    sheet = open_sheet(path)
    _refuse_repeated(sheet)
    time = _first_of(TIME_NAMES, sheet)
    time = sheet.index if time is None else time
    if time is None:
        raise PriceError(
            f"{path} has no time column: its columns are {_listed(sheet)}; name one of them timestamp, datetime, unix, time, "
            "date, ts, open_time or close_time"
        )
    price = _first_of(PRICE_NAMES, sheet)
    if sheet.labels and price is not None:
        field = normal(sheet.names[price])
        columns = {label: at for at, label in enumerate(sheet.labels) if label and normal(sheet.names[at]) == field}
        ticker = next(iter(columns)) if len(columns) == 1 else None
        return _Layout(sheet, time, price if ticker else None, columns, ticker)
    label, base, quote = (_first_of(names, sheet, text=True) for names in (_LABEL_NAMES, _BASE_NAMES, _QUOTE_NAMES))
    columns = {
        name: at
        for at, name in enumerate(sheet.names)
        if at != time and normal(name) not in TIME_NAMES and not is_index_name(name)
    }
    loose = tuple(
        at for at, name in enumerate(sheet.names) if at != time and normal(name) in _LOOSE_NAMES and sheet.is_text(at)
    )
    return _Layout(sheet, time, price, columns, label=label, base=base, quote=quote, loose=loose)


def _no_price(sheet: Sheet) -> PriceError:
    return PriceError(
        f"{sheet.path} has no price column: its columns are {_listed(sheet)}; name one of them close or price"
    )


def _listed(sheet: Sheet) -> str:
    names = [name or "(nameless)" for name in sheet.names[:_MOST_LISTED]]
    more = len(sheet.names) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "") or "none"


def _refuse_repeated(sheet: Sheet) -> None:
    """Raises PriceError if two columns have the same name. Index columns of data frames do not count."""
    known = {*TIME_NAMES, *PRICE_NAMES}
    seen = set()
    for at, name in enumerate(sheet.names):
        key = (normal(name) if normal(name) in known else name, *sheet.labels[at : at + 1])
        if key in seen and not is_index_name(name):
            raise PriceError(f"{sheet.path} has two columns named {name!r}; rename or remove one")
        seen.add(key)


def _first_of(wanted: Iterable[str], sheet: Sheet, *, text: bool = False) -> int | None:
    """The position of the first of these names that the sheet has; with ``text``, only text columns count."""
    found = {}
    for at, name in reversed(list(enumerate(sheet.names))):
        if not text or sheet.is_text(at):
            found[normal(name)] = at
    return next((found[name] for name in map(normal, wanted) if name in found), None)


def _read(
    layout: _Layout, positions: Sequence[int], *, of_bars: bool = True
) -> tuple[_Times, list[NDArray[np.float64]]]:
    """Returns the times of a file, and columns of numbers.

    ``of_bars`` says that each row is a bar.
    """
    sheet = layout.sheet
    bars = [sheet.names.index(name) for name in ("open", "high", "low", "close")] if sheet.assumed else []
    wanted = list(dict.fromkeys([layout.time, *positions, *bars]))
    read = sheet.read({at: "time" if at == layout.time else "number" for at in wanted})
    columns = dict(zip(wanted, read, strict=True))
    times = times_of(columns[layout.time], layout.where(layout.time))
    numbers = {at: numbers_of(columns[at], layout.path, sheet.names[at]) for at in wanted if at != layout.time}
    name = sheet.names[layout.time]
    stamps = TIME_NAMES.get(normal(name))
    convention = None if stamps is None else StampConvention(stamps, f"its column {name!r}")
    if sheet.assumed:
        _check_bars(layout.path, *(numbers[at] for at in bars))
        logger.warning("%s has no header line: its columns are taken as %s", layout.path, ", ".join(sheet.names))
        convention = StampConvention("start", "the shape of its rows")
    ends = ends_of_bars(times) if of_bars and stamps != "start" else None
    if ends is not None:
        times, convention = ends, StampConvention("end", f"a time such as {text(int(times[0]))}")
    unit = unit_text(columns[layout.time])
    return _Times(times, convention, unit), [numbers[at] for at in positions]


def _check_bars(path: Path, opens: Any, highs: Any, lows: Any, closes: Any) -> None:
    """Raises PriceError if the values of a file without a header line contradict the recognised format."""
    bad = (highs < np.maximum(opens, closes)) | (lows > np.minimum(opens, closes))
    if bad.any():
        row = int(np.argmax(bad))
        raise PriceError(
            f"{path} has no header line, and in {row_text(row)} the columns 2 to 5 cannot be open, high, low and close; write "
            "a line above the data that names its columns"
        )


def _read_wide(layout: _Layout, tokens: Sequence[str] | None) -> list[RawSeries]:
    path, sheet = layout.path, layout.sheet
    if not layout.columns:
        raise PriceError(
            f"{path} has no price column beside {sheet.names[layout.time]!r}; add one per token, or one named close"
        )
    names, where = layout.columns, str(path)
    chosen = tokens_of(names, where) if tokens is None else find_names(tokens, names, where)
    times, prices = _read(layout, [layout.columns[name] for name in chosen.values()])
    return [
        RawSeries(token, str(path), times.us, column, convention=times.convention, unit=times.unit)
        for token, column in zip(chosen, prices, strict=True)
    ]


def _read_long(layout: _Layout, tokens: Sequence[str] | None) -> list[RawSeries]:
    import pyarrow.compute as pc

    path = layout.path
    symbols = _symbols(layout)
    names = symbols.unique().to_pylist()
    chosen = tokens_of(names, str(path)) if tokens is None else find_names(tokens, names, str(path))
    times, (prices,) = _read(layout, [layout.price or 0])
    series = []
    for token, name in chosen.items():
        rows = np.flatnonzero(pc.equal(symbols, name).to_numpy(zero_copy_only=False))
        series.append(RawSeries(token, str(path), times.us[rows], prices[rows], rows, times.convention, times.unit))
    return series


def _symbols(layout: _Layout) -> Any:
    """Returns the symbol of each row of a long file, such as ``BTC`` or ``BTC/USDT``, as a pyarrow array."""
    import pyarrow.compute as pc

    named = layout.base if layout.label is None else layout.label
    symbols = _names(layout, named if named is not None else 0)
    if layout.quote is None:
        return symbols
    quotes = _names(layout, layout.quote)
    if layout.label is None:
        return pc.binary_join_element_wise(symbols, quotes, "/")
    _check_quotes(layout, quotes, "")
    return symbols


def _names(layout: _Layout, position: int) -> Any:
    """Returns a column of names as a pyarrow array; PriceError if a cell is empty."""
    cells = texts_of(layout.sheet.read({position: "text"})[0], layout.where(position))
    if cells.null_count:
        row = int(np.argmax(cells.is_null().to_numpy(zero_copy_only=False)))
        name = layout.sheet.names[position]
        raise PriceError(f"{layout.path}, {row_text(row)}: the column {name!r} is empty; it must name a token")
    return cells


def _check_labels(layout: _Layout, token: str) -> None:
    """Raises PriceError if a file for one token states that its prices are of other tokens, or not in dollars."""
    if layout.ticker is not None and not stands_for(layout.ticker, token):
        raise PriceError(
            f"{layout.path} is read for token {token!r}, and its header says {layout.ticker!r}: "
            f"{refusal(layout.ticker, token)}; {_REMEDY}"
        )
    for position in (layout.label, layout.base):
        if position is None:
            continue
        cells = _names(layout, position)
        held = cells.unique().to_pylist()
        if len(held) > 1:
            row = cells.index(held[1]).as_py()
            raise PriceError(
                f"{layout.where(position)} names more than one: {', '.join(held[:5])}{', …' if len(held) > 5 else ''} (from "
                f"{row_text(row)}); keep the rows of {token}, or give the file itself as the source, not its folder"
            )
        if held and not stands_for(held[0], token):
            raise PriceError(
                f"{layout.where(position)} says {held[0]!r}, and the file is read for token {token!r}: "
                f"{refusal(held[0], token)}; {_REMEDY}"
            )
    if layout.quote is not None:
        _check_quotes(layout, _names(layout, layout.quote), token)
    for position in layout.loose:
        cells = texts_of(layout.sheet.read({position: "text"})[0], layout.where(position))
        for held in cells.drop_null().unique().to_pylist():
            pair = "_".join(re.split(r"[_\-/.: ]", held)[-2:])  # an exchange may come first: BITSTAMP_SPOT_BTC_USD
            if _TICKER.fullmatch(held) and not stands_for(held, token) and not stands_for(pair, token):
                row = cells.index(held).as_py()
                raise PriceError(
                    f"{layout.where(position)}, {row_text(row)}: {held!r} is not {token}, which the file is read for; {_REMEDY}"
                )


def _check_member(path: Path, token: str) -> None:
    """Raises PriceError if the file inside a zip file is of another pair: ``ETHUSDT-1d-2024-01.csv`` in ``BTC.zip``."""
    inside = member_of(path) or ""
    pair = re.match(r"[A-Z0-9]{2,}?(USDT|USDC|FDUSD|BUSD|USD)(?![A-Za-z0-9])", inside)
    if pair and not stands_for(pair[0], token):
        raise PriceError(
            f"{path} is read for token {token!r}, and holds {inside}.csv: {refusal(pair[0], token)}; {_REMEDY}"
        )


def _check_quotes(layout: _Layout, quotes: Any, token: str) -> None:
    for quote in quotes.unique().to_pylist():
        if not is_dollar(quote) and not (token and stands_for(quote, token)):
            row = quotes.index(quote).as_py()
            raise PriceError(
                f"{layout.where(layout.quote or 0)}, {row_text(row)}: the prices are in {quote!r}, not in dollars; multiply "
                f"them by the price of {quote}, or take prices in dollars"
            )
