"""Files in: one parquet or CSV file as raw, unchecked columns of times and prices.

Three layouts are told apart by their columns. *Single*: a time and a price; the file's name is the token. *Long*: a
time, a token and a price, one row per pair. *Wide*: a time and one price column per token.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantsim.errors import PriceError
from quantsim.prices.align import RawSeries
from quantsim.prices.instants import microseconds_of, row_text
from quantsim.prices.names import find_name, token_of

__all__ = ["SUFFIXES", "Layout", "layout_of", "read_columns", "read_named", "read_single"]

SUFFIXES = (".parquet", ".csv")
# In order of preference where a file has several, as some exchanges' downloads do (unix and date).
_TIME_NAMES = ("timestamp", "datetime", "unix", "time", "date", "ts")
_TOKEN_NAMES = ("token", "symbol", "ticker")
_PRICE_NAMES = ("close", "price")


@dataclass(frozen=True)
class Layout:
    """How one file holds prices.

    Attributes:
        path: the file.
        time: name of the time column.
        price: name of the price column; ``None`` in a wide file.
        symbol: name of the token column of a long file.
        columns: the price columns of a wide file.
    """

    path: Path
    time: str
    price: str | None = None
    symbol: str | None = None
    columns: tuple[str, ...] = ()


def layout_of(path: Path) -> Layout:
    """Returns how a file holds prices, judged by its column names.

    Raises:
        PriceError: the file cannot be read, two columns share a name, or no time column is found.
    """
    names, index = _header(path)
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise PriceError(f"{path} has two columns named {twice[0]!r}; rename or remove one")
    time = _first_of(_TIME_NAMES, names) or index
    if time is None:
        raise PriceError(
            f"{path} has no time column: its columns are {', '.join(names) or 'none'}; name one of them "
            f"{', '.join(_TIME_NAMES[:-1])} or {_TIME_NAMES[-1]}"
        )
    price, symbol = _first_of(_PRICE_NAMES, names), _first_of(_TOKEN_NAMES, names)
    if price is not None:
        return Layout(path, time, price, symbol)
    spare = {name.casefold() for name in _TIME_NAMES}
    columns = tuple(name for name in names if name != time and name.casefold() not in spare)
    return Layout(path, time, columns=columns)


def read_single(path: Path, token: str) -> RawSeries:
    """Returns the prices of a file that holds one token.

    Raises:
        PriceError: the file has no time or no price column, or holds something else in them.
    """
    layout = layout_of(path)
    if layout.price is None:
        names = ", ".join((layout.time, *layout.columns))
        raise PriceError(f"{path} has no price column: its columns are {names}; name one of them close or price")
    table = _read(path, [layout.time, layout.price])
    return RawSeries(token, str(path), _times(table, layout), _prices(table, layout.price, path))


def read_columns(path: Path, tokens: Sequence[str] | None) -> list[RawSeries]:
    """Returns the prices of several tokens from one file, in the order asked for.

    Args:
        path: a file of any of the three layouts.
        tokens: the tokens; ``None`` for all there are, under the names :func:`token_of` makes.

    Raises:
        PriceError: the file is malformed, or a token is not in it.
    """
    layout = layout_of(path)
    if layout.price is None:
        return _read_wide(layout, tokens)
    if layout.symbol is not None:
        return _read_long(layout, tokens)
    held = token_of(path.stem)
    for token in tokens or ():
        find_name(token, [path.stem], str(path))
    return [read_single(path, token) for token in tokens or [held]]


def read_named(
    path: Path, *, numbers: Sequence[str] = (), texts: Sequence[str] = (), optional: Sequence[str] = ()
) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
    """Returns the times of a file, ``(N,)``, and its columns of the given names, whatever their case.

    Args:
        path: a file with a time column.
        numbers: columns of numbers, each ``(N,)`` float64; NaN where a cell is empty.
        texts: columns of text, each ``(N,)`` of ``str``; ``""`` where a cell is empty.
        optional: which of them may be missing, and then are empty throughout.

    Raises:
        PriceError: the file cannot be read, a column is missing, or holds something else.
    """
    layout, (header, _) = layout_of(path), _header(path)
    found = {name: _first_of((name,), header) for name in (*numbers, *texts)}
    missing = [name for name, column in found.items() if column is None and name not in optional]
    if missing:
        raise PriceError(
            f"{path} has no column {missing[0]!r}: its columns are {', '.join(header)}; name one of them so"
        )
    table = _read(path, [layout.time, *(column for column in found.values() if column is not None)])
    times = _times(table, layout)
    columns: dict[str, NDArray[Any]] = {}
    for name, column in found.items():
        if column is None:
            columns[name] = np.full(times.size, np.nan) if name in numbers else np.full(times.size, "", object)
        elif name in numbers:
            columns[name] = _prices(table, column, path)
        else:
            cells = ["" if cell is None else str(cell).strip() for cell in table.column(column).to_pylist()]
            columns[name] = np.array(cells, object)
    return times, columns


def _read_wide(layout: Layout, tokens: Sequence[str] | None) -> list[RawSeries]:
    path = layout.path
    if not layout.columns:
        raise PriceError(f"{path} has no price column beside {layout.time!r}; add one per token, or one named close")
    if tokens is None:
        chosen = {token_of(name): name for name in layout.columns}
    else:
        chosen = {token: find_name(token, layout.columns, str(path)) for token in tokens}
    table = _read(path, [layout.time, *chosen.values()])
    times = _times(table, layout)
    return [RawSeries(token, str(path), times, _prices(table, name, path)) for token, name in chosen.items()]


def _read_long(layout: Layout, tokens: Sequence[str] | None) -> list[RawSeries]:
    import pyarrow.compute as pc

    path = layout.path
    table = _read(path, [layout.time, str(layout.symbol), str(layout.price)])
    symbols = table.column(layout.symbol).cast("string")
    if symbols.null_count:
        row = int(np.argmax(symbols.is_null().to_numpy()))
        raise PriceError(f"{path}, {row_text(row)}: the column {layout.symbol!r} is empty; it must name a token")
    names = symbols.unique().to_pylist()
    if tokens is None:
        chosen = {token_of(name): name for name in names}
    else:
        chosen = {token: find_name(token, names, str(path)) for token in tokens}
    times, prices = _times(table, layout), _prices(table, str(layout.price), path)
    series = []
    for token, name in chosen.items():
        rows = np.flatnonzero(pc.equal(symbols, name).to_numpy())
        series.append(RawSeries(token, str(path), times[rows], prices[rows], rows))
    return series


def _first_of(wanted: Sequence[str], names: Sequence[str]) -> str | None:
    by_folded = {name.casefold().strip(): name for name in names}
    return next((by_folded[name] for name in wanted if name in by_folded), None)


def _header(path: Path) -> tuple[list[str], str | None]:
    """Returns the column names, and the name of a parquet file's time index if pandas wrote one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.suffix.lower() == ".csv":
            with path.open(newline="", encoding="utf-8-sig") as file:
                return next(csv.reader(file), []), None
        schema = pq.read_schema(path)
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        raise PriceError(f"{path} cannot be read: {error}") from error
    stored = [name for name in (schema.pandas_metadata or {}).get("index_columns", []) if isinstance(name, str)]
    index = stored[0] if len(stored) == 1 and pa.types.is_temporal(schema.field(stored[0]).type) else None
    return list(schema.names), index


