"""The regular UTC grid of prices: indices, windows and coarser grids.

Bar lengths are whole minutes that divide a day, and bars start at UTC midnight. So every day has the same number of bars,
and midnight is a stamp.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantsim.errors import PriceError
from quantsim.prices.instants import MINUTE_US, Time, microseconds, text

__all__ = ["DAY_MINUTES", "TimeGrid", "check_bar_minutes", "minutes_of"]

DAY_MINUTES = 1440


def check_bar_minutes(bar_minutes: object, what: str = "bar_minutes") -> int:
    """Returns a bar length as an ``int``.

    Raises:
        PriceError: it is not a whole number of minutes that divides a day.
    """
    whole = isinstance(bar_minutes, int | np.integer) and not isinstance(bar_minutes, bool)
    if not whole or not 1 <= int(bar_minutes) <= DAY_MINUTES or DAY_MINUTES % int(bar_minutes):  # type: ignore[call-overload]
        raise PriceError(
            f"{what} is {bar_minutes!r}; a bar must be a whole number of minutes that divides a day of {DAY_MINUTES}: "
            "1, 5, 15, 30, 60, 240, 1440 and so on"
        )
    return int(bar_minutes)  # type: ignore[call-overload, no-any-return]


def minutes_of(bar: str) -> int:
    """Returns the minutes of a bar length as people write it.

    Raises:
        PriceError: the text is not a number of minutes, hours or days, or the bar does not divide a day.

    Example:
        >>> minutes_of("1m"), minutes_of("4h"), minutes_of("1d"), minutes_of("30")
        (1, 240, 1440, 30)
    """
    found = re.fullmatch(r"(\d{1,4})(m|min|h|d)?", bar.strip())
    if found is None:
        raise PriceError(f"the bar length {bar!r} is not a number of minutes, hours or days; write 1m, 30m, 1h or 1d")
    return check_bar_minutes(
        int(found[1]) * {"h": 60, "d": DAY_MINUTES}.get(found[2] or "", 1), f"the bar length {bar!r}"
    )


@dataclass(frozen=True)
class TimeGrid:
    """``n_bars`` stamps, ``bar_minutes`` apart, from ``first_minute`` (minutes since 1970, UTC)."""

    first_minute: int
    n_bars: int
    bar_minutes: int

    @property
    def last_minute(self) -> int:
        return self.first_minute + (self.n_bars - 1) * self.bar_minutes

    @property
    def stop_minute(self) -> int:
        """One bar after the last stamp: the latest end of a half-open range."""
        return self.first_minute + self.n_bars * self.bar_minutes

    def times(self) -> NDArray[np.datetime64]:
        """Returns the stamps, ``(n_bars,)`` of ``datetime64[s]`` in UTC."""
        minutes = self.first_minute + self.bar_minutes * np.arange(self.n_bars, dtype=np.int64)
        return (60 * minutes).astype("datetime64[s]")

    def times_us(self) -> NDArray[np.int64]:
        """Returns the stamps of all bars as microseconds since 1970, (T,)."""
        return self.times().astype("datetime64[us]").astype(np.int64)

    def part(self, first: int, stop: int) -> TimeGrid:
        """Returns the stamps ``first … stop - 1`` by index."""
        return TimeGrid(self.first_minute + first * self.bar_minutes, stop - first, self.bar_minutes)

    def describe(self) -> str:
        """Describes the range and the bar length, for messages."""
        return f"{_minute_text(self.first_minute)} to {_minute_text(self.last_minute)}, bars of {self.bar_minutes} min"

    def index(self, time: Time, source: str, name: str = "time") -> int:
        """Returns the index of the bar stamped ``time``.

        Raises:
            PriceError: the time is not a stamp of this grid.
        """
        index = self._steps(time, source, name)
        if not 0 <= index < self.n_bars:
            raise PriceError(f"{name} {text(microseconds(time))} lies outside {source} ({self.describe()})")
        return index

    def window(self, start: Time | None, end: Time | None, *, first_source: str, last_source: str) -> tuple[int, int]:
        """Returns the half-open index range of the times ``[start, end)``; ``None`` means no limit.

        Args:
            start: the first stamp.
            end: end of the range, exclusive; at most one bar after the last stamp.
            first_source: the data that sets the beginning of the grid, for error messages.
            last_source: the data that sets the end of the grid, for error messages.

        Raises:
            PriceError: a bound is off the grid, the data does not cover the range, or the range is empty.
        """
        first, stop = 0, self.n_bars
        if start is not None:
            first = self._steps(start, first_source, "start")
            if first < 0:
                raise PriceError(
                    f"start {text(microseconds(start))} is before the data: {first_source} begins at "
                    f"{_minute_text(self.first_minute)} (range {self.describe()}); "
                    "choose a later start or add the missing history"
                )
        if end is not None:
            stop = self._steps(end, last_source, "end")
            if stop > self.n_bars:
                raise PriceError(
                    f"end {text(microseconds(end))} is after the data: {last_source} has its last price at "
                    f"{_minute_text(self.last_minute)} (range {self.describe()}); the end is exclusive, the latest "
                    f"possible is {_minute_text(self.stop_minute)}"
                )
        if first >= stop or first >= self.n_bars:
            raise PriceError(
                f"the range from start {_minute_text(self.first_minute + first * self.bar_minutes)} to end "
                f"{_minute_text(self.first_minute + stop * self.bar_minutes)} (exclusive) holds no bar of "
                f"{first_source} ({self.describe()})"
            )
        return first, stop

    def coarser(self, bar_minutes: int, source: str) -> tuple[TimeGrid, int, int]:
        """Returns the grid of longer bars inside this one, and the offset and stride of its stamps in this grid.

        A coarse stamp keeps the price of the same instant. This is the close of the coarse bar that ends there, so there is
        no look-ahead.

        Raises:
            PriceError: ``bar_minutes`` is not a multiple of this grid's, or no coarse stamp lies inside.
        """
        if bar_minutes % self.bar_minutes:
            raise PriceError(
                f"{source} has bars of {self.bar_minutes} min, which do not divide bars of {bar_minutes} min; "
                f"bar_minutes must be a multiple of {self.bar_minutes}"
            )
        first = -(-self.first_minute // bar_minutes) * bar_minutes
        n_bars = (self.last_minute - first) // bar_minutes + 1
        if n_bars < 1:
            raise PriceError(f"{source} ({self.describe()}) is too short to hold one bar of {bar_minutes} min")
        return (
            TimeGrid(first, n_bars, bar_minutes),
            (first - self.first_minute) // self.bar_minutes,
            bar_minutes // self.bar_minutes,
        )

    def _steps(self, time: Time, source: str, name: str) -> int:
        stamp = microseconds(time, name)
        steps, rest = divmod(stamp - self.first_minute * MINUTE_US, self.bar_minutes * MINUTE_US)
        if rest:
            before = self.first_minute + steps * self.bar_minutes
            raise PriceError(
                f"{name} {text(stamp)} is not on the grid of {source} ({self.describe()}); the stamps around it are "
                f"{_minute_text(before)} and {_minute_text(before + self.bar_minutes)}"
            )
        return steps


def _minute_text(minute: int) -> str:
    return text(minute * MINUTE_US)
