"""Weights that a pool really had: a table of its updates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quantsim.array_types import FloatArray
from quantsim.errors import PriceError
from quantsim.prices.instants import row_text, text
from quantsim.prices.read import read_named
from quantsim.prices.series import check_source

__all__ = ["WEIGHTS", "WeightUpdates", "load_weights"]


WEIGHTS = "weights"
"""The key of ``[series]``."""

_MULTIPLIER, _LAST = "multiplier_", "last_interpolation"
_SECOND_US = 1_000_000
_SUM_TOLERANCE = 1e-2  # contracts truncate the change per second of each token for itself: 1e-9 a second and token


@dataclass(frozen=True, eq=False)
class WeightUpdates:
    """``U`` updates of a pool's weights, in chronological order.

    Attributes:
        times_us: (U,) times in microseconds since 1970, UTC.
        weights: (U, n) weights at these times.
        multipliers: (U, n) changes per second from there on; None if weights move linearly from row to row.
        until_us: (U,) times from which weights stand still until the next row; None if they do not.
        source: name of the source, for messages.

    Raises:
        PriceError: times do not ascend, or weights are not positive or do not sum to 1. The message names the row.
    """

    times_us: NDArray[np.int64]
    weights: FloatArray
    multipliers: FloatArray | None = None
    until_us: NDArray[np.int64] | None = None
    source: str = WEIGHTS

    def __post_init__(self) -> None:
        if not self.times_us.size:
            raise PriceError(f"{self.source} has no rows")
        for row in range(self.times_us.size):
            if row and self.times_us[row] <= self.times_us[row - 1]:
                stamp, before = (text(int(self.times_us[at])) for at in (row, row - 1))
                where = f"{self.source}, {row_text(row)}"
                raise PriceError(f"{where}: the time {stamp} does not come after {before}; sort the rows")
            _check_row(self.weights[row], f"{self.source}, {row_text(row)}")

    def at(self, bars_us: NDArray[np.int64]) -> FloatArray:
        """Returns the weights at each time, (T, n), with a sum of 1; nan before the first row.

        With multipliers, the last row's weights move on; without, they stay.
        """
        row = np.searchsorted(self.times_us, bars_us, side="right") - 1
        known = np.maximum(row, 0)
        if self.multipliers is None:
            columns = [np.interp(bars_us, self.times_us, column) for column in self.weights.T]
            found = np.stack(columns, axis=1)
        else:
            ends = bars_us if self.until_us is None else np.minimum(bars_us, self.until_us[known])
            elapsed = np.maximum(ends - self.times_us[known], 0) / _SECOND_US
            found = self.weights[known] + self.multipliers[known] * elapsed[:, None]
        wrong = np.flatnonzero((row >= 0) & ~(found > 0.0).all(axis=1))
        if wrong.size:
            bar = int(wrong[0])
            where = f"{self.source}, {row_text(int(row[bar]))}: at {text(int(bars_us[bar]))}"
            raise PriceError(f"{where} the weights are {found[bar].tolist()}, but must be positive")
        return np.asarray(np.where((row < 0)[:, None], np.nan, found / found.sum(axis=1, keepdims=True)))


def load_weights(source: str | Path, tokens: Sequence[str]) -> WeightUpdates:
    """Reads the updates of a pool's weights from a table.

    Its columns are ``time``, a weight per token, named as the token, and, if they are known, ``multiplier_TOKEN``, the change
    per second, for each token, and ``last_interpolation``, the Unix time from which weights stand still. Without multipliers,
    weights move linearly from row to row.

    Args:
        source: the file.
        tokens: tokens of the pool, in its order.

    Raises:
        PriceError: the file cannot be read, lacks a column, or a row is invalid.
    """
    path = check_source(WEIGHTS, source)
    multipliers = [f"{_MULTIPLIER}{token}" for token in tokens]
    named = read_named(path, numbers=(*tokens, *multipliers, _LAST), optional=(*multipliers, _LAST))
    table = np.stack([named.columns[token] for token in tokens], axis=1)
    moves = np.stack([named.columns[name] for name in multipliers], axis=1)
    if np.isnan(moves).all():
        return WeightUpdates(named.times_us, table, source=str(path))
    if np.isnan(moves).any():
        row, column = (int(each) for each in np.argwhere(np.isnan(moves))[0])
        raise PriceError(f"{path}, {row_text(row)}: {multipliers[column]} is empty; give all multipliers, or none")
    last = named.columns[_LAST]
    until = None if np.isnan(last).all() else np.where(np.isnan(last), np.inf, last * _SECOND_US)
    stops = None if until is None else np.minimum(until, float(np.iinfo(np.int64).max // 2)).astype(np.int64)
    return WeightUpdates(named.times_us, table, moves, stops, str(path))


def _check_row(weights: FloatArray, where: str) -> None:
    if not (weights > 0.0).all():
        raise PriceError(f"{where}: weights {weights.tolist()} must be positive")
    total = float(weights.sum())
    if abs(total - 1.0) > _SUM_TOLERANCE:
        remedy = "; divide numbers with 18 decimals by 1e18" if total > 1e6 else ""
        raise PriceError(f"{where}: weights {weights.tolist()} sum to {total:.9g}, but must sum to 1{remedy}")
