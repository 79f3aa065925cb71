"""Parses the first lines of a CSV file: lines before the header, column names, and formats without a header."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quantsim.errors import PriceError
from quantsim.prices.instants import Stamps, shown
from quantsim.prices.names import is_index_name

__all__ = ["PRICE_NAMES", "TIME_NAMES", "Header", "is_value", "normal", "parse_header"]

_START_NAMES = (
    *("timeperiodstart", "periodstart", "barstart", "windowstart"),
    *("opentime", "opentimestamp", "klineopentime", "starttime", "timestart", "timeopen"),
)
_END_NAMES = (
    *("timeperiodend", "periodend", "barend", "windowend"),
    *("closetime", "closetimestamp", "klineclosetime", "endtime", "timeend", "timeclose"),
)
# In order of preference: downloads of some exchanges have several time columns (unix and date). The value says whether a
# column of that name marks the start or the end of bars; None if the name does not say.
TIME_NAMES: dict[str, Stamps | None] = {
    **dict.fromkeys(
        ("timestamp", "datetime", "unix", "time", "date", "ts", "unixtimestamp", "unixtime", "epoch", "snappedat")
    ),
    **dict.fromkeys(_START_NAMES, "start"),
    **dict.fromkeys(_END_NAMES, "end"),
}
PRICE_NAMES = ("close", "price", "closeprice", "priceclose", "closingprice")

_KLINES = (
    *("open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count"),
    *("taker_buy_volume", "taker_buy_quote_volume", "ignore"),
)
# Downloads without a header line, recognised by their number of columns; all are stamped at the start of bars. Other formats
# have as many columns in another order, so the reader checks that high is the highest and low the lowest of each row.
_SHAPES = {
    12: _KLINES,
    8: ("open_time", "open", "high", "low", "close", "vwap", "volume", "count"),
    7: ("open_time", "open", "high", "low", "close", "volume", "trades"),
}
_VALUE = re.compile(r"[+-]?(\d|\.\d)[\d.,:eE+\-TZ/ _]*( ?UTC)?")
_MOST_ROWS = 60  # rows that are inspected
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Header:
    """The beginning of a CSV file.

    Attributes:
        names: column names, stripped; ``""`` for a column without a name.
        labels: tickers of the columns, from a second header line; empty if there is none.
        n_lines: number of lines before the first row of data.
        delimiter: the character that separates cells.
        first: cells of the first row of data.
        assumed: whether the file has no header line and its names come from a recognised format.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    n_lines: int
    delimiter: str
    first: tuple[str, ...]
    assumed: bool = False


def normal(name: str) -> str:
    """Normalises a column name: ``Open Time`` and ``open_time`` are the same."""
    return re.sub(r"[\s_\-]+", "", name).casefold()


def is_value(cell: str) -> bool:
    """Whether a cell looks like a number or a time, rather than a name."""
    return _VALUE.fullmatch(cell.strip()) is not None


def parse_header(text: str, where: str) -> Header:
    """Reads the first lines of a CSV file.

    Lines before the header are skipped if they are blank, a comment (``#``), a URL or ``sep=;``. The header has one line. The
    header of a data frame with two levels of names has two or three: fields, tickers, and the name of the index.

    Args:
        text: the beginning of the file.
        where: the file, for error messages.

    Raises:
        PriceError: there is no header line, and the format is not recognised.
    """
    lines = re.split(r"\r\n|\r|\n", text)
    skipped = 0
    while skipped < len(lines) - 1 and _is_preamble(lines[skipped]):
        skipped += 1
    body = text
    for _ in range(skipped):
        body = re.sub(r"^[^\r\n]*(\r\n|\r|\n)", "", body, count=1)
    delimiter = _delimiter(lines[skipped])
    rows, ends = _rows(body, delimiter, where)
    if not rows:
        return Header((), (), skipped, delimiter, ())
    if is_value(rows[0][0]) and not any(normal(cell) in (*TIME_NAMES, *PRICE_NAMES) for cell in rows[0]):
        return Header(_shape(rows, where), (), skipped, delimiter, rows[0], assumed=True)
    odd = next((cell for cell in rows[0] if len(cell) > _LONGEST_NAME or "\n" in cell or "\r" in cell), None)
    if odd is not None:
        raise PriceError(
            f"{where} has a column named {shown(odd)}: a name is one line of at most {_LONGEST_NAME} characters; write a "
            "header line that names the columns, such as time,close, and close every quotation mark"
        )
    levels, n_rows = _levels(rows)
    names, labels = _named(levels, rows[n_rows - 1], where)
    first = rows[n_rows] if len(rows) > n_rows else ()
    return Header(names, labels, skipped + ends[n_rows - 1], delimiter, first)