def _read(path: Path, columns: Sequence[str]) -> Any:
    """Returns the named columns as a pyarrow table."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    try:
        if path.suffix.lower() == ".parquet":
            return pq.read_table(path, columns=list(columns))
        # One block, so that types are inferred from the whole file and a bad cell is found with its row.
        read = pyarrow.csv.ReadOptions(block_size=min(path.stat().st_size + 1024, 2**31 - 1))
        convert = pyarrow.csv.ConvertOptions(include_columns=list(columns), strings_can_be_null=True)
        return pyarrow.csv.read_csv(path, read_options=read, convert_options=convert)
    except (OSError, pa.ArrowException) as error:
        raise PriceError(f"{path} cannot be read: {error}") from error


def _times(table: Any, layout: Layout) -> NDArray[np.int64]:
    import pyarrow as pa

    column = table.column(layout.time)
    where = f"{layout.path}, column {layout.time!r}"
    if pa.types.is_time(column.type):
        raise PriceError(f"{where} holds times of day without a date; it must hold both, such as 2019-01-31T12:30")
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        # Arrow's zoned timestamps count from 1970 in UTC already; dropping the zone keeps the instant.
        values = column.cast(pa.timestamp("us", tz=getattr(column.type, "tz", None)), safe=False).cast(pa.int64())
        values = values.to_numpy() if not values.null_count else _with_nat(values)
        return microseconds_of(values.view("datetime64[us]"), where)
    numbers = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    return microseconds_of(column.to_numpy() if numbers else np.array(column.to_pylist(), dtype=object), where)


def _with_nat(values: Any) -> NDArray[np.int64]:
    filled: NDArray[np.int64] = values.fill_null(np.iinfo(np.int64).min).to_numpy()
    return filled


def _prices(table: Any, name: str, path: Path) -> NDArray[np.float64]:
    import pyarrow as pa

    column = table.column(name)
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return np.asarray(column.cast("float64").to_numpy(), dtype=np.float64)
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise PriceError(f"{path}, column {name!r} holds values of type {kind}; they must be numbers")
    import pandas as pd

    strings = pd.Series(column.to_pylist(), dtype=object)
    numbers = pd.to_numeric(strings, errors="coerce")
    bad = (numbers.isna() & strings.notna()).to_numpy()
    if bad.any():
        row = int(np.argmax(bad))
        raise PriceError(
            f"{path}, {row_text(row)}: {strings[row]!r} in column {name!r} is no number; correct or empty it"
        )
    return numbers.to_numpy(dtype=np.float64)
