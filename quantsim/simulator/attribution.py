"""Attribution of a pool's profit and loss to price moves, fees, noise trades, exogenous swaps, arbitrage and gas.

Between two bars the reserves are held, and at a bar they are traded, so for every bar

    V[t] - V[t-1] = R[t-1]·(p[t] - p[t-1]) + (R[t] - R[t-1])·p[t].

The first term splits into the result of the initial reserves ``R[0]`` and that of what was traded since. The second one is
the result of the bar's trades at market prices, whose sum is the metric ``lvr`` times the initial value (loss versus
rebalancing, Milionis et al., arXiv:2208.06046, with the opposite sign, fees included). It splits into the fees that stay in
the pool, the result of exogenous swaps before fees, and the rest: what arbitrageurs take before fees, of which a part pays
their gas. docs/mathematics.md has the formulas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantsim.array_types import FloatArray

if TYPE_CHECKING:
    from quantsim.simulator.result import Result

__all__ = ["TERMS", "attribute", "noise_fees", "swapped_value"]


TERMS = {
    "held": "price moves of the initial reserves",
    "traded": "price moves of what was traded since",
    "arbitrage": "loss to arbitrageurs, before fees",
    "gas": "loss to arbitrageurs that pays their gas",
    "fees": "fees of arbitrage and exogenous swaps",
    "noise": "fees of noise trades",
    "swaps": "exogenous swaps, before fees",
}
"""Term → what it is. The terms of a bar sum to the change of the pool's value."""

_ROUNDING = 1e-12  # of the pool's value


def attribute(result: Result, noise_trader_ratio: float = 0.0) -> dict[str, FloatArray]:
    """Returns the terms of each bar, name → (T,), in the quote currency; zero at the first bar.

    Their sum at a bar is the change of the pool's value since the bar before, so the sum over all bars and terms is the
    final minus the initial value, up to rounding. ``fees + noise`` sum to the fee revenue; all terms but ``held`` and
    ``traded`` sum to the metric ``lvr`` times the initial value.

    * ``gas`` counts one trade at each bar in which arbitrage changes the reserves. The pool does not pay it: it is the part of
      what arbitrageurs take that they spend on gas.
    * Noise trades pay the share ``ρ/(1+ρ)`` of the fees of a bar without exogenous swaps, because their volume is ``ρ`` times
      that of arbitrage. Those of elastic volume pay what the result says, at the prices of the visit that follows.
    * A portfolio that is rebalanced off the chain has no arbitrageurs: ``arbitrage`` is what rebalancing and its manager cost.
    * If a user's pool does not state its fees, ``fees`` and ``noise`` are 0, and ``arbitrage`` includes them.

    Args:
        result: simulation of T bars.
        noise_trader_ratio: volume of noise trades over volume of arbitrage, ``ρ``, as in ``fees.noise_trader_ratio``.
    """
    prices, reserves = result.prices, result.reserves
    steps = np.diff(prices, axis=0, prepend=prices[:1])
    before = np.concatenate([reserves[:1], reserves[:-1]])
    moved = (reserves - before) * prices
    earned = np.zeros(result.value.size) if result.fees is None else result.fees
    swapped, swap_fees = swapped_value(result)
    noise = noise_fees(result, noise_trader_ratio, swap_fees)
    arbitraged = np.abs(moved - swapped).max(axis=1) > _ROUNDING * result.value
    gas = np.where(arbitraged, -np.asarray(result.gas_cost), 0.0)
    swaps = swapped.sum(axis=1) - swap_fees
    return {
        "held": steps @ reserves[0],
        "traded": np.einsum("ti,ti->t", before - reserves[0], steps),
        "arbitrage": moved.sum(axis=1) - earned - swaps - gas,
        "gas": gas,
        "fees": earned - noise,
        "noise": noise,
        "swaps": swaps,
    }


def noise_fees(result: Result, noise_trader_ratio: float, swap_fees: FloatArray) -> FloatArray:
    """Returns the fees of noise trades that stay in the pool at each bar, (T,).

    Args:
        result: simulation of T bars.
        noise_trader_ratio: as in :func:`attribute`.
        swap_fees: (T,) fees of exogenous swaps that stay in the pool.
    """
    if result.noise_fees is not None:
        return result.noise_fees
    if result.fees is None:
        return np.zeros(result.value.size)
    return noise_trader_ratio / (1.0 + noise_trader_ratio) * (result.fees - swap_fees)


def swapped_value(result: Result) -> tuple[FloatArray, FloatArray]:
    """Returns the value that exogenous swaps move into the pool, (T, n), and their fees that stay there, (T,)."""
    trades = result.trades
    moved, fees = np.zeros_like(result.prices), np.zeros(result.value.size)
    if trades is None:
        return moved, fees
    bars = np.searchsorted(result.times, trades.times, side="right") - 1
    shares = trades.supply  # results are of one share, trades of all
    for bar, token_in, token_out, amount_in, amount_out, fee, protocol_fee in zip(
        bars,
        trades.token_in,
        trades.token_out,
        trades.amount_in / shares,
        trades.amount_out / shares,
        trades.fee / shares,
        trades.protocol_fee / shares,
        strict=True,
    ):
        if amount_in > 0.0:  # executed
            here, there = result.tokens.index(token_in), result.tokens.index(token_out)
            moved[bar, here] += amount_in * result.prices[bar, here] - protocol_fee
            moved[bar, there] -= amount_out * result.prices[bar, there]
            fees[bar] += fee
    return moved, fees
