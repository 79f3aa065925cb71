"""The full path of a pool over one window, at every bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jax import Array

from quantsim.objective import Period
from quantsim.pools.base import Run, Window
from quantsim.pools.market import Market
from quantsim.pools.weighted.exogenous_swaps import Fills

__all__ = ["BarPath", "bar_path"]


class BarPath(NamedTuple):
    """What a pool did, bar by bar. Parts that nobody uses are dropped when the caller is compiled.

    Attributes:
        value: (T,) pool value, in the quote currency.
        reserves: (T, n) tokens in the pool.
        weights: (T, n); for a pool without weights of its own, shares of value.
        prices: (T, n) of what the pool holds, in the quote currency.
        fee_revenue: (P,) fees kept by the pool in each period, in the quote currency.
        fills: what became of exogenous swaps, (N,); None where there are none.
    """

    value: Array
    reserves: Array
    weights: Array
    prices: Array
    fee_revenue: Array
    fills: Fills | None = None


def bar_path(run: Run, market: Market, window: Window, periods: Sequence[Period]) -> BarPath:
    """Reads a run off at every bar of its window, and its fee revenue by period; the market is of the pool's tokens."""
    every = np.arange(window.n_bars)
    return BarPath(
        run.value_at(every),
        run.reserves_at(every),
        run.weights_at(every),
        window.cut(market.prices),
        run.fee_revenue(periods),
        run.fills(),
    )
