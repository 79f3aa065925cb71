"""The value of a pool without fees at every bar, as a vectorised sum, for metrics that read every bar."""

from __future__ import annotations

from quantsim.lazy_jax import Array, jnp

__all__ = ["bar_log_values"]


def bar_log_values(weights: Array, log_prices: Array) -> Array:
    """Returns the log pool value at every bar, relative to the first.

    Without fees the pool ends each event at market price, so the two events of a bar multiply its value by
    ``exp(w[t-1]·ΔL)`` (prices move, old weights) and ``exp(-KL(w[t] ‖ w[t-1]))`` (weights move), without a recursion.

    Args:
        weights: (T, n) weights on the simplex.
        log_prices: (T, n) log prices.

    Returns:
        (T,) log values, zero at the first bar.
    """
    gain = jnp.sum(weights[:-1] * jnp.diff(log_prices, axis=0), axis=-1)
    # log(w[t]/w[t-1]) through log1p of the relative change: the steps are tiny, and a quotient would lose their digits.
    relative = jnp.diff(weights, axis=0) / weights[:-1]
    loss = jnp.sum(weights[1:] * jnp.log1p(relative), axis=-1)
    return jnp.concatenate([jnp.zeros(1, weights.dtype), jnp.cumsum(gain - loss)])
