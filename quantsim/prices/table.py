"""The price table: regular, complete, read-only, and identified by a hash."""

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

    from quantsim.prices.arrow_frames import ArrowFrame

__all__ = ["Origin", "Prices"]


@dataclass(frozen=True)
class Origin:
    """The files of prices, and how they were read.

    Attributes:
        source: ``"bundled"``, a URL, or the absolute path of a file or folder.
        bar_minutes: requested bar length; None for the bar length of the files.
        forward_fill_bars: longest gap that may be filled.
        stamps: what the stamps of the files mark.
    """

    source: str
    bar_minutes: int | None
    forward_fill_bars: int
    stamps: str

    def differences(self, other: Origin) -> str:
        """Describes the differences from another origin, such as ``"bar_minutes = 60 instead of None"``."""
        pairs = ((name, getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__)
        return ", ".join(f"{name} = {own!r} instead of {theirs!r}" for name, own, theirs in pairs if own != theirs)


@dataclass(frozen=True, eq=False, repr=False)
class Prices:
    """Prices of ``n`` tokens at ``T`` regular stamps.

    The price at stamp ``t`` is the last one known at the instant ``t``: the close of the bar that ends there. Stamps lie on a
    regular grid that starts at UTC midnight. Both arrays are read-only. Objects compare by identity; to find out whether two
    tables hold the same data, compare :attr:`identity`.

    Attributes:
        times: ``(T,)`` of ``datetime64[s]``, in UTC.
        prices: ``(T, n)`` float64, C-contiguous, positive and finite.
        tokens: the column names, in the order the caller gave.
        bar_minutes: spacing of the stamps.
        gaps: the gaps of the source, filled here with the last price before them.
        source: name of the source, for messages; not part of the identity.
        origin: the files that the prices were loaded from; None for prices made in memory, for instance with
            ``dataclasses.replace``. Not part of the identity.

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
                f"the times are not a regular grid of {bar_minutes}-minute bars that starts at UTC midnight; "
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
        # Rebuilt by the constructor, because plain unpickling gives writable arrays.
        return _rebuilt, (self._values, self.origin)

    def loaded_from(self, origin: Origin | None) -> Prices:
        """Returns the same table with this origin. For functions that load files."""
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
        """Makes a table from prices in memory, with the same checks as for files.

        Args:
            times: ``(N,)`` stamps: ``datetime64``, datetimes or ISO 8601 strings (without a zone: UTC), or epoch
                numbers.
            prices: ``(N, n)``; NaN stands for a missing bar. Rows may be missing, too: both are gaps.
            tokens: ``n`` names.
            bar_minutes: bar length of the table, a multiple of the spacing of ``times``; ``None`` for that spacing.
            forward_fill_bars: longest gap that may be filled; with 0, every gap is an error.
            stamps: what ``times`` mark: the ``"end"`` or the ``"start"`` of bars. Start stamps are moved to the end.
            source: name for messages.

        Raises:
            PriceError: the shapes do not match, or the data is invalid as in :func:`quantsim.prices.load_prices`.

        Example:
            >>> table = Prices.from_arrays(["2024-01-01", "2024-01-02"], [[2.0], [3.0]], ["BTC"])
            >>> table.bar_minutes, table.n_bars
            (1440, 2)
        """
        names = check_tokens(tokens)
        values = _numbers(prices, source)
        stamps_us = microseconds_of(np.asarray(times), source)
        if values.shape != (stamps_us.size, len(names)):
            raise PriceError(
                f"prices of {source} have shape {values.shape}; {stamps_us.size} times and {len(names)} tokens need "
                f"{(stamps_us.size, len(names))}"
            )
        return cls._of_columns(stamps_us, list(values.T), names, bar_minutes, forward_fill_bars, stamps, source)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame | ArrowFrame,
        *,
        tokens: Sequence[str] | None = None,
        bar_minutes: int | None = None,
        forward_fill_bars: int = 0,
        stamps: Stamps = "end",
        source: str = "frame",
    ) -> Prices:
        """Makes a table from a data frame that has one column per token.

        The prices are copied once, into the table.

        Args:
            frame: a frame of pandas with a ``DatetimeIndex`` (without a zone it is UTC); or one of polars, or another library
                that exports Arrow, with a time column such as ``timestamp``.
            tokens: the columns to use, in this order; ``None`` for all except a row index.
            bar_minutes: as in :meth:`from_arrays`.
            forward_fill_bars: as in :meth:`from_arrays`.
            stamps: as in :meth:`from_arrays`.
            source: name for messages.

        Raises:
            PriceError: the index holds no times, a column is missing, or the data is invalid.
        """
        import pandas as pd

        from quantsim.prices.arrow_frames import pandas_frame

        frame = pandas_frame(frame, source)
        if not isinstance(frame.index, pd.DatetimeIndex):
            raise PriceError(f"the index of {source} is a {type(frame.index).__name__}; it must be a DatetimeIndex")
        held = [str(column) for column in frame.columns]
        names = check_tokens([name for name in held if not is_index_name(name)] if tokens is None else tokens)
        missing = [name for name in names if tokens is not None and name not in frame.columns]
        if missing:
            raise PriceError(f"{source} has no column {missing[0]!r}; it has {', '.join(map(str, frame.columns))}")
        twice = [name for name in names if held.count(name) > 1]
        if twice:
            raise PriceError(f"{source} has two columns named {twice[0]!r}; rename or remove one")
        index = frame.index if frame.index.tz is None else frame.index.tz_convert("UTC").tz_localize(None)
        places = [held.index(name) for name in names]
        columns = [_numbers(frame.iloc[:, place], source) for place in places]
        stamps_us = microseconds_of(index.to_numpy(), source)
        return cls._of_columns(stamps_us, columns, names, bar_minutes, forward_fill_bars, stamps, source)

    @classmethod
    def _of_columns(
        cls,
        times_us: NDArray[np.int64],
        columns: Sequence[NDArray[np.float64]],
        names: tuple[str, ...],
        bar_minutes: int | None,
        forward_fill_bars: int,
        stamps: Stamps,
        source: str,
    ) -> Prices:
        """Makes a table from a column ``(N,)`` per token; the columns are copied once."""
        check_stamps(stamps)
        only_bar = None if bar_minutes is None else check_bar_minutes(bar_minutes)
        series = [
            regularize(RawSeries(name, source, times_us, column), only_bar_minutes=only_bar, stamps=stamps)
            for name, column in zip(names, columns, strict=True)
        ]
        table = align(series, bar_minutes=bar_minutes, start=None, end=None, forward_fill_bars=forward_fill_bars)
        return cls(table.grid.times(), table.prices, names, table.grid.bar_minutes, table.gaps, source)

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
        """SHA-256 of tokens, grid and prices, in hexadecimal. It does not depend on the machine, the source or the gaps."""
        grid = self.grid
        head = {"tokens": self.tokens, "first_minute": grid.first_minute, "bar_minutes": grid.bar_minutes}
        digest = hashlib.sha256(b"quantsim prices 1\n")
        digest.update(json.dumps(head, sort_keys=True).encode() + b"\n")
        digest.update(np.ascontiguousarray(self.prices, dtype="<f8").data)
        return digest.hexdigest()

    def index_of(self, time: Time) -> int:
        """Returns the index of the bar stamped exactly ``time`` (without a zone: UTC).

        Raises:
            PriceError: the time lies outside the table or between two stamps; the message gives the range or the stamps.
        """
        return self.grid.index(time, self.source)

    def slice(self, start: int, stop: int) -> Prices:
        """Returns the bars ``start … stop - 1`` by index. Unlike for lists, indices must lie inside the table.

        Raises:
            PriceError: ``0 <= start < stop <= n_bars`` does not hold.
        """
        first, last = operator.index(start), operator.index(stop)
        if not 0 <= first < last <= self.n_bars:
            raise PriceError(
                f"bars {first} to {last} (exclusive) do not fit; 0 <= start < stop <= {self.n_bars} must hold "
                f"for {self!r}"
            )
        grid, found = self.grid.part(first, last), object.__new__(Prices)  # whose prices are checked
        part = {"times": self.times[first:last], "prices": self.prices[first:last], "gaps": self._gaps_on(grid)}
        vars(found).update({name: value for name, value in vars(self).items() if name != "identity"} | part)
        return found

    def between(self, start: Time | None, end: Time | None) -> Prices:
        """Returns the bars stamped in ``[start, end)``; ``None`` means no limit.

        Args:
            start: the first stamp.
            end: end of the range, exclusive; at most one bar after the last stamp.

        Raises:
            PriceError: a bound is not on the grid, the table does not cover the range, or it is empty.
        """
        return self.slice(*self.grid.window(start, end, first_source=self.source, last_source=self.source))

    def split(self, *times: Time) -> tuple[Prices, ...]:
        """Splits the table into consecutive parts; each time is the first stamp of the next part.

        Raises:
            PriceError: a time is not a stamp of the table, or a part would be empty.
        """
        cuts = [0, *(self.index_of(time) for time in times), self.n_bars]
        return tuple(self.slice(first, stop) for first, stop in pairwise(cuts))

    def resample(self, bar_minutes: int) -> Prices:
        """Returns the table on longer bars that start at UTC midnight.

        A stamp keeps its price, which is the close of the longer bar that ends there, so there is no look-ahead. Bars before
        the first and after the last coarse stamp are dropped.

        Raises:
            PriceError: ``bar_minutes`` does not divide a day, or is not a multiple of the table's bar length.
        """
        target = check_bar_minutes(bar_minutes)
        if target == self.bar_minutes:
            return self
        grid, offset, stride = self.grid.coarser(target, self.source)
        coarse = self._view(grid, self.times[offset::stride], self.prices[offset::stride])
        return coarse.loaded_from(None if self.origin is None else replace(self.origin, bar_minutes=target))

    def _view(self, grid: TimeGrid, times: NDArray[np.datetime64], prices: NDArray[np.float64]) -> Prices:
        values = times, prices, self.tokens, grid.bar_minutes, self._gaps_on(grid), self.source
        return _rebuilt(values, self.origin)

    def _gaps_on(self, grid: TimeGrid) -> tuple[Gap, ...]:
        gaps = (gap.on(grid.first_minute, grid.last_minute, grid.bar_minutes) for gap in self.gaps)
        return tuple(gap for gap in gaps if gap is not None)


def _rebuilt(values: tuple[Any, ...], origin: Origin | None) -> Prices:
    prices = Prices(*values)
    object.__setattr__(prices, "origin", origin)
    return prices


def _numbers(values: ArrayLike, source: str) -> NDArray[np.float64]:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise PriceError(f"the prices of {source} are not numbers: {error}") from error


def _read_only(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Returns the array as a C-contiguous, read-only array of ``dtype``; copies it unless it is already read-only."""
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
            f"the time {text(int(array[odd].astype('datetime64[us]').astype(np.int64)))} is not a whole second"
        )
    copy.setflags(write=False)
    return copy
