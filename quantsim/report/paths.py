"""The path of a pool as a table, next to the value of holding its initial reserves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    from quantsim.simulator import Result

__all__ = ["hodl_values", "path_frame"]


def hodl_values(result: Result) -> NDArray[np.float64]:
    """``Σ_i R[0,i] p[t,i]``, (T,): the value of holding the first bar's reserves."""
    held: NDArray[np.float64] = result.prices @ result.reserves[0]
    return held


def path_frame(result: Result) -> pd.DataFrame:
    """Returns a row per bar: ``time`` (UTC), ``value``, ``hodl_value`` (USD), ``weight_*`` (shares), ``reserve_*`` (tokens).

    With joins and exits, ``supply`` and ``pool_value``: shares, and the value of all of them; all else is of one share.
    The state of a pool of this type follows, see :attr:`quantsim.Result.state`: ``centeredness``, ``virtual_*``, ….
    """
    import pandas as pd

    columns: dict[str, object] = {
        "time": pd.to_datetime(result.times, utc=True),
        "value": result.value,
        "hodl_value": hodl_values(result),
    }
    if result.supply is not None:
        columns |= {"supply": result.supply, "pool_value": result.pool_value}
    for name, rows in {"weight": result.weights, "reserve": result.reserves, **result.state}.items():
        by_token = {f"{name}_{token}": rows[:, index] for index, token in enumerate(result.tokens) if rows.ndim > 1}
        columns |= by_token or {name: rows}
    return pd.DataFrame(columns)
