"""Prices from data frames: one with a column per token, or OHLCV candles, a frame per token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np

from quantsim.errors import PriceError
from quantsim.prices.align import RawSeries, align, regularize
from quantsim.prices.arrow_frames import ArrowFrame, is_frame, pandas_frame
from quantsim.prices.header import PRICE_NAMES, TIME_NAMES, normal
from quantsim.prices.instants import Stamps, check_stamps, microseconds_of
from quantsim.prices.names import check_tokens, find_name
from quantsim.prices.table import Prices
from quantsim.prices.time_grid import check_bar_minutes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PriceData", "as_prices", "from_ohlcv"]

PriceData: TypeAlias = Union[Prices, "pd.DataFrame", ArrowFrame, Mapping[str, Union["pd.DataFrame", ArrowFrame]]]
"""Prices, a frame with times and a column per token, or token → frame of OHLCV candles.

Frames are those of pandas, or of any library that exports Arrow, such as polars, with a time column."""


def as_prices(
    given: PriceData,
    *,
    tokens: Sequence[str],
    bar_minutes: int | None = None,
    forward_fill_bars: int = 0,
    stamps: Stamps = "end",
) -> Prices:
    """Returns prices that are given in any of the forms of :data:`PriceData`; :class:`Prices` as they are.

    Args:
        given: the prices. Columns and keys may be names of pairs, such as ``BTC/USDT``.
        tokens: tokens of the table.
        bar_minutes: as in :meth:`Prices.from_arrays`.
        forward_fill_bars: as in :meth:`Prices.from_arrays`.
        stamps: what the index of a frame marks. Candles are stamped at their start; see :func:`from_ohlcv`.

    Raises:
        PriceError: this is none of these forms, a token is missing, or the data is invalid.
    """
    if isinstance(given, Prices):
        return given
    if not isinstance(given, Mapping) and is_frame(given):
        frame = pandas_frame(given, "the frame")
        columns = [str(column) for column in frame.columns]
        named = frame.set_axis(columns, axis=1)[[find_name(token, columns, "the frame") for token in tokens]]
        return Prices.from_frame(
            named.set_axis(list(tokens), axis=1),
            tokens=tokens,
            bar_minutes=bar_minutes,
            forward_fill_bars=forward_fill_bars,
            stamps=stamps,
        )
    if isinstance(given, Mapping):
        return from_ohlcv(given, tokens=tokens, bar_minutes=bar_minutes, forward_fill_bars=forward_fill_bars)
    raise PriceError(
        f"prices must be Prices, a data frame, or a dictionary of OHLCV frames by token, not {type(given).__name__}: "
        "load_prices(tokens, source) reads files"
    )


def from_ohlcv(
    frames: Mapping[str, pd.DataFrame | ArrowFrame],
    *,
    tokens: Sequence[str] | None = None,
    bar_minutes: int | None = None,
    forward_fill_bars: int = 0,
    stamps: Stamps = "start",
) -> Prices:
    """Makes a table from candles, one frame per token, such as those of ccxt's ``fetch_ohlcv``.

    A frame has a column of closes, and its times as ``DatetimeIndex`` or in a column such as ``timestamp`` (milliseconds).
    Tokens may have different ranges; the table has the bars that all of them have.

    Args:
        frames: token, or name of a pair such as ``BTC/USDT`` → frame.
        tokens: tokens of the table, in this order; default: the keys.
        bar_minutes: as in :meth:`Prices.from_arrays`.
        forward_fill_bars: as in :meth:`Prices.from_arrays`.
        stamps: what the times mark. Exchanges stamp candles at their start, so these are moved to the end, when the close is
            known. A column such as ``close_time`` says so itself, and takes precedence.

    Raises:
        PriceError: a frame has no times or no closes, a token is missing, or the data is invalid.

    Example:
        >>> import pandas as pd
        >>> candles = pd.DataFrame({"timestamp": [0, 86_400_000], "open": [1.0, 2.0], "close": [2.0, 3.0]})
        >>> candles["timestamp"] += 1_704_067_200_000  # 2024-01-01
        >>> str(from_ohlcv({"BTC/USDT": candles}, tokens=["BTC"]).times[0])
        '2024-01-02T00:00:00'
    """
    names = check_tokens(tuple(frames) if tokens is None else tokens)
    check_stamps(stamps)
    only_bar = None if bar_minutes is None else check_bar_minutes(bar_minutes)
    series = []
    for token in names:
        key = find_name(token, frames, "the frames")
        frame = pandas_frame(frames[key], f"the frame of {key}")
        times, values, own = _candles(frame, f"the frame of {key}")
        raw = RawSeries(token, f"the frame of {key}", times, values)
        series.append(regularize(raw, only_bar_minutes=only_bar, stamps=own or stamps))
    table = align(series, bar_minutes=bar_minutes, start=None, end=None, forward_fill_bars=forward_fill_bars)
    return Prices(table.grid.times(), table.prices, names, table.grid.bar_minutes, table.gaps, "OHLCV frames")


def _candles(frame: pd.DataFrame, where: str) -> tuple[Any, Any, Stamps | None]:
    """Returns times in microseconds, closes, and what the times mark if the frame says so."""
    import pandas as pd

    columns = {normal(str(column)): column for column in reversed(list(frame.columns))}
    close = next((columns[name] for name in PRICE_NAMES if name in columns), None)
    if close is None:
        raise PriceError(f"{where} has no column of closes: name it close")
    if isinstance(frame.index, pd.DatetimeIndex):
        index = frame.index if frame.index.tz is None else frame.index.tz_convert("UTC").tz_localize(None)
        times, own = index.to_numpy(), TIME_NAMES.get(normal(str(frame.index.name)))
    else:
        name = next((name for name in TIME_NAMES if name in columns), None)
        if name is None:
            raise PriceError(f"{where} has no times: give it a DatetimeIndex, or a column timestamp")
        column = frame[columns[name]]
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            column = column.dt.tz_convert("UTC").dt.tz_localize(None)
        times, own = column.to_numpy(), TIME_NAMES[name]
    try:
        closes = frame[close].to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise PriceError(f"the closes of {where} are not numbers: {error}") from error
    return microseconds_of(times, where), closes, own
