"""The value that is traded at each bar of a simulation, by who trades: arbitrageurs, noise traders, exogenous swaps.

The volume of trades is the mean of the value that they bring into the pool and the value that they take out, at the prices of
the bar. Exogenous swaps have their own amounts. Noise trades leave only fees in the pool: their volume is ``ρ`` times that of
arbitrage or, with elastic volume, their fees divided by the share of their volume that stays in the pool. The other changes of
the reserves are arbitrage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.simulator.attribution import noise_fees, swapped_value

if TYPE_CHECKING:
    from quantsim.pools.settings import Fees
    from quantsim.simulator.result import Result

__all__ = ["VOLUMES", "traded_volumes"]


VOLUMES = ("volume", "arbitrage_volume", "noise_volume", "swap_volume")
"""The series of :func:`traded_volumes`: all trades, and their parts."""


def traded_volumes(result: Result, fees: Fees) -> dict[str, FloatArray]:
    """Returns the volumes of each bar, name → (T,), in the quote currency; zero at the first bar.

    ``volume`` is the sum of ``arbitrage_volume``, ``noise_volume`` and ``swap_volume`` (of exogenous swaps). All are of one
    share if LPs join or exit. A portfolio that is rebalanced off the chain trades itself: its trades are ``arbitrage_volume``.
    The volume of elastic noise trades is nan where none of the fee stays in the pool.

    Args:
        result: simulation of T bars.
        fees: costs of the simulated pool.
    """
    moved = np.diff(result.reserves, axis=0, prepend=result.reserves[:1]) * result.prices
    swapped, swap_fees = swapped_value(result)
    noise = noise_fees(result, fees.noise_trader_ratio, swap_fees)
    arbitraged = moved - swapped
    received = np.maximum(arbitraged, 0.0)  # noise trades pay in the tokens of the arbitrage that they follow
    if result.noise_fees is not None:  # and those of elastic volume in all tokens
        received = result.reserves * result.prices
    total = received.sum(axis=1, keepdims=True)
    shares = np.divide(received, total, out=np.zeros_like(received), where=total > 0.0)
    arbitrage = 0.5 * np.abs(arbitraged - noise[:, None] * shares).sum(axis=1)
    volumes = {
        "arbitrage_volume": arbitrage,
        "noise_volume": _noise_volume(result, fees, arbitrage),
        "swap_volume": 0.5 * np.abs(swapped).sum(axis=1),
    }
    return {"volume": sum(volumes.values(), np.zeros_like(arbitrage)), **volumes}


def _noise_volume(result: Result, fees: Fees, arbitrage: FloatArray) -> FloatArray:
    """Returns the volume of noise trades of each bar, (T,)."""
    if result.noise_fees is None:
        return fees.noise_trader_ratio * arbitrage
    paid = np.broadcast_to(result.swap_fee, arbitrage.shape) * (1.0 - fees.protocol_fee_split)
    before = np.concatenate([paid[:1], paid[:-1]])  # the fee that applied since the bar before
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(before > 0.0, result.noise_fees / before, np.nan)
