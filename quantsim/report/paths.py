"""The path of a pool as a table, with the value of its first reserves, held, beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    from quantsim.prices import Prices
    from quantsim.simulator import Result

__all__ = ["hodl_values", "path_frame"]


def hodl_values(result: Result, prices: Prices) -> NDArray[np.float64]:
    """``Σ_i R[0,i] p[t,i]``, the value of the first bar's reserves, held, (T,).

    Args:
        result: of a simulation on these prices.
        prices: tokens in any order, more than the pool's or not.

    Raises:
        PriceError: the prices do not cover the result's period.
    """
    first = prices.index_of(str(result.times[0]))
    columns = [prices.tokens.index(token) for token in result.tokens]
    held: NDArray[np.float64] = prices.prices[first : first + result.times.size, columns] @ result.reserves[0]
    return held


def path_frame(result: Result, prices: Prices) -> pd.DataFrame:
    """One row per bar: ``time`` (UTC), ``value`` and ``hodl_value`` (USD), ``weight_*`` (shares), ``reserve_*`` (tokens)."""
    import pandas as pd

    columns: dict[str, object] = {
        "time": pd.to_datetime(result.times, utc=True),
        "value": result.value,
        "hodl_value": hodl_values(result, prices),
    }
    for prefix, rows in (("weight", result.weights), ("reserve", result.reserves)):
        columns |= {f"{prefix}_{token}": rows[:, index] for index, token in enumerate(result.tokens)}
    return pd.DataFrame(columns)
