"""Joins and exits of liquidity providers (LPs): a table of how the supply of a pool's shares changes.

Joins and exits are proportional: they scale all reserves by one factor, at no cost. A pool of ``S`` times the reserves trades
``S`` times the amounts, so the value of one share does not depend on the supply, unless something has a size of its own: gas
of ``G`` is to a pool of supply ``S`` what ``G/S`` is to one share, and so is the amount of an exogenous swap. A simulation is
therefore of one share, with gas and swaps divided by the supply.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quantsim.array_types import FloatArray
from quantsim.errors import PriceError
from quantsim.prices.instants import row_text, text
from quantsim.prices.read import read_named
from quantsim.prices.series import check_source

__all__ = ["SUPPLY", "SupplyChanges", "load_supply"]


SUPPLY = "supply"
"""The key of ``[series]``."""

_SHARES, _AMOUNT = "shares", "amount_usd"


@dataclass(frozen=True, eq=False)
class SupplyChanges:
    """``J`` joins and exits in chronological order. Each row gives shares or an amount; the other is NaN.

    Attributes:
        times_us: (J,) times in microseconds since 1970, UTC.
        shares: (J,) shares issued, or, if negative, burnt; the supply is 1 before the first row.
        amounts: (J,) values that join, or leave if negative, in the quote currency.
        source: name of the source, for messages.

    Raises:
        PriceError: times are not chronological, a row does not give exactly one finite number, or the supply is not positive.
    """

    times_us: NDArray[np.int64]
    shares: FloatArray
    amounts: FloatArray
    source: str = SUPPLY

    def __post_init__(self) -> None:
        for row in range(self.times_us.size):
            where = f"{self.source}, {row_text(row)}"
            given = [value for value in (self.shares[row], self.amounts[row]) if not np.isnan(value)]
            if len(given) != 1 or not np.isfinite(given[0]):
                raise PriceError(f"{where}: give either {_SHARES} or {_AMOUNT}, as one finite number")
            if row and self.times_us[row] < self.times_us[row - 1]:
                stamp, before = (text(int(self.times_us[at])) for at in (row, row - 1))
                raise PriceError(f"{where}: the time {stamp} comes after {before}, which is later; sort the rows")
        if not self.has_amounts:
            self._check_supply(1.0 + np.cumsum(self.shares))

    @property
    def has_amounts(self) -> bool:
        """Whether a row gives an amount."""
        return not np.isnan(self.amounts).all()

    def before(self, bars_us: NDArray[np.int64]) -> FloatArray:
        """Returns the supply that trades at each bar meet, (T,): a join or exit is at the end of the last bar up to its time.

        Raises:
            PriceError: a row gives an amount.
        """
        if self.has_amounts:
            raise PriceError(f"{self.source}: {_AMOUNT} is for pools without gas and exogenous swaps; give {_SHARES}")
        return _summed(np.searchsorted(bars_us, self.times_us, side="right"), self.shares, bars_us.size)

    def after(self, bars_us: NDArray[np.int64], value: FloatArray) -> FloatArray:
        """Returns the supply at the end of each bar, (T,).

        Args:
            bars_us: (T,) times of the bars.
            value: (T,) value of a share. Amounts outside of the bars are left out.
        """
        end = 2 * bars_us[-1] - bars_us[-2] if bars_us.size > 1 else bars_us[-1] + 1
        at = np.where(self.times_us < end, np.searchsorted(bars_us, self.times_us, side="right") - 1, bars_us.size)
        worth = value[np.clip(at, 0, bars_us.size - 1)]
        priced = np.where((at >= 0) & (at < bars_us.size), self.amounts / worth, 0.0)
        shares = np.where(np.isnan(self.amounts), self.shares, priced)
        self._check_supply(1.0 + np.cumsum(shares))
        return _summed(np.maximum(at, 0), shares, bars_us.size)

    def _check_supply(self, supply: FloatArray) -> None:
        low = np.flatnonzero(~(supply > 0.0))
        if low.size:
            row = int(low[0])
            raise PriceError(
                f"{self.source}, {row_text(row)}: the supply is {supply[row]:.6g} after it, and must stay above 0"
            )


def _summed(bars: NDArray[np.int64], shares: FloatArray, n_bars: int) -> FloatArray:
    """Returns 1 plus the shares issued up to each bar, (T,)."""
    inside = bars < n_bars
    return np.asarray(1.0 + np.cumsum(np.bincount(bars[inside], shares[inside], minlength=n_bars)), np.float64)


def load_supply(source: str | Path) -> SupplyChanges:
    """Reads joins and exits from a table with the columns ``time``, and ``shares`` or ``amount_usd`` or both.

    Raises:
        PriceError: the file cannot be read, or a row is invalid.
    """
    path = check_source(SUPPLY, source)
    named = read_named(path, numbers=(_SHARES, _AMOUNT), optional=(_SHARES, _AMOUNT))
    return SupplyChanges(named.times_us, named.columns[_SHARES], named.columns[_AMOUNT], str(path))