def _is_preamble(line: str) -> bool:
    line = line.strip().strip(",;\t").strip('"')
    return not line or line.startswith("#") or re.match(r"(https?://|www\.|sep=)", line, re.IGNORECASE) is not None


def _delimiter(line: str) -> str:
    """Returns the comma, unless the line has no comma but another common delimiter."""
    return next((mark for mark in ",;\t|" if mark in line), ",")


def _rows(body: str, delimiter: str, where: str) -> tuple[list[tuple[str, ...]], list[int]]:
    """Returns the first rows, with stripped cells, and the number of lines up to the end of each row."""
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, skipinitialspace=True)
    rows: list[tuple[str, ...]] = []
    ends: list[int] = []
    try:
        for row in reader:
            if row:
                rows.append(tuple(cell.strip().strip("\ufeff\u200b") for cell in row))
                ends.append(reader.line_num)
            if len(rows) >= _MOST_ROWS:
                break
    except csv.Error as error:
        raise PriceError(f"{where} cannot be read: its line {reader.line_num} is not CSV ({error})") from error
    return rows, ends


def _levels(rows: Sequence[tuple[str, ...]]) -> tuple[Sequence[tuple[str, ...]], int]:
    """Returns the header lines that name columns, and the number of header lines."""
    for at in (1, 2):
        if len(rows) > at and len(rows[at]) > 1 and normal(rows[at][0]) in TIME_NAMES and not any(rows[at][1:]):
            return rows[:at], at + 1
    if len(rows) > 1 and len(rows[0]) == len(rows[1]):
        times = [at for at, name in enumerate(rows[0]) if normal(name) in TIME_NAMES] or [0]
        below = [cell for at, cell in enumerate(rows[1]) if at != times[0] and not is_index_name(rows[0][at])]
        fields = any(normal(cell) in PRICE_NAMES for cell in (*rows[0], *rows[1]))
        if fields and not rows[1][times[0]] and below and all(below) and not any(map(is_value, below)):
            return rows[:2], 2
    return rows[:1], 1


def _named(
    levels: Sequence[tuple[str, ...]], last: tuple[str, ...], where: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the names and tickers of the columns, from one or two lines of names and the last line of the header."""
    if len(levels) == 1 and last is levels[0]:
        return levels[0], ()
    fields = next((row for row in levels if any(normal(cell) in PRICE_NAMES for cell in row[1:])), None)
    if len(levels) == 1:
        return (last[0], *levels[0][1:]), ()
    labels = levels[1] if fields is levels[0] else levels[0]
    if fields is None or len(fields) != len(labels):
        raise PriceError(f"{where} has {len(levels)} header lines, but none names a price; write one line: time,close")
    if normal(fields[0]) not in TIME_NAMES and (normal(last[0]) in TIME_NAMES or not fields[0]):
        fields = (last[0], *fields[1:])
    return fields, labels


def _shape(rows: Sequence[tuple[str, ...]], where: str) -> tuple[str, ...]:
    """Returns the column names of a file without a header line, by its format."""
    names = _SHAPES.get(len(rows[0]), ())
    try:
        values = np.array([[float(cell or "nan") for cell in row] for row in rows if len(row) == len(rows[0])])
        fits = bool(names) and bool((values[:, 0] >= 1e8).all())
    except ValueError:
        fits = False
    if not fits:
        begin = ",".join(rows[0][:4])[:60] + (",…" if len(rows[0]) > 4 else "")
        raise PriceError(
            f"{where} has no header line: its first line holds values ({begin}); add a line above it that names the "
            f"{len(rows[0])} columns, such as time,open,high,low,close,volume"
        )
    return names
