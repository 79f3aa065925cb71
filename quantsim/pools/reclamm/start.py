"""The balances that a reCLAMM pool starts with, and the speed of its range."""

from __future__ import annotations

from collections.abc import Sequence

from quantsim.lazy_jax import Array, jnp
from quantsim.pools.reclamm.range_scan import decayed

__all__ = ["arc_speed", "centred_balances", "scaled_balances"]


def centred_balances(value: float, prices: Array, width: Array) -> Array:
    """Returns the balances of a pool whose range is centred at the market, (4,): real ones, then virtual ones.

    With the price ratio ``Q``, half of the value is in each token, and ``V = R / (Q^(1/4) - 1)``.

    Args:
        value: value of the pool, in the quote currency.
        prices: (2,) prices.
        width: () ``Q^(1/4) - 1``.
    """
    real = 0.5 * value / prices
    return jnp.concatenate([real, real / width])


def scaled_balances(value: float, prices: Array, given: Sequence[float]) -> Array:
    """Returns given balances, (4,), times the factor that makes them worth ``value`` at ``prices``."""
    balances = jnp.asarray(given)
    return balances * (value / jnp.sum(balances[:2] * prices))


def arc_speed(balances: Array, margin: Array, exponent: Array) -> Array:
    """Returns the arc length per visit at which the range begins to move as fast as with a constant decay, ().

    It is that of one decay where the centeredness has just fallen to the margin ``m``, above the centre and at the pool's own
    price. There ``R_B = m R_A V_B/V_A``, and the invariant ``L`` gives ``m R_A² + (1+m) V_A R_A + V_A² - L V_A/V_B = 0``.

    Args:
        balances: (4,) balances that the pool starts with.
        margin: () centeredness margin.
        exponent: () logarithm of the decay of a visit.
    """
    r_a, r_b, v_a, v_b = balances
    product = (r_a + v_a) * (r_b + v_b)
    rest = product * v_a / v_b - v_a * v_a
    b = v_a * (1.0 + margin)
    real_a = 2.0 * rest / (b + jnp.sqrt(b * b + 4.0 * margin * rest))
    real_b = margin * real_a * v_b / v_a
    effective = real_a + v_a
    root = jnp.sqrt((real_b + v_b) / effective)
    ratio = (1.0 + real_a / v_a) * (1.0 + real_b / v_b)
    after_b = jnp.maximum(decayed(v_b, exponent), real_b / (jnp.sqrt(ratio) - 1.0))
    after_a = real_a * (after_b + real_b) / ((ratio - 1.0) * after_b - real_b)
    moved = root * (after_a - v_a) - (after_b - v_b) / root
    return jnp.abs(moved) / (2.0 * jnp.sqrt(effective))
