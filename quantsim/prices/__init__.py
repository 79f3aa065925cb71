"""Price data: loading, checking, aligning and resampling; the bundled data set.

:func:`load_prices` reads files, :meth:`Prices.from_arrays`, :meth:`Prices.from_frame` and :func:`from_ohlcv` take data in
memory, and :func:`available` shows what a source holds.
"""

from __future__ import annotations

from quantsim.prices.frames import PriceData, from_ohlcv
from quantsim.prices.gap import Gap
from quantsim.prices.load import Coverage, available, load_prices
from quantsim.prices.table import Prices
from quantsim.prices.trades import Trades

__all__ = ["Coverage", "Gap", "PriceData", "Prices", "Trades", "available", "from_ohlcv", "load_prices"]
