r"""Reserves of a pool that trades in batches, the function-maximising AMM of arXiv:2307.02074: one sequential pass.

All trade of a bar clears in one batch, at the price that the pool quotes after it. Of two tokens, let ``o`` be the one that
goes out and ``i`` the one that comes in. With the depths ``D_o = w_i R_o p_o`` and ``D_i = w_o R_i p_i``, values in the quote
currency, a batch of growth ``x`` pays out ``D_o x/(1+x)`` and brings in ``D_i x``, both at market prices, before the fee:

    R_o ← R_o (1 - w_i x/(1+x)),    R_i ← R_i (1 + c w_o x),    c = (1 - (1-γ) f)/γ.

An arbitrageur who pays the fee ``1-γ`` and costs ``a``, half on each leg, earns ``(1 - a/2) D_o ( x/(1+x) - x/E )`` with
``E = D_o/D_i · γ (1 - a/2)/(1 + a/2)``, which is above 1 outside the no-trade band. So

* under perfect competition nothing is left to earn: ``x = E - 1``, and with a gas cost ``G`` the larger root of
  ``x (E - 1 - x) = κ (1 + x)``, ``κ = G E/((1 - a/2) D_o)``;
* a lone arbitrageur earns most at ``x = √E - 1``, half of the trade with a constant-product pool to first order, and with
  equal weights exactly half; with a gas cost only where that is earned.

Reserves are carried as they are, not as logarithms: a bar then takes four operations and a square root at most, and each
adds a relative rounding of one unit in the last place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from quantsim.objective import Period
from quantsim.pools.market import FeeRates, at_bars
from quantsim.pools.weighted.arbitrage import kept_fee, per_event, pool_gain

if TYPE_CHECKING:
    from quantsim.simulator.setup import PoolSetup

__all__ = ["BatchRun", "Costs", "batch", "batch_run", "costs_of"]


class BatchRun(NamedTuple):
    """Reserves at the bars that are visited, and what can be read off them.

    Attributes:
        reserves: (ceil(T/k), 2) tokens.
        volume: (ceil(T/k),) what arbitrageurs bring in, before the fee is added, in the quote currency.
        prices: (T, 2).
        arb_frequency: bars between visits, ``k``.
    """

    reserves: Array
    volume: Array
    prices: Array
    arb_frequency: int

    def at(self, bars: NDArray[np.int64]) -> Array:
        """Value of each token's reserves at chosen bars, (S, 2), in the quote currency; held between visits."""
        return self.reserves[bars // self.arb_frequency] * self.prices[bars]

    def value_at(self, bars: NDArray[np.int64]) -> Array:
        """Pool value at chosen bars, (S,), in the quote currency."""
        return jnp.sum(self.at(bars), axis=-1)

    def fee_revenue(self, rates: FeeRates, periods: Sequence[Period]) -> Array:
        """Fees that stay in the pool in each period, of arbitrage trades and of the noise traders that follow them; (P,)."""
        rates = at_bars(rates, slice(None, None, self.arb_frequency))
        earned = kept_fee(rates) * self.volume * (1.0 + rates.noise_trader_ratio)
        earned = earned.at[1].add(earned[0])  # there is a batch at the window's first bar in the published variant only
        return jnp.stack([jnp.sum(earned[period.visits(self.arb_frequency)]) for period in periods])


class Costs(NamedTuple):
    """What a batch needs of the rates, worked out ahead of the pass; each () or (...,).

    Attributes:
        edge: ``γ (1 - a/2)/(1 + a/2)``.
        gain: what the pool receives per effective unit of input, ``c``.
        leg: what the arbitrageur keeps of what goes out, ``1 - a/2``.
        gas: ``G``, in the quote currency.
        noise: fees of the noise traders per effective unit of input, ``ρ (1-γ)(1-f)/γ``.
    """

    edge: Array
    gain: Array
    leg: Array
    gas: Array
    noise: Array


def costs_of(rates: FeeRates) -> Costs:
    """The costs of batches, of the rates' shapes."""
    leg = 1.0 - 0.5 * rates.arb_fee
    edge = (1.0 - rates.swap_fee) * leg / (1.0 + 0.5 * rates.arb_fee)
    return Costs(edge, pool_gain(rates), leg, rates.gas_cost, rates.noise_trader_ratio * kept_fee(rates))


def batch_run(weights: Array, prices: Array, rates: FeeRates, setup: PoolSetup) -> BatchRun:
    """Runs a pool over a window; JAX differentiates it.

    With an ``arb_quality`` of ``q`` the pool is the share ``q`` of a pool under perfect competition, and ``1-q`` of one with a
    lone arbitrageur; both start alike, and nothing moves between them.

    Args:
        weights: (2,).
        prices: (T, 2).
        rates: fees and costs, () or (T,).
        setup: of the pool.
    """
    visited = slice(None, None, setup.arb_frequency)
    initial = setup.initial_value * weights / prices[0]
    costs = costs_of(at_bars(rates, visited))
    quality = setup.arb_quality
    parts = [(share, lone) for share, lone in ((quality, False), (1.0 - quality, True)) if share > 0.0]
    runs = [_run(initial, weights, prices[visited], costs, setup, lone=lone) for _, lone in parts]
    reserves, volume = (
        sum(share * of for (share, _), of in zip(parts, ofs, strict=True)) for ofs in zip(*runs, strict=True)
    )
    return BatchRun(jnp.asarray(reserves), jnp.asarray(volume), prices, setup.arb_frequency)


def _run(
    initial: Array, weights: Array, prices: Array, costs: Costs, setup: PoolSetup, *, lone: bool
) -> tuple[Array, Array]:
    """Reserves after the batch of every bar, (T, 2), and what it brought in, (T,). The first bar is the start."""

    def step(reserves: Array, bar: tuple[Array, list[Array | None]]) -> tuple[Array, tuple[Array, Array]]:
        price, varying = bar
        now = Costs(*(cost if of_bar is None else of_bar for cost, of_bar in zip(costs, varying, strict=True)))
        after, volume = batch(reserves, price, weights, now, setup, lone=lone)
        return after, (after, volume)

    # A pool that has just been filled is at market price. Only the published trades inside the band begin at once.
    first = 0 if setup.published_band_trades else 1
    varying = [cost[first:] if cost.ndim else None for cost in costs]
    reserves, volume = jax.lax.scan(step, initial, (prices[first:], varying))[1]
    if first:
        reserves = jnp.concatenate([initial[None], reserves])
        volume = jnp.concatenate([jnp.zeros(1), volume])
    return reserves, volume


# Reserves at market price have equal depths but for rounding; then the first token counts as the one that comes in.
_ROUNDING = 1e-14


def batch(
    reserves: Array, prices: Array, weights: Array, costs: Costs, setup: PoolSetup, *, lone: bool
) -> tuple[Array, Array]:
    """One batch, and the noise traders that follow it.

    Args:
        reserves: (..., 2) tokens.
        prices: (..., 2).
        weights: (2,).
        costs: each () or (...,).
        setup: of the pool.
        lone: whether there is one arbitrageur; perfect competition otherwise.

    Returns:
        Reserves, (..., 2), and what arbitrageurs brought in before the fee was added, in the quote currency, (...,).
    """
    other = weights[::-1]
    depth = other * reserves * prices
    first_leaves = depth[..., 0] > (1.0 + _ROUNDING) * depth[..., 1]
    out = jnp.where(first_leaves, depth[..., 0], depth[..., 1])
    entering = jnp.where(first_leaves, depth[..., 1], depth[..., 0])
    excess = (out * costs.edge - entering) / entering  # E - 1
    growth = _growth(excess, out, costs, setup, lone=lone)
    leaving = jnp.stack([first_leaves, ~first_leaves], axis=-1)
    fall, rise = -growth / (1.0 + growth), costs.gain * growth
    after = reserves * (1.0 + other * jnp.where(leaving, per_event(fall), per_event(rise)))
    volume = entering * growth
    if setup.has_noise:
        after = after * per_event(1.0 + costs.noise * volume / jnp.sum(after * prices, axis=-1))
    return after, volume


def _growth(excess: Array, out: Array, costs: Costs, setup: PoolSetup, *, lone: bool) -> Array:
    """The growth ``x`` of a batch, zero without a trade; of the shape of ``excess``, ``E - 1``."""
    if lone:
        root = jnp.sqrt(1.0 + excess)
        growth = excess / (1.0 + root)
        trades = jnp.asarray(True) if setup.published_band_trades else excess > 0.0
        if setup.has_gas:
            trades &= costs.leg * out * jnp.square(growth / root) >= costs.gas
        return jnp.where(trades, growth, 0.0)
    if not setup.has_gas:
        return jnp.maximum(excess, 0.0)
    kappa = costs.gas * (1.0 + excess) / (costs.leg * out)
    square = jnp.square(excess - kappa) - 4.0 * kappa
    trades = (excess > kappa) & (square >= 0.0)
    # The root's derivative is infinite where the gas is only just earned, and the other branch must not be nan.
    root = jnp.sqrt(jnp.where(trades & (square > 0.0), square, 1.0)) * jnp.where(square > 0.0, 1.0, 0.0)
    return jnp.where(trades, 0.5 * (excess - kappa + root), 0.0)
