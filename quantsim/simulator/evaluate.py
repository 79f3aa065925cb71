"""The evaluator's traced core: parameters and window starts in, metrics out. Pure, differentiable, to be called under jit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from quantsim.metrics import Need, Sample, compute, needs_of
from quantsim.simulator.bar_path import BarPath, bar_path
from quantsim.simulator.closed_form import log_values_at
from quantsim.simulator.fee_run import fee_run
from quantsim.simulator.plan import Path, Plan
from quantsim.simulator.setup import FeeRates, Market, PoolSetup
from quantsim.simulator.weights import Ramps, bar_weights, chunk_ramps

__all__ = ["chunk_outputs", "evaluate_windows", "lanes", "window_path", "window_ramps"]

Params = Mapping[str, Array]


def lanes(function: Callable[[Any], Any], arguments: Any, *, sequential: bool) -> Any:
    """Maps over the leading axis of a pytree: side by side, or one after the other.

    A long sequential pass gains nothing from ``vmap`` on a CPU; on an accelerator it does.
    """
    if sequential and jax.default_backend() == "cpu":
        return jax.lax.map(function, arguments)
    return jax.vmap(function)(arguments)


def chunk_outputs(setup: PoolSetup, params: Params, market: Market, phase: Array | int) -> Array | None:
    """Rule outputs at all chunk boundaries of the data, (K, n), from history to the last bar; ``None`` for a rule without.

    Estimators are causal, so one pass serves every window whose boundaries lie at this phase.
    """
    if setup.rule.outputs is None:
        return None
    n_bars = market.prices.shape[0]
    n_boundaries = -(-n_bars // setup.chunk_bars)
    # With a phase the last boundary can lie behind the data; no window that fits reaches it.
    bars = jnp.minimum(phase + setup.chunk_bars * jnp.arange(n_boundaries), n_bars - 1)
    return setup.rule.outputs(params, market.prices[bars], setup.settings)


def window_ramps(
    setup: PoolSetup, params: Params, outputs: Array | None, start: Array, phase: Array | int, n_bars: int
) -> Ramps:
    """Weights of the window of ``n_bars`` bars from bar ``start``."""
    n_chunks = -(-n_bars // setup.chunk_bars)
    if outputs is not None:
        outputs = jax.lax.dynamic_slice_in_dim(outputs, (start - phase) // setup.chunk_bars, n_chunks)
    return chunk_ramps(outputs, jax.nn.softmax(params["initial_weights_logits"]), n_chunks, setup)


def evaluate_windows(plan: Plan, params: Params, market: Market, rates: FeeRates, starts: Array) -> dict[str, Array]:
    """Metrics of one parameter set over several windows of equal length.

    Args:
        plan: what to compute and how; static.
        params: raw name → (n,).
        market: prices, (T_all, n).
        rates: fees and costs.
        starts: (W,) index of each window's first bar; each window has to fit into the data.

    Returns:
        metric name → (W,).
    """
    shared = None if plan.phase is None else chunk_outputs(plan.setup, params, market, plan.phase)

    def one(start: Array) -> dict[str, Array]:
        phase = plan.phase if plan.phase is not None else start % plan.setup.chunk_bars
        outputs = shared if plan.phase is not None else chunk_outputs(plan.setup, params, market, phase)
        ramps = window_ramps(plan.setup, params, outputs, start, phase, plan.shape.n_bars)
        return compute(plan.metrics, _sample(plan, ramps, market, rates, start), plan.shape)

    values: dict[str, Array] = lanes(one, starts, sequential=plan.every_bar)
    return values


def window_path(
    plan: Plan, params: Params, market: Market, rates: FeeRates, start: Array
) -> tuple[BarPath, dict[str, Array]]:
    """The full path of one window, and its metrics; arguments as in :func:`evaluate_windows`."""
    phase = start % plan.setup.chunk_bars if plan.phase is None else plan.phase
    outputs = chunk_outputs(plan.setup, params, market, phase)
    ramps = window_ramps(plan.setup, params, outputs, start, phase, plan.shape.n_bars)
    path = bar_path(ramps, market, start, plan.shape.n_bars, rates, plan.setup, fees=plan.path is Path.FEES)
    return path, compute(plan.metrics, _bar_sample(plan, path, ramps, market, start), plan.shape)


def _sample(plan: Plan, ramps: Ramps, market: Market, rates: FeeRates, start: Array) -> Sample:
    n_bars, setup = plan.shape.n_bars, plan.setup
    if plan.path is Path.PER_BAR or needs_of(plan.metrics) & Need.BARS:
        path = bar_path(ramps, market, start, n_bars, rates, setup, fees=plan.path is Path.FEES)
        return _bar_sample(plan, path, ramps, market, start)
    fee_revenue = jnp.zeros(())
    bars = np.append(np.arange(0, n_bars, plan.shape.bars_per_day), n_bars - 1)
    if plan.path is Path.HOLD:
        shares = ramps.start[0] * (market.prices[start + bars] / market.prices[start])
        values = setup.initial_value * jnp.sum(shares, axis=-1)
    elif plan.path is Path.FEES:
        log_prices = jax.lax.dynamic_slice_in_dim(market.log_prices, start, n_bars)
        run = fee_run(bar_weights(ramps, n_bars, setup), log_prices, rates, setup)
        values, fee_revenue = run.value_at(bars), run.fee_revenue(rates)
    else:
        values = setup.initial_value * jnp.exp(log_values_at(ramps, market, start, bars, setup))
    hodl, uniform = _held_values(ramps, market, start, n_bars)
    return Sample(
        start_value=values[0],
        end_value=values[-1],
        hodl_end_value=setup.initial_value * hodl,
        uniform_hodl_end_value=setup.initial_value * uniform,
        daily_values=values[:-1],
        bar_values=None,
        weight_change=_weight_change(plan, ramps),
        fee_revenue=fee_revenue,
    )


def _bar_sample(plan: Plan, path: BarPath, ramps: Ramps, market: Market, start: Array) -> Sample:
    hodl, uniform = _held_values(ramps, market, start, plan.shape.n_bars)
    return Sample.from_bars(
        path.value,
        plan.shape.bars_per_day,
        hodl_end_value=path.value[0] * hodl,
        uniform_hodl_end_value=path.value[0] * uniform,
        weight_change=_weight_change(plan, ramps),
        fee_revenue=path.fee_revenue,
    )


def _held_values(ramps: Ramps, market: Market, start: Array, n_bars: int) -> tuple[Array, Array]:
    """End value per unit of start value of the initial reserves held, and of equal shares held."""
    growth = market.prices[start + n_bars - 1] / market.prices[start]
    return jnp.sum(ramps.start[0] * growth), jnp.mean(growth)


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
