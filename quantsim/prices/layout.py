"""Finds the columns of a price file by their names: the time, and the price, or the price of each token."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from quantsim.errors import PriceError
from quantsim.prices.files import Sheet, open_sheet
from quantsim.prices.header import PRICE_NAMES, TIME_NAMES, normal
from quantsim.prices.names import is_index_name

__all__ = ["Layout", "first_of", "layout_of", "listed_columns", "no_price"]

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
_BASE_NAMES = ("base", "baseasset", "basecurrency", "basesymbol", "fromsymbol", "fsym")
_QUOTE_NAMES = ("quote", "quoteasset", "quotecurrency", "quotesymbol", "tosymbol", "tsym", "currency", "vscurrency")
_MOST_LISTED = 20


@dataclass(frozen=True, eq=False)
class Layout:
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
        """The path of the file."""
        return self.sheet.path

    def where(self, position: int) -> str:
        """Names a column in messages."""
        return f"{self.path}, column {self.sheet.names[position]!r}"


def layout_of(path: Path) -> Layout:
    """Returns the layout of a file, from its column names.

    Raises:
        PriceError: the file cannot be read, two columns have the same name, or there is no time column.
    """
    sheet = open_sheet(path)
    _refuse_repeated(sheet)
    time = first_of(TIME_NAMES, sheet)
    time = sheet.index if time is None else time
    if time is None:
        raise PriceError(
            f"{path} has no time column: its columns are {listed_columns(sheet)}; name one of them timestamp, datetime, unix, "
            "time, date, ts, open_time or close_time"
        )
    price = first_of(PRICE_NAMES, sheet)
    if sheet.labels and price is not None:
        field = normal(sheet.names[price])
        columns = {label: at for at, label in enumerate(sheet.labels) if label and normal(sheet.names[at]) == field}
        ticker = next(iter(columns)) if len(columns) == 1 else None
        return Layout(sheet, time, price if ticker else None, columns, ticker)
    label, base, quote = (first_of(names, sheet, text=True) for names in (_LABEL_NAMES, _BASE_NAMES, _QUOTE_NAMES))
    columns = {
        name: at
        for at, name in enumerate(sheet.names)
        if at != time and normal(name) not in TIME_NAMES and not is_index_name(name)
    }
    loose = tuple(
        at for at, name in enumerate(sheet.names) if at != time and normal(name) in _LOOSE_NAMES and sheet.is_text(at)
    )
    return Layout(sheet, time, price, columns, label=label, base=base, quote=quote, loose=loose)


def no_price(sheet: Sheet) -> PriceError:
    """Returns the error of a file without a price column."""
    return PriceError(
        f"{sheet.path} has no price column: its columns are {listed_columns(sheet)}; name one of them close or price"
    )


def listed_columns(sheet: Sheet) -> str:
    """Returns the names of the columns, for messages."""
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


def first_of(wanted: Iterable[str], sheet: Sheet, *, text: bool = False) -> int | None:
    """Returns the position of the first of these names that the sheet has; with ``text``, only text columns count."""
    found = {}
    for at, name in reversed(list(enumerate(sheet.names))):
        if not text or sheet.is_text(at):
            found[normal(name)] = at
    return next((found[name] for name in map(normal, wanted) if name in found), None)
