"""Converts times from callers and files to UTC microseconds since 1970, and back to text.

A time without a zone is UTC. For bars see :mod:`quantsim.prices.time_grid`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quantsim.errors import PriceError

__all__ = [
    "MINUTE_US",
    "StampConvention",
    "Stamps",
    "Time",
    "check_stamps",
    "microseconds",
    "microseconds_of",
    "row_text",
    "shown",
    "text",
    "unit_of",
]

logger = logging.getLogger(__name__)

Time: TypeAlias = str | date | datetime | np.datetime64
"""One instant as callers give it: an ISO 8601 string, a date, a datetime or a ``numpy.datetime64``."""

Stamps: TypeAlias = Literal["end", "start"]
"""What the stamps of bars mark: the end of a bar, when its close is known, or its start."""


@dataclass(frozen=True)
class StampConvention:
    """The stamp convention that a file states, and the reason to think so, such as a column name."""

    stamps: Stamps
    why: str


MINUTE_US = 60_000_000
_EPOCH_TEXT = r"[0-9]{9,19}(\.[0-9]*)?"
_ISO_TEXT = r"[0-9]{4}([0-9]{4}|([-/])[0-9]{1,2}\2[0-9]{1,2})([T ].+)?"  # pandas also takes a year alone
_NOT_A_TIME = np.iinfo(np.int64).min  # numpy stores NaT as this integer
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The size of an epoch number shows its unit: 2000-01-01 in one unit is beyond the year 5000 in the next coarser unit. Numbers
# outside the range of years are errors. This catches dates written as 20190101 or 20190101123000.
_OLDEST_EPOCH_SECONDS = 946_684_800  # 2000
_LATEST_EPOCH_SECONDS = 7_258_118_400  # 2200
_EPOCH_BOUNDS = np.array([1e11, 1e14, 1e17])  # exclusive upper bounds of seconds, milliseconds and microseconds
_PER_SECOND = np.array([1.0, 1e3, 1e6, 1e9])
_TO_MICROSECONDS = np.array([1_000_000, 1_000, 1, 0])
_UNIT_NAMES = ("seconds", "milliseconds", "microseconds", "nanoseconds")


def microseconds(time: Time, name: str = "time") -> int:
    """Returns one instant as UTC microseconds since 1970.

    Args:
        time: an ISO 8601 string, a date, a datetime or a ``numpy.datetime64``; without a zone it is UTC.
        name: name of the value in error messages.

    Raises:
        PriceError: the value is not a time, or is NaT.
    """
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time.strip())
        except ValueError as error:
            raise PriceError(
                f"{name} {time!r} is not an ISO 8601 time; write 2019-01-31 or 2019-01-31T12:30"
            ) from error
    if isinstance(time, np.datetime64):
        stamp = int(time.astype("datetime64[us]").astype(np.int64))
        if stamp == _NOT_A_TIME:
            raise PriceError(f"{name} is NaT (not a time); give an ISO 8601 string, a datetime or a numpy.datetime64")
        return stamp
    if isinstance(time, date) and not isinstance(time, datetime):
        time = datetime(time.year, time.month, time.day, tzinfo=UTC)
    if not isinstance(time, datetime) or time != time:  # the NaT of pandas is a datetime that is not equal to itself
        raise PriceError(f"{name} {time!r} is not a time; give an ISO 8601 string, a datetime or a numpy.datetime64")
    aware = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def check_stamps(stamps: str) -> None:
    """Raises PriceError unless ``stamps`` is ``"end"`` or ``"start"``."""
    if stamps not in ("end", "start"):
        raise PriceError(f"stamps is {stamps!r}; it must be 'end' or 'start'")


def text(stamp_us: int) -> str:
    """Returns a UTC stamp in microseconds as ISO 8601 text, without trailing zero fields."""
    stamp = np.datetime64(int(stamp_us), "us")
    if stamp_us % MINUTE_US == 0:
        return str(stamp.astype("datetime64[m]"))
    return str(stamp.astype("datetime64[s]") if stamp_us % 1_000_000 == 0 else stamp)


def row_text(row: int) -> str:
    """Names a row in messages: counted from 1, without header lines. ``row`` counts from 0."""
    return f"data row {row + 1}"


def shown(value: object, most: int = 60) -> str:
    """Shows a value of a file in messages: its ``repr``, shortened."""
    written = repr(value)
    return written if len(written) <= most else f"{written[:most]}…{written[0] if isinstance(value, str) else ''}"


def microseconds_of(values: NDArray[Any], where: str) -> NDArray[np.int64]:
    """Returns a column of times as UTC microseconds since 1970.

    Args:
        values: ``(N,)`` of ``datetime64`` (UTC), of numbers (epoch seconds, milliseconds, microseconds or nanoseconds,
            recognised by their size), or of strings and datetimes (without a zone: UTC).
        where: the file, for error messages.

    Returns:
        ``(N,)`` int64.

    Raises:
        PriceError: an entry is missing or is not a time; the message names its row.
    """
    if values.ndim != 1:
        raise PriceError(f"{where}: the times have shape {values.shape}; there must be one per row, (N,)")
    if values.dtype.kind == "M":
        stamps: NDArray[np.int64] = values.astype("datetime64[us]").astype(np.int64)
        _refuse(stamps == _NOT_A_TIME, where, lambda _: "the time is missing")
        return stamps
    if values.dtype.kind in "iuf":
        return _from_epoch(values, where)
    return _from_objects(values, where)


def _from_epoch(values: NDArray[Any], where: str) -> NDArray[np.int64]:
    _refuse(~np.isfinite(values), where, lambda _: "the time is missing")
    if values.size == 0:
        return values.astype(np.int64)
    unit = np.searchsorted(_EPOCH_BOUNDS, values, side="right")
    _refuse(
        (values < _OLDEST_EPOCH_SECONDS * _PER_SECOND[unit]) | (values >= _LATEST_EPOCH_SECONDS * _PER_SECOND[unit]),
        where,
        lambda row: (
            f"the time {values[row]:.16g} is not an epoch time between the years 2000 and 2200 in "
            "seconds, milliseconds, microseconds or nanoseconds; write ISO 8601 (2019-01-31T12:30)"
        ),
    )
    changes = np.flatnonzero(np.diff(unit))
    if changes.size:
        row = int(changes[0]) + 1
        logger.warning(
            "%s: the unit of time changes from %s to %s in %s%s; each row is read in its own unit",
            where,
            _UNIT_NAMES[unit[row - 1]],
            _UNIT_NAMES[unit[row]],
            row_text(row),
            f", and {changes.size - 1} times more" if changes.size > 1 else "",
        )
    if values.dtype.kind == "f":
        return np.rint(values * (1e6 / _PER_SECOND[unit])).astype(np.int64)
    whole = values.astype(np.int64)
    return np.where(unit == 3, whole // 1000, whole * _TO_MICROSECONDS[unit])


def unit_of(values: NDArray[Any]) -> str:
    """Describes how a column ``(N,)`` of epoch numbers counts time: ``"epoch milliseconds"``."""
    if values.size == 0:
        return "epoch"
    smallest, largest = np.searchsorted(_EPOCH_BOUNDS, [np.nanmin(values), np.nanmax(values)], side="right")
    coarse, fine = _UNIT_NAMES[smallest], _UNIT_NAMES[largest]
    return f"epoch {coarse}" if coarse == fine else f"epoch {coarse} and {fine}"


def _from_objects(values: NDArray[Any], where: str) -> NDArray[np.int64]:
    import pandas as pd

    column = pd.Series(values, dtype=object)
    _refuse(column.isna().to_numpy(), where, lambda _: "the time is missing")
    strings = column.map(lambda value: isinstance(value, str)).astype(bool)
    times = column.map(lambda value: isinstance(value, date | np.datetime64)).astype(bool)  # datetimes are dates
    _refuse(
        (~strings & ~times).to_numpy(), where, lambda row: f"{shown(values[row])} is not a time; write ISO 8601 text"
    )
    column = column.where(~strings, column.astype(str).str.strip().str.replace(r"\s*UTC$", "Z", regex=True))
    numbers = column.astype(str).str.fullmatch(_EPOCH_TEXT) & strings
    if numbers.any():
        other = numbers if not numbers.iloc[0] else ~numbers
        _refuse(
            other.to_numpy(),
            where,
            lambda row: (
                f"the time {shown(values[row])} has another format than {shown(values[0])} in {row_text(0)}; write all as "
                "ISO 8601 (2019-01-31T12:30), or all as epoch numbers"
            ),
        )
        return _from_epoch(column.astype(float).to_numpy(), where)
    _refuse(
        ~(column.astype(str).str.fullmatch(_ISO_TEXT) | times).to_numpy(),
        where,
        lambda row: f"the time {shown(values[row])} is not ISO 8601; write 2019-01-31T12:30, or epoch seconds",
    )
    stamps = pd.to_datetime(column, format="ISO8601", utc=True, errors="coerce")
    _refuse(
        stamps.isna().to_numpy(),
        where,
        lambda row: f"the time {shown(values[row])} is not ISO 8601; write 2019-01-31T12:30, or epoch seconds",
    )
    return stamps.dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64)


def _refuse(bad: NDArray[np.bool_], where: str, describe: Callable[[int], str]) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise PriceError(f"{where}, {row_text(row)}: {describe(row)}")
