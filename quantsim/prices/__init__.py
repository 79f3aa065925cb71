"""Price data: loading, checking, aligning and resampling; the bundled data set.

:func:`load_prices` reads files, :meth:`Prices.from_arrays`, :meth:`Prices.from_frame` and :func:`from_ohlcv` take data in
memory, and :func:`available` shows what a source holds. Names are imported when they are used: to read a study, the modules
that read files are not needed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quantsim.prices.frames import PriceData as PriceData
    from quantsim.prices.frames import from_ohlcv as from_ohlcv
    from quantsim.prices.gap import Gap as Gap
    from quantsim.prices.load import Coverage as Coverage
    from quantsim.prices.load import available as available
    from quantsim.prices.load import load_prices as load_prices
    from quantsim.prices.table import Prices as Prices
    from quantsim.prices.trades import Trades as Trades

__all__ = ["Coverage", "Gap", "PriceData", "Prices", "Trades", "available", "from_ohlcv", "load_prices"]

_HOME_OF = {
    "Coverage": "load",
    "Gap": "gap",
    "PriceData": "frames",
    "Prices": "table",
    "Trades": "trades",
    "available": "load",
    "from_ohlcv": "frames",
    "load_prices": "load",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
