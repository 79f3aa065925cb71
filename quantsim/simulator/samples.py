"""What metrics look at, for the periods of a window: each path read off as cheaply as the metrics allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from quantsim.metrics import Need, Sample, SampleShape, compute
from quantsim.objective import Period
from quantsim.pools.market import FeeRates, Market
from quantsim.pools.weighted.closed_form import log_values_at
from quantsim.pools.weighted.interpolation import bar_weights
from quantsim.pools.weighted.weights import Ramps
from quantsim.simulator.bar_path import BarPath, bar_path, sequential_run
from quantsim.simulator.plan import Path, Plan

__all__ = ["Window", "bar_samples", "metrics_of", "samples", "window_bar_path"]


class Window(NamedTuple):
    """One window's decisions.

    Attributes:
        start: () its first bar.
        ramps: its weights, (M, n).
        rates: its costs, () or (T,).
    """

    start: Array
    ramps: Ramps
    rates: FeeRates


def metrics_of(
    names: Sequence[str], found: Sequence[Sample], periods: Sequence[Period], plan: Plan
) -> dict[str, Array]:
    """Metrics of periods, name → (P,). Periods of one length are computed side by side."""
    columns: dict[str, list[Array]] = {name: [jnp.zeros(())] * len(periods) for name in names}
    for n_bars in dict.fromkeys(period.n_bars for period in periods):
        members = [index for index, period in enumerate(periods) if period.n_bars == n_bars]
        shape = SampleShape(n_bars, plan.shape.bars_per_day)
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(found[index] for index in members))
        values = jax.vmap(lambda sample, shape=shape: compute(names, sample, shape))(stacked)
        for name in names:
            for place, index in enumerate(members):
                columns[name][index] = values[name][place]
    return {name: jnp.stack(column) for name, column in columns.items()}


def samples(plan: Plan, window: Window, market: Market, periods: Sequence[Period], needs: Need) -> list[Sample]:
    """The sample of each period of one simulation of the window.

    Args:
        plan: how to compute.
        window: the decisions.
        market: of the pool's tokens.
        periods: parts of the window; static.
        needs: what the metrics read.
    """
    if plan.path is Path.PER_BAR or needs & (Need.BARS | Need.REBALANCING):
        return bar_samples(plan, window_bar_path(plan, window, market, periods), window, market, periods, needs)
    setup, (start, ramps, rates) = plan.setup, window
    sampled = [_sample_bars(period, plan) for period in periods]
    bars = np.concatenate(sampled)
    revenue, held = jnp.zeros(len(periods)), None
    if plan.path is Path.HOLD:
        growth = market.prices[start + bars] / market.prices[start]
        held = setup.initial_value * ramps.start[0] * growth
    elif plan.path is Path.FEES:
        run = sequential_run(bar_weights(ramps, plan.shape.n_bars, setup), market, start, rates, setup)
        held, revenue = run.at(bars), run.fee_revenue(rates, periods)
    if held is None:
        values = setup.initial_value * jnp.exp(log_values_at(ramps, market, start, bars, setup))
    else:
        values = jnp.sum(held, axis=-1)
    found = []
    for index, period in enumerate(periods):
        begin = sum(part.size for part in sampled[:index])
        own = values[begin : begin + sampled[index].size]
        shares = _weights_at(ramps, period.first, plan) if held is None else held[begin] / own[0]
        hodl, uniform = _held_values(shares, market, start, period)
        found.append(
            Sample(
                start_value=own[0],
                end_value=own[-1],
                hodl_end_value=own[0] * hodl,
                uniform_hodl_end_value=own[0] * uniform,
                daily_values=own[:-1],
                bar_values=None,
                weight_change=_weight_change(plan, ramps, period),
                fee_revenue=revenue[index],
            )
        )
    return found


def window_bar_path(plan: Plan, window: Window, market: Market, periods: Sequence[Period]) -> BarPath:
    """The path of a window at every bar; its fee revenue by period."""
    start, ramps, rates = window
    fees = plan.path is Path.FEES
    return bar_path(ramps, market, start, plan.shape.n_bars, rates, plan.setup, fees=fees, periods=periods)


def bar_samples(
    plan: Plan, path: BarPath, window: Window, market: Market, periods: Sequence[Period], needs: Need
) -> list[Sample]:
    """The sample of each period of a path known at every bar."""
    found = []
    for index, period in enumerate(periods):
        inside = slice(period.first, period.end)
        value, reserves = path.value[inside], path.reserves[inside]
        hodl, uniform = _held_values(reserves[0] * path.prices[period.first] / value[0], market, window.start, period)
        loss = costs = None
        if Need.REBALANCING in needs:
            given = (reserves[:-1] - reserves[1:]) * path.prices[inside][1:]
            # What the pool lost against a portfolio of its reserves traded at market prices, and what that would have paid.
            loss, costs = jnp.sum(given), window.rates.rebalancing_cost * 0.5 * jnp.sum(jnp.abs(given))
        found.append(
            Sample.from_bars(
                value,
                plan.shape.bars_per_day,
                hodl_end_value=value[0] * hodl,
                uniform_hodl_end_value=value[0] * uniform,
                weight_change=_weight_change(plan, window.ramps, period),
                fee_revenue=path.fee_revenue[index],
                rebalancing_loss=loss,
                rebalancing_costs=costs,
            )
        )
    return found


def _sample_bars(period: Period, plan: Plan) -> np.ndarray:
    """The bars a sample without every bar needs: the first of each day, and the last."""
    return period.first + np.append(np.arange(0, period.n_bars, plan.shape.bars_per_day), period.n_bars - 1)


def _weights_at(ramps: Ramps, bar: int, plan: Plan) -> Array:
    """Weights at a bar of a linear ramp, (n,)."""
    chunk, inside = divmod(bar, plan.setup.chunk_bars)
    return ramps.start[chunk] + min(inside, plan.setup.ramp_bars) * ramps.step[chunk]


def _held_values(shares: Array, market: Market, start: Array, period: Period) -> tuple[Array, Array]:
    """End value per unit of start value of the first bar's reserves held, (n,) shares of value, and of equal shares held."""
    growth = market.prices[start + period.end - 1] / market.prices[start + period.first]
    return jnp.sum(shares * growth), jnp.mean(growth)


def _weight_change(plan: Plan, ramps: Ramps, period: Period) -> Array:
    """``½ Σ_t Σ_i |w[t,i] - w[t-1,i]|`` over the period; zero for a pool that does not trade."""
    setup = plan.setup
    if setup.holds or not setup.moves:
        return jnp.zeros(())
    if setup.interpolation != "linear":
        weights = bar_weights(ramps, plan.shape.n_bars, setup)[period.first : period.end]
        return 0.5 * jnp.sum(jnp.abs(jnp.diff(weights, axis=0)))
    first = np.arange(ramps.start.shape[0]) * setup.chunk_bars
    before, by_then = (np.clip(bar - first, 0, setup.ramp_bars) for bar in (period.first, period.end - 1))
    return 0.5 * jnp.sum(jnp.sum(jnp.abs(ramps.step), axis=-1) * (by_then - before).astype(np.float64))
