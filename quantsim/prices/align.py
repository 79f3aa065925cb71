"""Turns raw columns into one table: checks each column, places it on a regular grid, fills gaps, and aligns all columns."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from quantsim.errors import PriceError
from quantsim.prices.gap import Gap, describe_gaps, find_gaps
from quantsim.prices.instants import MINUTE_US, StampConvention, Stamps, Time, row_text, text
from quantsim.prices.time_grid import DAY_MINUTES, TimeGrid, check_bar_minutes

__all__ = ["Aligned", "RawSeries", "RegularSeries", "align", "on_grid", "ordered", "regularize", "stamps_of"]

logger = logging.getLogger(__name__)

# 95 years of minutes. A longer span comes from a wrong stamp, and its grid would exhaust memory before the gap is reported.
_LONGEST_GRID_BARS = 50_000_000


@dataclass(frozen=True, eq=False)
class RawSeries:
    """Unchecked prices of one token, as read from a source.

    Attributes:
        token: the caller's name for the token.
        where: the file, or the name of the source, for error messages.
        times_us: ``(N,)`` stamps, UTC microseconds since 1970.
        prices: ``(N,)`` prices; NaN stands for a missing bar.
        rows: ``(N,)`` data row of each entry counted from 0, or ``None`` for ``0 … N-1``.
        convention: stamp convention that the source states; ``None`` if it states none.
        unit: how the source writes its stamps, such as ``"epoch milliseconds"``.
    """

    token: str
    where: str
    times_us: NDArray[np.int64]
    prices: NDArray[np.float64]
    rows: NDArray[np.int64] | None = None
    convention: StampConvention | None = None
    unit: str = ""

    def at(self, position: int) -> str:
        """Describes the place of one entry, for messages."""
        row = position if self.rows is None else int(self.rows[position])
        return f"{self.token} in {self.where}, {row_text(row)}"


@dataclass(frozen=True, eq=False)
class RegularSeries:
    """One token's prices on its own regular grid, from its first to its last price.

    Attributes:
        token: the caller's name for the token.
        where: the file, or the name of the source.
        grid: the stamps.
        prices: ``(grid.n_bars,)``; NaN inside gaps, never at either end.
    """

    token: str
    where: str
    grid: TimeGrid
    prices: NDArray[np.float64]

    @property
    def label(self) -> str:
        return f"{self.token} in {self.where}"

    def gaps(self) -> tuple[Gap, ...]:
        """Returns the runs of missing bars."""
        return find_gaps(self.token, np.isnan(self.prices), self.grid.first_minute, self.grid.bar_minutes)

    def filled(self) -> NDArray[np.float64]:
        """Returns ``(grid.n_bars,)`` prices with every gap filled by the last price before it."""
        missing = np.isnan(self.prices)
        if not missing.any():
            return self.prices
        source = np.where(missing, 0, np.arange(self.grid.n_bars))
        return self.prices[np.maximum.accumulate(source)]


@dataclass(frozen=True, eq=False)
class Aligned:
    """Several tokens on one grid: ``prices`` is ``(grid.n_bars, n)``, ``gaps`` are the filled gaps."""

    grid: TimeGrid
    prices: NDArray[np.float64]
    gaps: tuple[Gap, ...]


def regularize(raw: RawSeries, *, only_bar_minutes: int | None = None, stamps: Stamps = "end") -> RegularSeries:
    """Checks one column and places it on a regular grid. Its bar length is the most common spacing of its stamps.

    Args:
        raw: the column.
        only_bar_minutes: bar length of a column with a single row, which has no spacing.
        stamps: stamp convention of the column, unless it states its own. Stamps that mark the ``"start"`` of bars are moved
            to the ends.

    Raises:
        PriceError: stamps are duplicate, unordered or off the grid; a price is infinite or not positive; there is no price;
            or the spacing is not a valid bar length. The message names the row.
    """
    if raw.times_us.size == 0:
        raise PriceError(f"{raw.token} in {raw.where} has no rows")
    raw = ordered(raw)
    _check_prices(raw)
    bar_minutes = _spacing_minutes(raw, only_bar_minutes)
    minutes = _whole_minutes(raw, bar_minutes)
    if (minutes[-1] - minutes[0]) // bar_minutes >= _LONGEST_GRID_BARS:
        position = int(np.argmax(np.diff(minutes))) + 1
        raise PriceError(
            f"{raw.at(position)}: the time {text(int(raw.times_us[position]))} follows "
            f"{text(int(raw.times_us[position - 1]))}, too far for bars of {bar_minutes} min; correct the stamp"
        )
    present = ~np.isnan(raw.prices)
    if not present.any():
        raise PriceError(f"{raw.token} in {raw.where} has no price: all {raw.prices.size} of its rows are empty")
    whole = bool(present.all())
    return on_grid(
        raw,
        minutes if whole else minutes[present],
        raw.prices if whole else raw.prices[present],
        bar_minutes,
        shift=bar_minutes if stamps_of(raw, stamps) == "start" else 0,
    )


def on_grid(
    raw: RawSeries, minutes: NDArray[np.int64], prices: NDArray[np.float64], bar_minutes: int, *, shift: int
) -> RegularSeries:
    """Places prices ``(N,)`` at increasing on-grid ``minutes`` ``(N,)`` on a regular grid, with NaN elsewhere.

    Prices without gaps are not copied.
    """
    steps = (minutes - minutes[0]) // bar_minutes
    grid = TimeGrid(int(minutes[0]) + shift, int(steps[-1]) + 1, bar_minutes)
    if steps.size == grid.n_bars:
        return RegularSeries(raw.token, raw.where, grid, prices)
    laid = np.full(grid.n_bars, np.nan)
    laid[steps] = prices
    return RegularSeries(raw.token, raw.where, grid, laid)


def align(
    series: Sequence[RegularSeries],
    *,
    bar_minutes: int | None,
    start: Time | None,
    end: Time | None,
    forward_fill_bars: int,
    log_level: int = logging.WARNING,
) -> Aligned:
    """Aligns regular columns on one grid, keeping their order, and fills gaps up to the limit.

    The grid is the intersection of the columns' ranges, cut to ``[start, end)``. A gap that overlaps it counts with its full
    length, in bars of its own column.

    Args:
        series: one or more columns.
        bar_minutes: bar length of the result; ``None`` for the bar length of the columns, which must then be equal.
        start: first stamp; ``None`` for the earliest stamp that all columns have.
        end: end of the range, exclusive; ``None`` for one bar after the latest stamp that all columns have.
        forward_fill_bars: the longest gap that may be filled.
        log_level: level at which filled gaps are logged.

    Raises:
        PriceError: bar lengths differ, the ranges do not overlap or do not cover ``[start, end)``, or a gap is too long.
    """
    whole = isinstance(forward_fill_bars, int | np.integer) and not isinstance(forward_fill_bars, bool)
    if not whole or forward_fill_bars < 0:
        raise PriceError(f"forward_fill_bars is {forward_fill_bars!r}; it must be a whole number of bars, 0 or more")
    target = _target_bar(series, bar_minutes)
    grid = _common_grid(series, target)
    earliest = max(series, key=lambda one: one.grid.first_minute)
    latest = min(series, key=lambda one: one.grid.last_minute)
    first, stop = grid.window(start, end, first_source=earliest.label, last_source=latest.label)
    grid = TimeGrid(grid.first_minute + first * target, stop - first, target)

    seen = _judge_gaps(series, grid, forward_fill_bars, log_level)
    prices = np.empty((grid.n_bars, len(series)))
    for column, one in enumerate(series):
        own = one.grid
        offset = (grid.first_minute - own.first_minute) // own.bar_minutes
        prices[:, column] = one.filled()[offset :: target // own.bar_minutes][: grid.n_bars]
    prices.setflags(write=False)  # so that Prices need not copy it
    gaps = (gap.on(grid.first_minute, grid.last_minute, target) for gap in seen)
    return Aligned(grid, prices, tuple(gap for gap in gaps if gap is not None))


def stamps_of(raw: RawSeries, stamps: Stamps) -> Stamps:
    """Returns the stamp convention of a column: its own if it states one (logged where it differs), else ``stamps``."""
    if raw.convention is None or raw.convention.stamps == stamps:
        return stamps
    logger.warning(
        "%s in %s: the stamps are taken as the %s of bars, as %s says, though stamps is %r",
        raw.token,
        raw.where,
        raw.convention.stamps,
        raw.convention.why,
        stamps,
    )
    return raw.convention.stamps


def ordered(raw: RawSeries) -> RawSeries:
    """Returns a column in chronological order; a column in reverse order is reversed.

    Raises:
        PriceError: the stamps are in neither order; the message names the row.
    """
    steps = np.diff(raw.times_us)
    if steps.size == 0 or steps.min() > 0:
        return raw
    if steps.max() < 0:
        rows = np.arange(raw.times_us.size) if raw.rows is None else raw.rows
        return replace(raw, times_us=raw.times_us[::-1], prices=raw.prices[::-1], rows=rows[::-1])
    position = int(np.argmax(steps <= 0)) + 1
    stamp, before = text(int(raw.times_us[position])), text(int(raw.times_us[position - 1]))
    if stamp == before:
        raise PriceError(f"{raw.at(position)}: the time {stamp} is a duplicate of the row before; keep one of them")
    raise PriceError(
        f"{raw.at(position)}: the time {stamp} comes after {before}, which is later; sort the file by time, oldest first"
    )


def _check_prices(raw: RawSeries) -> None:
    bad = np.isinf(raw.prices) | (raw.prices <= 0)
    if bad.any():
        position = int(np.argmax(bad))
        raise PriceError(
            f"{raw.at(position)}: the price at {text(int(raw.times_us[position]))} is {raw.prices[position]}; prices "
            "must be positive and finite. Correct it, or leave the cell empty to treat it as a missing bar"
        )


def _spacing_minutes(raw: RawSeries, only_bar_minutes: int | None) -> int:
    steps = np.diff(raw.times_us)
    if steps.size == 0:
        if only_bar_minutes is None:
            raise PriceError(f"{raw.token} in {raw.where} has one row, which shows no bar length; give bar_minutes")
        return only_bar_minutes
    if steps.min() == steps.max():
        spacing = int(steps[0])
    else:
        values, counts = np.unique(steps, return_counts=True)
        spacing = int(values[np.argmax(counts)])
    minutes, rest = divmod(spacing, MINUTE_US)
    if rest or not minutes or DAY_MINUTES % minutes:
        raise PriceError(
            f"{raw.token} in {raw.where}: the most common spacing of its stamps is {spacing / MINUTE_US:g} min; bars "
            f"must be a whole number of minutes that divides a day of {DAY_MINUTES}"
        )
    return minutes


def _whole_minutes(raw: RawSeries, bar_minutes: int) -> NDArray[np.int64]:
    minutes, rest = np.divmod(raw.times_us, MINUTE_US)
    off = (rest != 0) | (minutes % bar_minutes != 0)
    if off.any():
        position = int(np.argmax(off))
        raise PriceError(
            f"{raw.at(position)}: the time {text(int(raw.times_us[position]))} is off the grid of {bar_minutes}-minute "
            "bars that starts at UTC midnight; round the stamp to its bar, or remove the row"
        )
    return minutes


def _target_bar(series: Sequence[RegularSeries], bar_minutes: int | None) -> int:
    if bar_minutes is not None:
        target = check_bar_minutes(bar_minutes)
        for one in series:
            one.grid.coarser(target, one.label)  # raises if the bar lengths do not divide
        return target
    lengths = {one.grid.bar_minutes for one in series}
    if len(lengths) > 1:
        found = ", ".join(f"{one.label}: {one.grid.bar_minutes} min" for one in series)
        raise PriceError(f"the bar lengths differ ({found}); give bar_minutes, a multiple of each of them")
    return lengths.pop()


def _common_grid(series: Sequence[RegularSeries], target: int) -> TimeGrid:
    first = max(-(-one.grid.first_minute // target) * target for one in series)
    last = min(one.grid.last_minute // target * target for one in series)
    if last < first:
        ranges = "; ".join(f"{one.label}: {one.grid.describe()}" for one in series)
        raise PriceError(f"the tokens have no stamp in common ({ranges}); choose tokens whose ranges overlap")
    return TimeGrid(first, (last - first) // target + 1, target)


def _judge_gaps(series: Sequence[RegularSeries], grid: TimeGrid, limit: int, log_level: int) -> tuple[Gap, ...]:
    """Returns and logs the gaps that overlap the grid; raises PriceError for those longer than the limit."""
    seen: list[Gap] = []
    refused: list[str] = []
    longest = 0
    for one in series:
        gaps = [gap for gap in one.gaps() if gap.on(grid.first_minute, grid.last_minute, gap.bar_minutes) is not None]
        if not gaps:
            continue
        seen.extend(gaps)
        too_long = [gap for gap in gaps if gap.n_bars > limit]
        if too_long:
            refused.append(f"{one.label}: {len(too_long)} too long, the first at {describe_gaps(too_long)}")
            longest = max(longest, *(gap.n_bars for gap in too_long))
            continue
        logger.log(
            log_level,
            "%s: %d gaps, %d bars filled with the last price before: %s",
            one.label,
            len(gaps),
            sum(gap.n_bars for gap in gaps),
            describe_gaps(gaps),
        )
    if refused:
        raise PriceError(
            f"gaps longer than forward_fill_bars = {limit}. "
            + ". ".join(refused)
            + ". Correct the data, choose start and end "
            f"around the gaps, or allow filling with forward_fill_bars = {longest}"
        )
    return tuple(seen)
