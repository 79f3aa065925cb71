"""The samples that metrics read, for the periods of a window, computed as cheaply as the metrics allow.

Quantities that no metric reads are 0, so that a compiled program whose results are samples does not compute them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from quantsim.metrics import Need, Sample
from quantsim.objective import Period
from quantsim.pools.base import Window
from quantsim.pools.market import FeeRates, Market
from quantsim.pools.run import Run
from quantsim.simulator.bar_path import BarPath, bar_path
from quantsim.simulator.plan import Plan

__all__ = ["Simulated", "bar_samples", "daily_bars", "samples"]


class Simulated(NamedTuple):
    """A simulation of a pool over one window.

    Attributes:
        run: result of the simulation.
        window: the window.
        market: market of the pool's tokens, (T_all, n).
        rates: rates in the window, () or (T,).
        benchmark: values of the benchmark at the first bar of each day in every reported period, (D,) each; None if no metric
            reads them.
    """

    run: Run
    window: Window
    market: Market
    rates: FeeRates
    benchmark: tuple[Array, ...] | None = None


def samples(plan: Plan, simulated: Simulated, periods: Sequence[Period], needs: Need) -> list[Sample]:
    """Returns the sample of each period of a simulated window.

    Args:
        plan: plan of the evaluation.
        simulated: the simulation.
        periods: parts of the window; static.
        needs: quantities that the metrics read.
    """
    run, window, market = simulated.run, simulated.window, simulated.market
    if needs & (Need.BARS | Need.REBALANCING):
        return bar_samples(plan, bar_path(run, market, window, periods), simulated, periods, needs)
    # A sample that does not need every bar reads the first bar of each day, and the last bar.
    sampled = [np.append(daily_bars(period, plan.shape.bars_per_day), period.end - 1) for period in periods]
    values, shares = run.value_at(np.concatenate(sampled)), run.shares_at(np.array([one[0] for one in sampled]))
    unread = jnp.zeros(len(periods))
    changes = run.weight_change(periods) if Need.TURNOVER in needs else unread
    revenue = run.fee_revenue(periods) if Need.FEES in needs else unread
    found = []
    for index, period in enumerate(periods):
        begin = sum(part.size for part in sampled[:index])
        own = values[begin : begin + sampled[index].size]
        hodl, uniform = _held_values(shares[index], market, window.start, period)
        found.append(
            Sample(
                start_value=own[0],
                end_value=own[-1],
                hodl_end_value=own[0] * hodl,
                uniform_hodl_end_value=own[0] * uniform,
                daily_values=own[:-1],
                bar_values=None,
                weight_change=changes[index],
                fee_revenue=revenue[index],
            )
        )
    return found


def bar_samples(
    plan: Plan, path: BarPath, simulated: Simulated, periods: Sequence[Period], needs: Need
) -> list[Sample]:
    """Returns the sample of each period, from a path at every bar."""
    run, window, market, rates = simulated.run, simulated.window, simulated.market, simulated.rates
    unread, found = jnp.zeros(len(periods)), []
    changes = run.weight_change(periods) if Need.TURNOVER in needs else unread
    revenue = path.fee_revenue if Need.FEES in needs else unread
    for index, period in enumerate(periods):
        inside = slice(period.first, period.end)
        value, reserves = path.value[inside], path.reserves[inside]
        hodl, uniform = _held_values(reserves[0] * path.prices[period.first] / value[0], market, window.start, period)
        loss = costs = None
        if Need.REBALANCING in needs:
            given = (reserves[:-1] - reserves[1:]) * path.prices[inside][1:]
            # What the pool lost against a portfolio of its reserves traded at market prices, and what that would have paid.
            loss, costs = jnp.sum(given), rates.rebalancing_cost * 0.5 * jnp.sum(jnp.abs(given))
        found.append(
            Sample.from_bars(
                value,
                plan.shape.bars_per_day,
                hodl_end_value=value[0] * hodl,
                uniform_hodl_end_value=value[0] * uniform,
                weight_change=changes[index],
                fee_revenue=revenue[index],
                rebalancing_loss=loss,
                rebalancing_costs=costs,
            )._replace(bar_values=value if Need.BARS in needs else None)
        )
    return found


def daily_bars(period: Period, bars_per_day: int) -> NDArray[np.int64]:
    """Returns the first bar of each day of a period, counted from the first bar of the window."""
    return period.first + np.arange(0, period.n_bars, bars_per_day)


def _held_values(shares: Array, market: Market, start: Array, period: Period) -> tuple[Array, Array]:
    """Returns the growth of holding the first bar's reserves, which are (n,) shares of value, and of holding equal shares."""
    growth = market.prices[start + period.end - 1] / market.prices[start + period.first]
    return jnp.sum(shares * growth), jnp.mean(growth)
