"""The history of a pool, from which a volume model is fitted: a row per day or per hour, checked for units and gaps."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quantsim.array_types import FloatArray
from quantsim.errors import PriceError, nearest
from quantsim.prices.instants import microseconds_of, text
from quantsim.prices.read import read_named
from quantsim.volume.model import HOURS_PER_DAY

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["VolumeHistory", "read_history"]


_REQUIRED = ("volume_usd", "tvl_usd", "swap_fee")
_OPTIONAL = ("arbitrage_volume_usd", "volatility", "price_ratio")

_DAY_US, _HOUR_US = 86_400_000_000, 3_600_000_000
_LARGEST_FEE, _LEAST_TVL, _LARGEST_TURNOVER, _LARGEST_VOLATILITY = 0.2, 1e3, 100.0, 0.3
_LEAST_DAYS_OF_HOURS = 14


@dataclass(frozen=True, eq=False)
class VolumeHistory:
    """``N`` days of a pool, in order, each with what was known before it. Days without all values are left out.

    Attributes:
        days: (N,) days since 1970, UTC.
        volume: (N,) volume of noise traders, in USD; may be 0.
        tvl: (N,) pool value at the end of the day before, in USD.
        fee: (N,) swap fee of the day, as a share.
        volatility: (N,) volatility of the days before, per square root of a day; None if the table does not have it.
        hours: 24 factors with the mean 1; empty for a table of days.
        n_missing: days between the first and the last that are left out.
        without_arbitrage: whether arbitrage volume has been subtracted.
        source: name for messages.
    """

    days: NDArray[np.int64]
    volume: FloatArray
    tvl: FloatArray
    fee: FloatArray
    volatility: FloatArray | None
    hours: tuple[float, ...] = ()
    n_missing: int = 0
    without_arbitrage: bool = False
    source: str = field(default="table")


def read_history(table: str | os.PathLike[str] | pd.DataFrame, volatility_days: int = 7) -> VolumeHistory:
    """Reads and checks the history of a pool.

    Args:
        table: a CSV or Parquet file, or a data frame, with a column of times, in UTC, and the columns ``volume_usd``,
            ``tvl_usd`` and ``swap_fee`` (a share); and, if known, ``arbitrage_volume_usd``, which is part of the volume, and
            ``volatility`` (of the day, per square root of a day) or ``price_ratio`` (of the two tokens, at the end of the
            day). A frame may have the times as its index. Rows are days, or hours.
        volatility_days: days before a day over which volatility is measured.

    Raises:
        PriceError: the table cannot be read, a column is missing, a time is repeated, or values cannot be in these units.
    """
    times, columns, source = _columns_of(table)
    order = np.argsort(times, kind="stable")
    times, columns = times[order], {name: values[order] for name, values in columns.items()}
    if times.size < 2:
        raise PriceError(f"{source} has {times.size} rows: a fit needs 30 days or more")
    steps = np.diff(times)
    if (steps == 0).any():
        raise PriceError(f"{source} has the time {text(int(times[1:][steps == 0][0]))} twice: keep one row")
    step = int(np.median(steps))
    if step not in (_DAY_US, _HOUR_US):
        raise PriceError(f"{source}: rows are {step / _HOUR_US:g} hours apart: give a row per day, or per hour")
    _check_units(columns, source)
    hours: tuple[float, ...] = ()
    if step == _HOUR_US:
        times, columns, hours = _by_day(times, columns)
    return _history(times // _DAY_US, columns, hours, volatility_days, source)


def _columns_of(table: Any) -> tuple[NDArray[np.int64], dict[str, FloatArray], str]:
    names = (*_REQUIRED, *_OPTIONAL)
    if isinstance(table, str | os.PathLike):
        path = Path(table)
        if not path.is_file():
            raise PriceError(f"{path} is not a file: give a table with a row per day")
        named = read_named(path, numbers=names, optional=_OPTIONAL)
        return named.times_us, {name: named.columns[name] for name in names}, str(path)
    from quantsim.prices.arrow_frames import pandas_frame

    table = pandas_frame(table, "the table")
    held = {str(name).lower(): table[name] for name in table.columns}
    for name in _REQUIRED:
        if name not in held:
            raise PriceError(f"the table has no column {name!r}: {nearest(name, held)}")
    times = next((held[name] for name in ("time", "timestamp", "date", "day") if name in held), table.index)
    empty = np.full(len(table), np.nan)
    try:
        columns = {name: np.asarray(held[name], np.float64) if name in held else empty for name in names}
    except (TypeError, ValueError) as error:
        raise PriceError(f"the table has a cell that is not a number: {error}") from error
    return microseconds_of(np.asarray(times), "the table"), columns, "the table"


def _check_units(columns: Mapping[str, FloatArray], source: str) -> None:
    """Raises PriceError for values that are impossible, or that must be in another unit."""
    for name, values in columns.items():
        known = values[~np.isnan(values)]
        if name in _REQUIRED and not known.size:
            raise PriceError(f"{source}: the column {name} is empty")
        bad = known[~np.isfinite(known) | (known < 0 if name.endswith("volume_usd") else known <= 0)]
        if bad.size:
            least = "at least 0" if name.endswith("volume_usd") else "above 0"
            raise PriceError(
                f"{source}: {name} = {bad[0]:g} must be a finite number {least}; leave the cell empty if unknown"
            )
    volume, tvl, fee, volatility = (columns[name] for name in (*_REQUIRED, "volatility"))
    if (largest := np.nanmax(fee)) > _LARGEST_FEE:
        raise PriceError(f"{source}: swap_fee = {largest:g} is not a share: write 0.003 for 0.3 %, or 30 basis points")
    if (typical := np.nanmedian(tvl)) < _LEAST_TVL:
        raise PriceError(f"{source}: the median of tvl_usd is {typical:g}: give USD, not thousands or millions")
    both = ~np.isnan(volume) & ~np.isnan(tvl)
    if both.any() and (turnover := np.median(volume[both] / tvl[both])) > _LARGEST_TURNOVER:
        raise PriceError(f"{source}: volume is {turnover:g} times the pool's value in the median: give both in USD")
    if not np.isnan(volatility).all() and (typical := np.nanmedian(volatility)) > _LARGEST_VOLATILITY:
        raise PriceError(
            f"{source}: the median of volatility is {typical:g}: give it per square root of a day, as a share; divide an "
            "annual one by 19.1, and percent by 100"
        )
    if (columns["arbitrage_volume_usd"] > volume * (1.0 + 1e-9)).any():
        raise PriceError(f"{source}: arbitrage_volume_usd is larger than volume_usd, which it is part of")


def _by_day(
    times: NDArray[np.int64], columns: dict[str, FloatArray]
) -> tuple[NDArray[np.int64], dict[str, FloatArray], tuple[float, ...]]:
    """Returns the days of a table of hours, and how volume is spread over the hours; days that lack an hour are left out."""
    of_rows, hours = times // _DAY_US, times % _DAY_US // _HOUR_US
    days, index, counts = np.unique(of_rows, return_inverse=True, return_counts=True)

    def summed(values: FloatArray) -> FloatArray:
        return np.bincount(index, values).astype(np.float64)

    last = np.cumsum(counts) - 1
    found = {name: summed(each) if name.endswith("volume_usd") else each[last] for name, each in columns.items()}
    found["swap_fee"] = summed(columns["swap_fee"]) / counts
    # The root of the mean square of hourly values, which are per square root of a day, too.
    found["volatility"] = np.sqrt(summed(columns["volatility"] ** 2) / counts)
    partial = counts != HOURS_PER_DAY
    for name in _REQUIRED:
        found[name] = np.where(partial, np.nan, found[name])
    net = columns["volume_usd"] - np.nan_to_num(columns["arbitrage_volume_usd"])
    of_days = summed(net)
    whole = ~np.isnan(found["volume_usd"]) & (of_days > 0)
    if whole.sum() < _LEAST_DAYS_OF_HOURS:
        return days * _DAY_US, found, ()
    inside = whole[index]
    shares = net[inside] / of_days[index[inside]]
    profile = np.bincount(hours[inside], shares, minlength=HOURS_PER_DAY)
    profile *= HOURS_PER_DAY / profile.sum()
    return days * _DAY_US, found, tuple(profile.tolist())


def _history(
    days: NDArray[np.int64], columns: dict[str, FloatArray], hours: tuple[float, ...], volatility_days: int, source: str
) -> VolumeHistory:
    first, n_days = int(days[0]), int(days[-1] - days[0]) + 1
    if np.unique(days).size != days.size:
        raise PriceError(f"{source} has two rows of one day: give a row per day, or per hour")

    def every_day(name: str) -> FloatArray:
        found = np.full(n_days, np.nan)
        found[days - first] = columns[name]
        return found

    volume, arbitrage = every_day("volume_usd"), every_day("arbitrage_volume_usd")
    without_arbitrage = not np.isnan(arbitrage).all()
    if without_arbitrage:
        volume = np.maximum(volume - arbitrage, 0.0)
    tvl, fee = _before(every_day("tvl_usd")), every_day("swap_fee")
    volatility = _past_volatility(every_day("volatility"), every_day("price_ratio"), volatility_days)
    known = ~np.isnan(volume) & ~np.isnan(tvl) & ~np.isnan(fee)
    if volatility is not None:
        known &= ~np.isnan(volatility)
    at = np.flatnonzero(known)
    return VolumeHistory(
        days=first + at,
        volume=volume[at],
        tvl=tvl[at],
        fee=fee[at],
        volatility=None if volatility is None else volatility[at],
        hours=hours,
        n_missing=int(at[-1] - at[0] + 1 - at.size) if at.size else 0,
        without_arbitrage=without_arbitrage,
        source=source,
    )


def _before(values: FloatArray) -> FloatArray:
    """Returns the values of the day before each day, (N,)."""
    return np.concatenate([[np.nan], values[:-1]])


def _past_volatility(given: FloatArray, ratio: FloatArray, n_days: int) -> FloatArray | None:
    """Returns the volatility of the days before each day, (N,), from the days that are known; None without any."""
    squares = given**2
    if np.isnan(squares).all():
        if np.isnan(ratio).all():
            return None
        squares = np.diff(np.log(ratio), prepend=np.nan) ** 2
    known = ~np.isnan(squares)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, squares, 0.0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    end = np.arange(squares.size)
    begin = np.maximum(end - n_days, 0)
    n_known = counts[end] - counts[begin]
    mean = (sums[end] - sums[begin]) / np.maximum(n_known, 1)
    return np.where((2 * n_known > n_days) & (mean > 0.0), np.sqrt(np.maximum(mean, 0.0)), np.nan)
