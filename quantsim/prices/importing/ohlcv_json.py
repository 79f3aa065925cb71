"""Reads candles in JSON as ccxt returns them: rows of time, open, high, low, close and volume, oldest first."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from quantsim.errors import PriceError, reason_of
from quantsim.prices.align import RawSeries
from quantsim.prices.instants import StampConvention, microseconds_of, row_text, shown, unit_of
from quantsim.prices.names import base_of

__all__ = ["read_ohlcv_json"]

_N_COLUMNS = 6  # ccxt's own; exchanges may add more behind them
_CLOSE = 4
_START = StampConvention("start", "ccxt's format")


def read_ohlcv_json(path: Path, token_of_stem: Callable[[str], str]) -> list[RawSeries]:
    """Returns the closes of a file: a list of rows, or a table of such lists by symbol.

    Args:
        path: the file.
        token_of_stem: names the token of a list, from the name of the file.

    Raises:
        PriceError: the file is not JSON, or a row does not hold six numbers; the message names the row.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise PriceError(f"{path} cannot be read as JSON: {reason_of(error)}") from error
    if isinstance(content, Mapping):
        return [_series(path, base_of(symbol), rows) for symbol, rows in content.items()]
    return [_series(path, token_of_stem(path.stem), content)]


def _series(path: Path, token: str, rows: Any) -> RawSeries:
    if not isinstance(rows, list) or not rows:
        raise PriceError(
            f"{path} holds no candles of {token}; it must be a list of [time, open, high, low, close, volume]"
        )
    for place, row in enumerate(rows):
        numbers = isinstance(row, list) and len(row) >= _N_COLUMNS and all(map(_is_number, row[: _CLOSE + 1]))
        if not numbers or row[0] is None:
            raise PriceError(
                f"{path}, {row_text(place)}: {shown(row)} is not a candle of ccxt: [time, open, high, low, close, volume]"
            )
    times = np.array([row[0] for row in rows])
    closes = np.array([np.nan if row[_CLOSE] is None else row[_CLOSE] for row in rows], np.float64)
    times_us = microseconds_of(times, str(path))
    return RawSeries(token, str(path), times_us, closes, convention=_START, unit=unit_of(times))


def _is_number(cell: Any) -> bool:
    return cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool))
