"""Converts the cells of a file's columns to times, numbers and names. Errors name the row of an invalid cell."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantsim.errors import PriceError
from quantsim.prices.instants import MINUTE_US, microseconds_of, row_text, shown, unit_of

__all__ = ["ends_of_bars", "numbers_of", "texts_of", "times_of", "unit_text"]

_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$|^[+-]?inf(inity)?$"
_EMPTY = ("", "nan", "na", "n/a", "null", "none", "-")


def times_of(column: Any, where: str) -> NDArray[np.int64]:
    """Returns a column of times as UTC microseconds since 1970, ``(N,)``.

    Args:
        column: pyarrow array of timestamps, dates, numbers or text.
        where: file and column, for error messages.

    Raises:
        PriceError: an entry is missing or is not a time; the message names its row.
    """
    import pyarrow as pa

    kind = column.type
    if pa.types.is_time(kind):
        raise PriceError(
            f"{where} holds times of day without a date; it must hold date and time, such as 2019-01-31T12:30"
        )
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        # Arrow's zoned timestamps count from 1970 in UTC already; dropping the zone keeps the instant.
        target = pa.timestamp("us", tz=getattr(kind, "tz", None))
        try:
            values = column.cast(target, safe=getattr(kind, "unit", "") != "ns").cast(pa.int64())
        except pa.ArrowInvalid as error:
            raise PriceError(f"{where} holds a time that is out of range: {error}") from error
        stamps = _array_of(values.fill_null(np.iinfo(np.int64).min) if values.null_count else values)
        return microseconds_of(stamps.view("datetime64[us]"), where)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return microseconds_of(_array_of(column), where)
    _check_text(column, where)
    if _is_text(kind):
        column = _parsed(column)
        if pa.types.is_timestamp(column.type):
            return times_of(column, where)
    return microseconds_of(np.array(column.to_pylist(), dtype=object), where)


def _array_of(column: Any) -> NDArray[Any]:
    """Returns a column of numbers as an array of NumPy, null as nan.

    ``to_numpy`` imports pandas, which takes longer than to read a file. Columns without nulls do not need it.
    """
    parts = getattr(column, "chunks", [column])
    if column.null_count or not parts:
        return np.asarray(column.to_numpy())
    return np.concatenate([np.from_dlpack(part) for part in parts])


def unit_text(column: Any) -> str:
    """Describes how a column writes its times, for reports: ``"epoch milliseconds"``, ``"dates"``, ``"text"``."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return unit_of(column.to_numpy())
    return "dates" if pa.types.is_temporal(kind) else "text"


def _parsed(column: Any) -> Any:
    """Parses text as timestamps if all cells are ISO 8601, all with a zone or all without; else returns it unchanged."""
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = pc.replace_substring_regex(pc.utf8_trim_whitespace(column), r"\s*UTC$", "Z")
    for zone in (None, "UTC"):
        try:
            return cells.cast(pa.timestamp("us", zone))
        except pa.ArrowInvalid:
            continue
    return column


def ends_of_bars(stamps: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Returns the ends of bars if all stamps lie just before them, as ``23:59:59.999`` does; else None."""
    if not stamps.size:
        return None
    left = -stamps % MINUTE_US  # until the next whole minute
    one = int(left[0])
    return stamps + one if one in (1, 1_000, 1_000_000) and bool((left == one).all()) else None


def numbers_of(column: Any, path: Path, name: str) -> NDArray[np.float64]:
    """Returns a column of numbers, ``(N,)``; NaN where a cell is empty.

    Raises:
        PriceError: an entry is not a decimal number; the message names its row.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return np.asarray(_array_of(column.cast("float64", safe=False)), dtype=np.float64)
    if not _is_text(kind) and not pa.types.is_binary(kind):
        raise PriceError(f"{path}, column {name!r} holds values of type {kind}; they must be numbers")
    _check_text(column, f"{path}, column {name!r}")
    cells = pc.utf8_trim_whitespace(column.cast("string")).combine_chunks()
    empty = pc.is_in(pc.utf8_lower(cells), value_set=pa.array(_EMPTY)).to_numpy(zero_copy_only=False)
    empty |= cells.is_null().to_numpy(zero_copy_only=False)
    number = pc.match_substring_regex(cells, _NUMBER).fill_null(False).to_numpy(zero_copy_only=False)
    bad = ~(empty | number)
    if bad.any():
        row = int(np.argmax(bad))
        cell = str(column[row].as_py())
        raise PriceError(
            f"{path}, {row_text(row)}: {shown(cell)} in column {name!r} is not a number{_reason(cell)}; correct or empty it"
        )
    filled = pc.if_else(pa.array(empty), pa.scalar(None, pa.string()), cells)
    return np.asarray(filled.cast("float64").to_numpy(zero_copy_only=False), dtype=np.float64)


def texts_of(column: Any, where: str) -> Any:
    """Returns a column of names as a pyarrow array of stripped strings; null where a cell is empty."""
    import pyarrow as pa
    import pyarrow.compute as pc

    _check_text(column, where)
    stripped = pc.utf8_trim_whitespace(column.cast("string"))
    return pc.if_else(pc.equal(stripped, ""), pa.scalar(None, pa.string()), stripped)


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _check_text(column: Any, where: str) -> None:
    """Raises PriceError for bytes that are not text."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        try:
            column.cast("string")
        except pa.ArrowInvalid as error:
            raise PriceError(f"{where} is not UTF-8 text; save the file as UTF-8") from error
    elif pa.types.is_nested(kind):
        raise PriceError(f"{where} holds values of type {kind}; they must be single values")


def _reason(cell: str) -> str:
    """Returns why a text that looks like a number is not accepted as one."""
    cell = cell.strip()
    if re.fullmatch(r"[+-]?\d+,\d+", cell):
        return " (it has a comma, of decimals or of thousands; write 1234.5)"
    if re.fullmatch(r"[+-]?\d{1,3}([,' _\u00a0\u202f]\d{3})+(\.\d*)?", cell):
        return " (it has thousands separators; write 1234.5)"
    if re.fullmatch(r"[+-]?[\d.]+,\d+", cell):
        return " (it has a decimal comma; write 1234.5)"
    if re.fullmatch(r"[+-]?0[xX][0-9a-fA-F]+", cell):
        return " (it is hexadecimal; write decimals)"
    if re.search(r"[$€£¥%]|USD", cell):
        return " (write it without the sign)"
    return ""
