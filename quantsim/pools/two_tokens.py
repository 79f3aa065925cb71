"""What the passes of pools of two tokens with concentrated liquidity share: the columns of their costs, and their fees."""

from __future__ import annotations

from quantsim.lazy_jax import Array, jnp
from quantsim.pools.market import FeeRates, band, kept_fee, pool_gain

__all__ = ["ARB_FEE", "EDGE", "GAIN", "GAS", "NOISE", "N_COSTS", "SWAP_FEE", "cost_columns", "earned_fees"]

N_COSTS = 6
EDGE, GAIN, NOISE, SWAP_FEE, ARB_FEE, GAS = range(N_COSTS)
"""Columns of the costs: ``e^g`` with the width ``g`` of the no-trade band, then those of a weighted pool's pass."""


def cost_columns(rates: FeeRates) -> Array:
    """Returns the costs of every visit, (V or 1, 6)."""
    columns = (
        jnp.exp(band(rates)),
        pool_gain(rates),
        rates.noise_trader_ratio * kept_fee(rates),
        rates.swap_fee,
        rates.arb_fee,
        rates.gas_cost,
    )
    return jnp.stack(jnp.broadcast_arrays(*map(jnp.atleast_1d, columns)), axis=-1)


def earned_fees(rates: FeeRates, volume: Array) -> Array:
    """Returns the fees that stay in the pool, (T,): none at the first bar, whose value already has them.

    Args:
        rates: rates, () or (T,).
        volume: (T,) value of the arbitrageurs' effective input.
    """
    earned = kept_fee(rates) * volume * (1.0 + rates.noise_trader_ratio)
    return earned.at[0].set(0.0)
