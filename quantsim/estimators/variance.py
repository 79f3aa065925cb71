"""The variance of returns from chunk to chunk, exponentially weighted."""

from __future__ import annotations

from quantsim.estimators.recurrence import linear_recurrence
from quantsim.lazy_jax import Array, jnp
from quantsim.parameters.transforms import sigmoid
from quantsim.scan_mode import ScanMode

__all__ = ["return_variance"]


def return_variance(prices: Array, logit_lamb: Array, mode: ScanMode = "sequential", *, first: float = 1.0) -> Array:
    """Exponentially weighted variance of the returns ``r[j] = p[j]/p[j-1] - 1``, per chunk.

    With ``d = r - e`` it is ``(1-λ) v``, where ``e ← e + (1-λ) d`` and ``v ← λ v + λ d²``, starting from ``e`` at the first
    return and ``v = 0``.

    Args:
        prices: (K, n) chunk-boundary prices, positive; entry ``j`` of the result uses entries up to ``j`` only.
        logit_lamb: (n,), or (1,) for all tokens, logit of the decay.
        mode: scan mode of the recursions; ``settings.scan_mode`` in a rule.
        first: value at the first two boundaries, before there are two returns.

    Returns:
        (K, n) variance per chunk.
    """
    returns = jnp.diff(prices, axis=0) / prices[:-1]
    lamb = jnp.broadcast_to(sigmoid(logit_lamb), returns.shape[1:])
    mu = jnp.broadcast_to(sigmoid(-logit_lamb), returns.shape[1:])
    rest = jnp.zeros_like(returns[0])
    mean = linear_recurrence(lamb, mu * (returns - returns[0]), rest, mode) + returns[0]
    before = jnp.concatenate([returns[:1], mean[:-1]])
    deviation = returns - before
    variance = mu * linear_recurrence(lamb, lamb * deviation * deviation, rest, mode)
    return jnp.concatenate([jnp.full_like(prices[:2], first), variance[1:]])
