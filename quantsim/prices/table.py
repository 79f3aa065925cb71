"""The price table that the rest of quantsim works on: regular, complete, read-only, and identified by a hash."""

from __future__ import annotations

import hashlib
import json
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantsim.errors import PriceError
from quantsim.prices.align import RawSeries, align, regularize
from quantsim.prices.gap import Gap
from quantsim.prices.instants import Stamps, Time, check_stamps, microseconds_of, text
from quantsim.prices.names import check_tokens, is_index_name
from quantsim.prices.time_grid import DAY_MINUTES, TimeGrid, check_bar_minutes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Origin", "Prices"]


@dataclass(frozen=True)
class Origin:
    """The files that prices come from, and how they were read.

    Attributes:
        source: ``"bundled"``, or the absolute path of a file or folder.
        bar_minutes: as asked for; None for the files' own.
        forward_fill_bars: longest gap that was filled.
        stamps: what the files' stamps mark.
    """

    source: str
    bar_minutes: int | None
    forward_fill_bars: int
    stamps: str

    def differences(self, other: Origin) -> str:
        """What is otherwise than in another one, as ``"bar_minutes = 60 instead of None"``; empty where nothing is."""
        pairs = ((name, getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__)
        return ", ".join(f"{name} = {own!r} instead of {theirs!r}" for name, own, theirs in pairs if own != theirs)


@dataclass(frozen=True, eq=False, repr=False)
class Prices:
    """Prices of ``n`` tokens at ``T`` regular stamps.

    The price at stamp ``t`` is the last one known at the instant ``t``: the close of the bar that ends there. Stamps
    lie on a grid laid from UTC midnight. Both arrays are read-only. Objects compare as themselves; compare
    :attr:`identity` to find out whether two tables hold the same data.

    Attributes:
        times: ``(T,)`` of ``datetime64[s]``; numpy's stamps carry no zone, these are UTC.
        prices: ``(T, n)`` float64, C-contiguous, positive and finite.
        tokens: the column names, in the order the caller gave.
        bar_minutes: spacing of the stamps.
        gaps: the bars of this table that the source does not have and that hold the last price before them.
        source: where the prices came from, for messages; not part of the identity.
        origin: the files they were loaded from; None for prices made in memory, such as by ``dataclasses.replace``. Not part
            of the identity.

    Raises:
        PriceError: shapes disagree, the stamps are not regular, a price is not positive and finite, tokens repeat.
    """

    times: NDArray[np.datetime64]
    prices: NDArray[np.float64]
    tokens: tuple[str, ...]
    bar_minutes: int
    gaps: tuple[Gap, ...] = ()
    source: str = field(default="arrays")
    origin: Origin | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        bar_minutes = check_bar_minutes(self.bar_minutes)
        tokens = check_tokens(self.tokens)
        prices = _read_only(np.asarray(self.prices), np.dtype(np.float64))
        times = _read_only(np.asarray(self.times), np.dtype("datetime64[s]"))
        if times.ndim != 1 or times.size == 0 or prices.shape != (times.size, len(tokens)):
            raise PriceError(
                f"times {times.shape}, prices {prices.shape} and {len(tokens)} tokens do not fit together; "
                "they must be (T,), (T, n) and n, with T at least 1"
            )
        seconds = times.astype(np.int64)
        if seconds[0] % (60 * bar_minutes) or (np.diff(seconds) != 60 * bar_minutes).any():
            raise PriceError(
                f"the times are not a regular grid of {bar_minutes}-minute bars laid from UTC midnight; "
                "Prices.from_arrays checks raw stamps and fills gaps"
            )
        bad = ~(np.isfinite(prices) & (prices > 0))
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise PriceError(
                f"the price of {tokens[column]} at {times[row]} is {prices[row, column]}; "
                "it must be positive and finite"
            )
        for name, value in (("times", times), ("prices", prices), ("tokens", tokens), ("bar_minutes", bar_minutes)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "gaps", tuple(self.gaps))

    def __reduce__(self) -> tuple[Callable[..., Prices], tuple[Any, ...]]:
        # Rebuilt by the constructor: plain unpickling would give writable arrays.
        return _rebuilt, (self._values, self.origin)

    def loaded_from(self, origin: Origin | None) -> Prices:
        """The same table, told to come from these files as they are; for what loads them."""
        return _rebuilt(self._values, origin)

    @property
    def _values(self) -> tuple[Any, ...]:
        return self.times, self.prices, self.tokens, self.bar_minutes, self.gaps, self.source

    def __repr__(self) -> str:
        return f"Prices({', '.join(self.tokens)}; {self.grid.describe()}; {self.n_bars} bars from {self.source})"

    @classmethod
    def from_arrays(
        cls,
        times: ArrayLike,
        prices: ArrayLike,
        tokens: Sequence[str],
        *,
        bar_minutes: int | None = None,
        forward_fill_bars: int = 0,
        stamps: Stamps = "end",
        source: str = "arrays",
    ) -> Prices:
        """Returns a table made from prices in memory, checked as those from a file are.

        Args:
            times: ``(N,)`` stamps: ``datetime64``, datetimes or ISO 8601 strings (without a zone: UTC), or epoch
                numbers.
            prices: ``(N, n)``; NaN stands for a missing bar. Rows may be missing, too: both are gaps.
            tokens: ``n`` names.
            bar_minutes: bar length of the table, a multiple of the spacing of ``times``; ``None`` for that spacing.
            forward_fill_bars: longest gap that may be filled; 0 refuses every gap.
            stamps: what ``times`` mark: the ``"end"`` of bars, or their ``"start"``, which are moved to their ends.
            source: name for messages.

        Raises:
            PriceError: the shapes disagree, or the data is refused as :func:`quantsim.prices.load_prices` would.

        Example:
            >>> table = Prices.from_arrays(["2024-01-01", "2024-01-02"], [[2.0], [3.0]], ["BTC"])
            >>> table.bar_minutes, table.n_bars
            (1440, 2)
        """
        names = check_tokens(tokens)
        check_stamps(stamps)
        try:
            values = np.asarray(prices, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise PriceError(f"the prices of {source} are not numbers: {error}") from error
        times_us = microseconds_of(np.asarray(times), source)
        if values.shape != (times_us.size, len(names)):
            raise PriceError(
                f"prices of {source} have shape {values.shape}; {times_us.size} times and {len(names)} tokens ask for "
                f"{(times_us.size, len(names))}"
            )
        only_bar = None if bar_minutes is None else check_bar_minutes(bar_minutes)
        series = [
            regularize(RawSeries(name, source, times_us, values[:, column]), only_bar_minutes=only_bar, stamps=stamps)
            for column, name in enumerate(names)
        ]
        table = align(series, bar_minutes=bar_minutes, start=None, end=None, forward_fill_bars=forward_fill_bars)
        return cls(table.grid.times(), table.prices, names, table.grid.bar_minutes, table.gaps, source)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        tokens: Sequence[str] | None = None,
        bar_minutes: int | None = None,
        forward_fill_bars: int = 0,
        stamps: Stamps = "end",
        source: str = "frame",
    ) -> Prices:
        """Returns a table made from a frame indexed by time with one column per token.

        Args:
            frame: its index is a ``DatetimeIndex``; without a zone it is UTC.
            tokens: the columns to take, in this order; ``None`` takes all but a row index.
            bar_minutes: as in :meth:`from_arrays`.
            forward_fill_bars: as in :meth:`from_arrays`.
            stamps: as in :meth:`from_arrays`.
            source: name for messages.

        Raises:
            PriceError: the index holds no times, a column is missing, or the data is refused.
        """
        import pandas as pd

        if not isinstance(frame.index, pd.DatetimeIndex):
            raise PriceError(f"the index of {source} is a {type(frame.index).__name__}; it must be a DatetimeIndex")
        held = [str(column) for column in frame.columns]
        names = check_tokens([name for name in held if not is_index_name(name)] if tokens is None else tokens)
        missing = [name for name in names if tokens is not None and name not in frame.columns]
        if missing:
            raise PriceError(f"{source} has no column {missing[0]!r}; it has {', '.join(map(str, frame.columns))}")
        index = frame.index if frame.index.tz is None else frame.index.tz_convert("UTC").tz_localize(None)
        chosen = frame.loc[:, [name in names for name in held]] if tokens is None else frame[list(names)]
        return cls.from_arrays(
            index.to_numpy(),
            chosen.to_numpy(),
            names,
            bar_minutes=bar_minutes,
            forward_fill_bars=forward_fill_bars,
            stamps=stamps,
            source=source,
        )

    @property
    def n_bars(self) -> int:
        return int(self.prices.shape[0])

    @property
    def n_tokens(self) -> int:
        return len(self.tokens)

    @property
    def bars_per_day(self) -> int:
        return DAY_MINUTES // self.bar_minutes

    @property
    def grid(self) -> TimeGrid:
        """The stamps as three integers."""
        return TimeGrid(int(self.times[0].astype(np.int64)) // 60, self.n_bars, self.bar_minutes)

    @cached_property
    def identity(self) -> str:
        """SHA-256, in hex, of tokens, grid and prices; the same on every machine, whatever the source or its gaps."""
        grid = self.grid
        head = {"tokens": self.tokens, "first_minute": grid.first_minute, "bar_minutes": grid.bar_minutes}
        digest = hashlib.sha256(b"quantsim prices 1\n")
        digest.update(json.dumps(head, sort_keys=True).encode() + b"\n")
        digest.update(np.ascontiguousarray(self.prices, dtype="<f8").data)
        return digest.hexdigest()

    def index_of(self, time: Time) -> int:
        """Returns the index of the bar stamped exactly ``time`` (without a zone: UTC).

        Raises:
            PriceError: the time lies outside the table or between two stamps; the message says which there are.
        """
        return self.grid.index(time, self.source)

    def slice(self, start: int, stop: int) -> Prices:
        """Returns the bars ``start … stop - 1`` by index. Nothing is cut silently: indices must lie inside.

        Raises:
            PriceError: not ``0 <= start < stop <= n_bars``.
        """
        first, last = operator.index(start), operator.index(stop)
        if not 0 <= first < last <= self.n_bars:
            raise PriceError(
                f"bars {first} to {last} (exclusive) do not fit; 0 <= start < stop <= {self.n_bars} must hold "
                f"for {self!r}"
            )
        grid = TimeGrid(self.grid.first_minute + first * self.bar_minutes, last - first, self.bar_minutes)
        return self._view(grid, self.times[first:last], self.prices[first:last])

    def between(self, start: Time | None, end: Time | None) -> Prices:
        """Returns the bars stamped in ``[start, end)``; ``None`` means as far as the table reaches.

        Args:
            start: the first stamp.
            end: the first stamp no longer wanted, one bar after the last stamp at most.

        Raises:
            PriceError: a bound is not on the grid, the table does not cover the range, or it is empty.
        """
        return self.slice(*self.grid.window(start, end, first_source=self.source, last_source=self.source))

    def split(self, *times: Time) -> tuple[Prices, ...]:
        """Returns the table cut into consecutive parts; each time is the first stamp of the next part.

        Raises:
            PriceError: a time is no stamp of the table, or a part would be empty.
        """
        cuts = [0, *(self.index_of(time) for time in times), self.n_bars]
        return tuple(self.slice(first, stop) for first, stop in pairwise(cuts))

    def resample(self, bar_minutes: int) -> Prices:
        """Returns the table on longer bars laid from UTC midnight.

        A stamp keeps the price it has, which is the close of the longer bar that ends there: no look-ahead. Leading and
        trailing bars that reach no coarse stamp drop out.

        Raises:
            PriceError: ``bar_minutes`` does not divide a day, or is no multiple of the table's own.
        """
        target = check_bar_minutes(bar_minutes)
        if target == self.bar_minutes:
            return self
        grid, offset, stride = self.grid.coarser(target, self.source)
        coarse = self._view(grid, self.times[offset::stride], self.prices[offset::stride])
        return coarse.loaded_from(None if self.origin is None else replace(self.origin, bar_minutes=target))

    def _view(self, grid: TimeGrid, times: NDArray[np.datetime64], prices: NDArray[np.float64]) -> Prices:
        gaps = (gap.on(grid.first_minute, grid.last_minute, grid.bar_minutes) for gap in self.gaps)
        kept = tuple(gap for gap in gaps if gap is not None)
        return _rebuilt((times, prices, self.tokens, grid.bar_minutes, kept, self.source), self.origin)


def _rebuilt(values: tuple[Any, ...], origin: Origin | None) -> Prices:
    prices = Prices(*values)
    object.__setattr__(prices, "origin", origin)
    return prices


def _read_only(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Returns the array as C-contiguous, read-only ``dtype``; copies unless nobody can write to it."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        if owner.flags.writeable:
            break
        owner = owner.base
    else:
        if array.dtype == dtype and array.flags.c_contiguous:
            return array
    copy = np.array(array, dtype=dtype, order="C")
    if dtype.kind == "M" and (copy != array).any():
        odd = int(np.argmax(copy != array))
        raise PriceError(
            f"the time {text(int(array[odd].astype('datetime64[us]').astype(np.int64)))} is no whole second"
        )
    copy.setflags(write=False)
    return copy
