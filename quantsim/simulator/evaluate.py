"""The evaluator's traced core: parameters and window starts in, metrics out. Pure, differentiable, to be called under jit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from quantsim.metrics import Need, Sample, compute, needs_of
from quantsim.simulator.bar_path import BarPath, bar_path, sequential_run
from quantsim.simulator.closed_form import log_values_at
from quantsim.simulator.composite import pool_market
from quantsim.simulator.market import FeeRates, Market
from quantsim.simulator.plan import Path, Plan
from quantsim.simulator.signals import Signals, chunk_signals, window_ramps, window_rates
from quantsim.simulator.weights import Ramps, bar_weights

__all__ = ["evaluate_windows", "lanes", "window_path"]

Params = Mapping[str, Array]


def lanes(function: Callable[[Any], Any], arguments: Any, *, sequential: bool) -> Any:
    """Maps over the leading axis of a pytree: side by side, or one after the other.

    A long sequential pass gains nothing from ``vmap`` on a CPU; on an accelerator it does.
    """
    if sequential and jax.default_backend() == "cpu":
        return jax.lax.map(function, arguments)
    return jax.vmap(function)(arguments)


def evaluate_windows(plan: Plan, params: Params, market: Market, rates: FeeRates, starts: Array) -> dict[str, Array]:
    """Metrics of one parameter set over several windows of equal length.

    Args:
        plan: what to compute and how; static.
        params: raw name → (m,).
        market: of the tokens of the data, (T_all, n_data).
        rates: fees and costs.
        starts: (W,) index of each window's first bar; each window has to fit into the data.

    Returns:
        metric name → (W,).
    """
    setup, market = plan.setup, pool_market(plan.setup, params, market)
    shared = None if plan.phase is None else chunk_signals(setup, params, market, plan.phase)

    def one(start: Array) -> dict[str, Array]:
        window = _window(plan, params, market, rates, start, shared)
        return compute(plan.metrics, _sample(plan, window, market), plan.shape)

    values: dict[str, Array] = lanes(one, starts, sequential=plan.every_bar)
    return values


def window_path(
    plan: Plan, params: Params, market: Market, rates: FeeRates, start: Array
) -> tuple[BarPath, dict[str, Array]]:
    """The full path of one window, and its metrics; arguments as in :func:`evaluate_windows`."""
    market = pool_market(plan.setup, params, market)
    window = _window(plan, params, market, rates, start)
    path = _bar_path(plan, window, market)
    return path, compute(plan.metrics, _bar_sample(plan, path, window, market), plan.shape)


class _Window(NamedTuple):
    """One window's decisions: its first bar, weights, and costs."""

    start: Array
    ramps: Ramps
    rates: FeeRates


def _window(
    plan: Plan, params: Params, market: Market, rates: FeeRates, start: Array, signals: Signals | None = None
) -> _Window:
    setup, n_bars = plan.setup, plan.shape.n_bars
    phase = start % setup.chunk_bars if plan.phase is None else plan.phase
    if signals is None:
        signals = chunk_signals(setup, params, market, phase)
    ramps = window_ramps(setup, params, signals, start, phase, n_bars)
    return _Window(start, ramps, window_rates(setup, params, signals, rates, start, phase, n_bars))


def _bar_path(plan: Plan, window: _Window, market: Market) -> BarPath:
    start, ramps, rates = window
    return bar_path(ramps, market, start, plan.shape.n_bars, rates, plan.setup, fees=plan.path is Path.FEES)


def _sample(plan: Plan, window: _Window, market: Market) -> Sample:
    n_bars, setup = plan.shape.n_bars, plan.setup
    if plan.path is Path.PER_BAR or needs_of(plan.metrics) & (Need.BARS | Need.REBALANCING):
        return _bar_sample(plan, _bar_path(plan, window, market), window, market)
    start, ramps, rates = window
    fee_revenue, shares = jnp.zeros(()), ramps.start[0]
    bars = np.append(np.arange(0, n_bars, plan.shape.bars_per_day), n_bars - 1)
    if plan.path is Path.HOLD:
        values = setup.initial_value * jnp.sum(shares * (market.prices[start + bars] / market.prices[start]), axis=-1)
    elif plan.path is Path.FEES:
        run = sequential_run(bar_weights(ramps, n_bars, setup), market, start, rates, setup)
        held, fee_revenue = run.at(bars), run.fee_revenue(rates)
        values = jnp.sum(held, axis=-1)
        shares = held[0] / values[0]
    else:
        values = setup.initial_value * jnp.exp(log_values_at(ramps, market, start, bars, setup))
    hodl, uniform = _held_values(shares, market, start, n_bars)
    return Sample(
        start_value=values[0],
        end_value=values[-1],
        hodl_end_value=values[0] * hodl,
        uniform_hodl_end_value=values[0] * uniform,
        daily_values=values[:-1],
        bar_values=None,
        weight_change=_weight_change(plan, ramps),
        fee_revenue=fee_revenue,
    )


def _bar_sample(plan: Plan, path: BarPath, window: _Window, market: Market) -> Sample:
    shares = path.reserves[0] * path.prices[0] / path.value[0]
    hodl, uniform = _held_values(shares, market, window.start, plan.shape.n_bars)
    loss = costs = None
    if Need.REBALANCING in needs_of(plan.metrics):
        loss, costs = _rebalancing(path, window.rates)
    return Sample.from_bars(
        path.value,
        plan.shape.bars_per_day,
        hodl_end_value=path.value[0] * hodl,
        uniform_hodl_end_value=path.value[0] * uniform,
        weight_change=_weight_change(plan, window.ramps),
        fee_revenue=path.fee_revenue,
        rebalancing_loss=loss,
        rebalancing_costs=costs,
    )


def _rebalancing(path: BarPath, rates: FeeRates) -> tuple[Array, Array]:
    """What the pool lost against a portfolio of its reserves traded at market prices, and what that would have paid."""
    given = (path.reserves[:-1] - path.reserves[1:]) * path.prices[1:]
    return jnp.sum(given), rates.rebalancing_cost * 0.5 * jnp.sum(jnp.abs(given))


def _held_values(shares: Array, market: Market, start: Array, n_bars: int) -> tuple[Array, Array]:
    """End value per unit of start value of the first bar's reserves held, (n,) shares of value, and of equal shares held."""
    growth = market.prices[start + n_bars - 1] / market.prices[start]
    return jnp.sum(shares * growth), jnp.mean(growth)


def _weight_change(plan: Plan, ramps: Ramps) -> Array:
    """``½ Σ_t Σ_i |w[t,i] - w[t-1,i]|`` over the window; zero for a pool that does not trade."""
    setup, n_bars = plan.setup, plan.shape.n_bars
    if setup.holds or not setup.moves:
        return jnp.zeros(())
    if setup.optimal_ramp:
        return 0.5 * jnp.sum(jnp.abs(jnp.diff(bar_weights(ramps, n_bars, setup), axis=0)))
    first = np.arange(ramps.start.shape[0]) * setup.chunk_bars
    ramped = np.clip(n_bars - 1 - first, 0, setup.ramp_bars).astype(np.float64)
    return 0.5 * jnp.sum(jnp.sum(jnp.abs(ramps.step), axis=-1) * ramped)
