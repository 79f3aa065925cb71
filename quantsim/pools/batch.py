r"""Reserves of a pool that trades in batches, the function-maximising AMM of arXiv:2307.02074, in one sequential pass.

All trades of a bar clear in one batch, at the price that the pool quotes after it. Of two tokens, let ``o`` be the one that
goes out and ``i`` the one that comes in. With the depths ``D_o = w_i R_o p_o`` and ``D_i = w_o R_i p_i``, values in the quote
currency, a batch of growth ``x`` pays out ``D_o x/(1+x)`` and brings in ``D_i x``, both at market prices, before the fee:

    R_o ← R_o (1 - w_i x/(1+x)),    R_i ← R_i (1 + c w_o x),    c = (1 - (1-γ) f)/γ.

An arbitrageur who pays the fee ``1-γ`` and costs ``a``, half on each leg, earns ``(1 - a/2) D_o ( x/(1+x) - x/E )`` with
``E = D_o/D_i · γ (1 - a/2)/(1 + a/2)``, which is above 1 outside the no-trade band. So

* under perfect competition profit is zero: ``x = E - 1``; with a gas cost ``G``, ``x`` is the larger root of
  ``x (E - 1 - x) = κ (1 + x)``, ``κ = G E/((1 - a/2) D_o)``;
* a monopolist arbitrageur earns most at ``x = √E - 1``: half of the trade with a constant-product pool, to first order,
  and exactly half with equal weights. With a gas cost, there is a trade only if it earns at least this cost.

The pass carries reserves, not their logarithms: a bar then takes at most four operations and a square root, and each has a
relative rounding error of one unit in the last place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple, cast

from pydantic import Field

from quantsim.lazy_jax import Array, jax, jnp
from quantsim.pools.base import ALL_COSTS, Params, Path, Pool, PoolSetup, Window
from quantsim.pools.market import FeeRates, Market, at_bars, kept_fee, per_event, pool_gain
from quantsim.pools.run import ReserveRun, Run
from quantsim.pools.settings import PoolView
from quantsim.pools.steered.steering import ConstantSettings, check_constant, initial_weights, steered_parameters
from quantsim.rules import RuleSettings

__all__ = ["POOL", "BatchSettings", "Batches", "Costs", "batch", "costs_of"]


class BatchSettings(ConstantSettings):
    """Settings of a pool that trades in batches, between two tokens with constant weights.

    ``arb_quality`` is 1 for perfect competition, 0 for a monopolist arbitrageur.

    With ``published_band_trades`` the monopolist arbitrageur also trades inside the no-trade band, where the pool pays the
    fee, as in quantammsim. Only use it to reproduce results of quantammsim.
    """

    arb_quality: Annotated[float, Field(ge=0.0, le=1.0)] = 1.0
    """1 for perfect competition of arbitrageurs in a batch, 0 for a monopolist."""
    published_band_trades: bool = False
    """Whether a monopolist also trades inside the no-trade band; only to reproduce published figures."""


@dataclass(frozen=True)
class Batches:
    """The static properties of a pool that trades in batches.

    Attributes:
        arb_quality: 1 for perfect competition, 0 for a monopolist arbitrageur.
        published_band_trades: whether a monopolist also trades inside the no-trade band, as in quantammsim.
    """

    arb_quality: float
    published_band_trades: bool


class Costs(NamedTuple):
    """Quantities that a batch computes from the rates, before the pass; each () or (...,).

    Attributes:
        edge: ``γ (1 - a/2)/(1 + a/2)``.
        gain: amount that the pool receives per effective unit of input, ``c``.
        leg: share of the outgoing value that the arbitrageur keeps, ``1 - a/2``.
        gas: fixed cost ``G``, in the quote currency.
        noise: fees of the noise traders per effective unit of input, ``ρ (1-γ)(1-f)/γ``.
    """

    edge: Array
    gain: Array
    leg: Array
    gas: Array
    noise: Array


def costs_of(rates: FeeRates) -> Costs:
    """Returns the costs of batches, with the shapes of the rates."""
    leg = 1.0 - 0.5 * rates.arb_fee
    edge = (1.0 - rates.swap_fee) * leg / (1.0 + 0.5 * rates.arb_fee)
    return Costs(edge, pool_gain(rates), leg, rates.gas_cost, rates.noise_trader_ratio * kept_fee(rates))


def run(setup: PoolSetup[Batches], params: Params, market: Market, rates: FeeRates, window: Window) -> Run:
    """Runs a pool over a window; JAX differentiates it.

    With ``arb_quality = q``, the result is ``q`` times that of a pool under perfect competition plus ``1-q`` times that of one
    with a monopolist arbitrageur; both start with equal reserves.
    """
    weights, prices = initial_weights(params), window.cut(market.prices)
    initial = setup.initial_value * weights / prices[0]
    if window.path is Path.HOLD:
        return ReserveRun(initial[None], prices, stride=window.n_bars, weights=weights)
    visited = slice(None, None, setup.arb_frequency)
    rates, quality = at_bars(rates, visited), setup.own.arb_quality
    costs = costs_of(rates)
    parts = [(share, monopolist) for share, monopolist in ((quality, False), (1.0 - quality, True)) if share > 0.0]
    runs = [_run(initial, weights, prices[visited], costs, setup, monopolist=monopolist) for _, monopolist in parts]
    reserves, volume = (
        sum(share * of for (share, _), of in zip(parts, ofs, strict=True)) for ofs in zip(*runs, strict=True)
    )
    earned = kept_fee(rates) * volume * (1.0 + rates.noise_trader_ratio)
    earned = earned.at[1].add(earned[0])  # there is a batch at the window's first bar in the published variant only
    return ReserveRun(jnp.asarray(reserves), prices, setup.arb_frequency, weights=weights, earned=earned)


def _run(
    initial: Array, weights: Array, prices: Array, costs: Costs, setup: PoolSetup[Batches], *, monopolist: bool
) -> tuple[Array, Array]:
    """Returns reserves after the batch of every bar, (T, 2), and its input, (T,). The first bar is the start."""

    def step(reserves: Array, bar: tuple[Array, list[Array | None]]) -> tuple[Array, tuple[Array, Array]]:
        price, varying = bar
        now = Costs(*(cost if of_bar is None else of_bar for cost, of_bar in zip(costs, varying, strict=True)))
        after, volume = batch(reserves, price, weights, now, setup, monopolist=monopolist)
        return after, (after, volume)

    # A pool that has just been filled is at market price. Only the published trades inside the band begin at once.
    first = 0 if setup.own.published_band_trades else 1
    varying = [cost[first:] if cost.ndim else None for cost in costs]
    reserves, volume = jax.lax.scan(step, initial, (prices[first:], varying))[1]
    if first:
        reserves = jnp.concatenate([initial[None], reserves])
        volume = jnp.concatenate([jnp.zeros(1), volume])
    return reserves, volume


# Reserves at market price have equal depths but for rounding; then the first token counts as the one that comes in.
_ROUNDING = 1e-14


def batch(
    reserves: Array, prices: Array, weights: Array, costs: Costs, setup: PoolSetup[Batches], *, monopolist: bool
) -> tuple[Array, Array]:
    """Computes one batch, and the noise trades that follow it.

    Args:
        reserves: (..., 2) token amounts.
        prices: (..., 2) prices.
        weights: (2,) weights.
        costs: costs, each () or (...,).
        setup: setup of the pool.
        monopolist: whether there is only one arbitrageur; otherwise perfect competition.

    Returns:
        Reserves, (..., 2), and the arbitrageurs' input before the fee, in the quote currency, (...,).
    """
    other = weights[::-1]
    depth = other * reserves * prices
    first_leaves = depth[..., 0] > (1.0 + _ROUNDING) * depth[..., 1]
    out = jnp.where(first_leaves, depth[..., 0], depth[..., 1])
    entering = jnp.where(first_leaves, depth[..., 1], depth[..., 0])
    excess = (out * costs.edge - entering) / entering  # E - 1
    growth = _growth(excess, out, costs, setup, monopolist=monopolist)
    leaving = jnp.stack([first_leaves, ~first_leaves], axis=-1)
    fall, rise = -growth / (1.0 + growth), costs.gain * growth
    after = reserves * (1.0 + other * jnp.where(leaving, per_event(fall), per_event(rise)))
    volume = entering * growth
    if setup.costs.has_noise:
        after = after * per_event(1.0 + costs.noise * volume / jnp.sum(after * prices, axis=-1))
    return after, volume


def _growth(excess: Array, out: Array, costs: Costs, setup: PoolSetup[Batches], *, monopolist: bool) -> Array:
    """Returns the growth ``x`` of a batch, with the shape of ``excess``, ``E - 1``; zero without a trade."""
    if monopolist:
        root = jnp.sqrt(1.0 + excess)
        growth = excess / (1.0 + root)
        trades = jnp.asarray(True) if setup.own.published_band_trades else excess > 0.0
        if setup.costs.has_gas:
            trades &= costs.leg * out * jnp.square(growth / root) >= costs.gas
        return jnp.where(trades, growth, 0.0)
    if not setup.costs.has_gas:
        return jnp.maximum(excess, 0.0)
    kappa = costs.gas * (1.0 + excess) / (costs.leg * out)
    square = jnp.square(excess - kappa) - 4.0 * kappa
    trades = (excess > kappa) & (square >= 0.0)
    # The root's derivative is infinite where the gas is only just earned, and the other branch must not be nan.
    root = jnp.sqrt(jnp.where(trades & (square > 0.0), square, 1.0)) * jnp.where(square > 0.0, 1.0, 0.0)
    return jnp.where(trades, 0.5 * (excess - kappa + root), 0.0)


def _static(view: PoolView, _: int, __: RuleSettings) -> Batches:
    settings = cast(BatchSettings, view.pool)
    return Batches(settings.arb_quality, settings.published_band_trades)


def paths(setup: PoolSetup[Batches], *, every_bar: bool) -> dict[Path, str | None]:
    """Returns the paths, cheapest first, each with the reason why it does not support this setup, or None."""
    holds, vectorised = not setup.do_arb, "trade in batches needs path = 'fees'"
    return {
        Path.HOLD: None if holds else "the pool trades",
        Path.CLOSED_FORM: vectorised,
        Path.PER_BAR: vectorised,
        Path.FEES: "the pool never trades" if holds else None,
    }


POOL = Pool(
    name="batch",
    description="two tokens of constant weights, traded in batches at one price (FM-AMM)",
    run=run,
    settings=BatchSettings,
    layout=steered_parameters,
    paths=paths,
    static=_static,
    check=check_constant,
    fixed_curve={},
    charges=ALL_COSTS,
    n_tokens=2,
    follows_schedule=True,
    export_remark=None,
)
