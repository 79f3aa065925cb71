"""The full path of a pool over one window, at every bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jax import Array

from quantsim.objective import Period
from quantsim.pools.base import Window
from quantsim.pools.exogenous_swaps import Fills
from quantsim.pools.market import Market
from quantsim.pools.run import Run

__all__ = ["BarPath", "bar_path"]


class BarPath(NamedTuple):
    """The state of a pool at every bar. The compiler drops unused parts.

    Attributes:
        value: (T,) pool value, in the quote currency.
        reserves: (T, n) token amounts in the pool.
        weights: (T, n) weights; shares of value for a pool without its own weights.
        prices: (T, n) prices of the pool's assets, in the quote currency.
        fee_revenue: (P,) fees that stay in the pool in each period, in the quote currency.
        fills: results of exogenous swaps, (N,); None if there are none.
        fees: (T,) fees that stay in the pool at each bar, in the quote currency; None if the pool does not say.
        noise: (T,) part of the fees that noise traders of elastic volume pay; None without elastic volume.
        swap_fee: swap fee, () or (T,).
        state: what else describes the pool: name → (T,), or (T, n) for a series of each token; None for nothing.
    """

    value: Array
    reserves: Array
    weights: Array
    prices: Array
    fee_revenue: Array
    fills: Fills | None = None
    fees: Array | None = None
    noise: Array | None = None
    swap_fee: Array | None = None
    state: dict[str, Array] | None = None


def bar_path(
    run: Run, market: Market, window: Window, periods: Sequence[Period], swap_fee: Array | None = None
) -> BarPath:
    """Returns the path of a run at every bar of its window; ``market`` is the market of the pool's tokens."""
    every = np.arange(window.n_bars)
    return BarPath(
        run.value_at(every),
        run.reserves_at(every),
        run.weights_at(every),
        window.cut(market.prices),
        run.fee_revenue(periods),
        run.fills(),
        run.fees_by_bar(window.n_bars),
        run.noise_by_bar(window.n_bars),
        swap_fee,
        run.state_at(every),
    )
