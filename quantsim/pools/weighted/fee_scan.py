"""The fee recursion of two tokens as an associative scan, and its adjoint as a scan of matrices, for accelerators.

Let ``x`` be the difference of the two log reserves and ``k`` that of ``log p - log w``. A trade moves the difference of the
levels, ``x + k``, to the nearest end of the band ``[-g, g]``, except for the fee that stays in the pool: with ``h`` the
effective rise of the incoming token, its log reserve rises by ``log1p(c expm1(h))`` instead of ``h``. So every trade is

    x ← clip(x, -g - k, g - k) + r,      r = ∓ (log1p(c expm1(h)) - h),

a clip map once ``r`` is known. ``r`` is small, and each pass takes it from the one before: the error falls by a factor of some
hundreds per pass. Noise traders multiply both reserves by one factor and do not change ``x``.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array

from quantsim.pools.base import PoolSetup
from quantsim.pools.market import FeeRates, band, per_event, pool_gain
from quantsim.pools.steered.clip_maps import ClipMap, run_maps
from quantsim.pools.steered.weights import Steering
from quantsim.pools.weighted.arbitrage import PoolState, apply_moves, optimal_moves

__all__ = ["matrix_recurrence", "scanned_log_reserves", "serves"]

_TOLERANCE = 1e-15  # of x between two passes; a trade moves it by 1e-6 and more
_MOST_PASSES = 30


def serves(setup: PoolSetup[Steering]) -> bool:
    """Whether this module supports the pool: two tokens, and no fixed cost of a trade."""
    return setup.n_tokens == 2 and not setup.costs.has_gas and not setup.has_trades and setup.do_arb


def scanned_log_reserves(
    setup: PoolSetup[Steering], initial: Array, log_prices: Array, events: Sequence[Array], rates: FeeRates
) -> list[Array]:
    """Returns log reserves after each trade of a bar, (T, 2) per trade, from the first bar.

    Args:
        setup: setup of a pool that :func:`serves` accepts.
        initial: (2,) log reserves at the first bar.
        log_prices: (T, 2) log prices.
        events: weights of each trade of a bar, (T-1, 2) each.
        rates: rates at all bars but the first, () or (T-1,).
    """
    n_events, n_bars = len(events), log_prices.shape[0] - 1
    weights = jnp.stack(events, axis=1).reshape(-1, 2)  # in the order of time
    prices = jnp.repeat(log_prices[1:], n_events, axis=0)
    now = FeeRates(*(jnp.repeat(rate, n_events) if rate.ndim else rate for rate in rates))
    width, log_weights = band(now), jnp.log(weights)
    offset = (prices - log_weights)[:, 0] - (prices - log_weights)[:, 1]
    start = initial[0] - initial[1]

    def pools(before: Array) -> PoolState:
        reserves = jnp.stack([before, jnp.zeros_like(before)], axis=-1)  # only their difference counts
        return PoolState(reserves, prices, weights, log_weights)

    def corrections(before: Array) -> Array:
        pool = pools(before)
        rise = optimal_moves(pool.levels, weights, width).rise
        extra = jnp.log1p(per_event(pool_gain(now)) * jnp.expm1(rise)) - rise
        return extra[:, 0] - extra[:, 1]

    def passed(correction: Array) -> Array:
        """Returns the difference after every trade."""
        return run_maps(ClipMap(correction, -width - offset + correction, width - offset + correction), start)

    def before(difference: Array) -> Array:
        return jnp.concatenate([start[None], difference[:-1]])

    def improve(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        difference, _, count = state
        better = passed(corrections(before(difference)))
        return better, jnp.max(jnp.abs(better - difference)), count + 1

    state = (passed(jnp.zeros_like(offset)), jnp.asarray(jnp.inf), jnp.asarray(0))
    difference, *_ = jax.lax.while_loop(lambda s: (s[1] > _TOLERANCE) & (s[2] < _MOST_PASSES), improve, state)
    pool = pools(before(difference))
    changes = apply_moves(pool, optimal_moves(pool.levels, weights, width), now, setup.costs) - pool.log_reserves
    # Only one of the reserves is summed up: the difference of two sums would be off by more than some trades are.
    second = initial[1] + jnp.cumsum(changes[:, 1])
    after = jnp.stack([second + difference, second], axis=-1).reshape(n_bars, n_events, 2)
    return [jnp.concatenate([initial[None], after[:, event]]) for event in range(n_events)]


def matrix_recurrence(matrices: Array, added: Array, last: Array) -> tuple[Array, Array]:
    """Computes ``y[t] = M[t] y[t+1] + b[t]`` backwards in time, as an associative scan.

    Args:
        matrices: (T, n, n) matrices ``M``.
        added: (T, n) summands ``b``.
        last: (n,) last value, ``y[T]``.

    Returns:
        ``y[0]``, (n,), and ``y[1] … y[T]``, (T, n).
    """

    def compose(later: tuple[Array, Array], earlier: tuple[Array, Array]) -> tuple[Array, Array]:
        matrix = jnp.einsum("...ij,...jk->...ik", earlier[0], later[0])
        return matrix, jnp.einsum("...ij,...j->...i", earlier[0], later[1]) + earlier[1]

    products, sums = jax.lax.associative_scan(compose, (matrices, added), reverse=True)
    found = jnp.einsum("tij,j->ti", products, last) + sums
    return found[0], jnp.concatenate([found[1:], last[None]])
