"""Settings that vary over time: a file of times and values. Each value holds from its stamp until the next one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantsim.array_types import FloatArray
from quantsim.errors import PriceError, nearest, reason_of
from quantsim.prices.align import RawSeries, ordered, stamps_of
from quantsim.prices.files import KINDS, is_price_file
from quantsim.prices.instants import MINUTE_US, Stamps, text
from quantsim.prices.read import read_columns, read_named
from quantsim.prices.time_grid import DAY_MINUTES, TimeGrid

__all__ = ["ORACLE", "SETTINGS", "check_source", "check_values", "load_series"]


ORACLE = "oracle"
"""The setting with one value per token of the pool."""

VALUE = "value"
_FEWEST_LONG = 3  # this many equal spacings of whole days make bars; fewer may be the dates of events


@dataclass(frozen=True)
class _Range:
    """The range of a setting's values: an elementwise test, and its description."""

    admits: Callable[[FloatArray], NDArray[np.bool_]]
    words: str


_SHARE = _Range(lambda values: (values >= 0.0) & (values < 1.0), "at least 0 and below 1")
_COST = _Range(lambda values: (values >= 0.0) & np.isfinite(values), "finite, and 0 or more")
_POSITIVE = _Range(lambda values: (values > 0.0) & np.isfinite(values), "finite, and above 0")

SETTINGS = {"swap_fee": _SHARE, "arb_fee": _SHARE, "gas_cost_usd": _COST, ORACLE: _POSITIVE}
"""Setting → the range of its values."""


def load_series(
    setting: str,
    source: str | Path,
    grid: TimeGrid,
    *,
    needed_from: int = 0,
    tokens: Sequence[str] = (),
    stamps: Stamps = "end",
) -> FloatArray:
    """Reads a series and samples it on bars: the value of a bar is the last one stamped at or before it.

    Args:
        setting: one of :data:`SETTINGS`.
        source: a file with a time column as in price files, and a column ``value``. For the oracle: a column per token, or
            the long layout of price files.
        grid: the bars.
        needed_from: first bar whose value is used.
        tokens: tokens of the pool, in its order; only for the oracle.
        stamps: what the stamps of the file mark. With ``"start"``, a value is known, and used, at the end of its bar. The bar
            is the most common spacing of the stamps if it divides a day or is a number of days; else the bar of ``grid``.

    Returns:
        ``(T,)``, or ``(T, n)`` for the oracle. Bars before the first stamp are not used, and are NaN.

    Raises:
        PriceError: the file cannot be read or lacks a column; times are not chronological and distinct; a value is empty or
            out of range; or the first stamp is later than the first bar used. The message names file and row.
    """
    path = check_source(setting, source)
    if setting == ORACLE:
        columns = [_held(setting, raw, grid, needed_from, stamps) for raw in read_columns(path, list(tokens))]
        return np.stack(columns, axis=1)
    named = read_named(path, numbers=(VALUE,))
    raw = RawSeries(setting, str(path), named.times_us, named.columns[VALUE], convention=named.convention)
    return _held(setting, raw, grid, needed_from, stamps)


def check_source(setting: str, source: str | Path) -> Path:
    """Returns the path of a series' file.

    Raises:
        PriceError: there is no such file, or it does not have the suffix of a price file.
    """
    try:
        path = Path(source).expanduser()
        there = path.is_file()
    except (OSError, RuntimeError) as error:  # the latter: a home folder that does not exist
        raise PriceError(f"series.{setting} = {str(source)!r} cannot be read: {reason_of(error)}") from error
    if not there:
        raise PriceError(f"series.{setting} = {str(source)!r} is not a file; give the path of one")
    if not is_price_file(path):
        raise PriceError(f"series.{setting} = {str(source)!r}: its name must end in {KINDS}")
    return path


def check_values(setting: str, values: ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    """Checks a series in memory, one value per bar.

    Raises:
        PriceError: its shape is wrong, or a value is not finite or out of range.
    """
    array = np.asarray(values, np.float64)
    if array.shape != shape:
        raise PriceError(
            f"series.{setting} has shape {array.shape}, but must have {shape}: a value for every bar of prices"
        )
    allowed = _range(setting)
    bad = ~allowed.admits(array)
    if bad.any():
        at = tuple(int(index) for index in np.argwhere(bad)[0])
        raise PriceError(f"series.{setting} at bar {at[0]} is {array[at]}; it must be {allowed.words}")
    return array


def _range(setting: str) -> _Range:
    if setting not in SETTINGS:
        raise PriceError(f"series.{setting}: there is no such setting; {nearest(setting, SETTINGS)}")
    return SETTINGS[setting]


def _held(setting: str, raw: RawSeries, grid: TimeGrid, needed_from: int, stamps: Stamps) -> FloatArray:
    """Returns the values of one column at every bar, ``(T,)``."""
    if raw.times_us.size == 0:
        raise PriceError(f"{raw.token} in {raw.where} has no rows")
    raw = ordered(raw)
    allowed = _range(setting)
    bad = ~allowed.admits(raw.prices)
    if bad.any():
        row = int(np.argmax(bad))
        value = "empty" if np.isnan(raw.prices[row]) else raw.prices[row]
        stamp = text(int(raw.times_us[row]))
        raise PriceError(f"{raw.at(row)}: the {setting} at {stamp} is {value}; it must be {allowed.words}. Correct it")
    bars = (grid.first_minute + grid.bar_minutes * np.arange(grid.n_bars, dtype=np.int64)) * MINUTE_US
    stamps = stamps_of(raw, stamps)
    known_us = raw.times_us + (_bar_us(raw, grid) if stamps == "start" else 0)
    latest = np.searchsorted(known_us, bars, side="right") - 1
    if latest[needed_from] < 0:
        moved = ", the end of its bar" if stamps == "start" else ""
        raise PriceError(
            f"{raw.at(0)}: the first time, {text(int(known_us[0]))}{moved}, is later than {text(int(bars[needed_from]))}, the "
            "first bar that uses the series; add a row for that time or an earlier one"
        )
    return np.where(latest < 0, np.nan, raw.prices[latest])


def _bar_us(raw: RawSeries, grid: TimeGrid) -> int:
    """Returns the bar length of a column: the most common spacing of its stamps, else the bar of ``grid``."""
    spacings, counts = np.unique(np.diff(raw.times_us), return_counts=True)
    if spacings.size and 2 * counts.max() > counts.sum():
        spacing = int(spacings[np.argmax(counts)])
        day = DAY_MINUTES * MINUTE_US
        weekly = spacing % day == 0 and counts.max() >= _FEWEST_LONG  # or of another number of days
        if (spacing % MINUTE_US == 0 and day % spacing == 0) or weekly:
            return spacing
    return grid.bar_minutes * MINUTE_US
