"""Estimates the trace of a loss's Hessian from values of the loss."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

__all__ = ["value_and_hessian_trace"]

Params = dict[str, Array]


def value_and_hessian_trace(
    loss: Callable[[Params], Array], params: Params, key: Array, *, n_samples: int, step: float
) -> tuple[Array, Array]:
    """Returns a loss and Hutchinson's estimate of its Hessian's trace, ``mean_v v·Hv`` over random signs ``v``; () each.

    ``v·Hv ≈ (f(p + hv) - 2 f(p) + f(p - hv))/h²``. At a finite ``h`` this includes the kinks of guardrails and the speed
    limit, whose exact second derivative is zero almost everywhere. Its gradient needs only first derivatives, which every path
    of the simulator has. (Hutchinson 1990, A stochastic estimator of the trace of the influence matrix.)

    Args:
        loss: function of the parameters, ().
        params: raw name → (m,), the point of evaluation.
        key: random key.
        n_samples: number of directions.
        step: ``h``, in raw units (logits and log2s).
    """
    leaves, structure = jax.tree.flatten(params)

    def at(point: tuple[Array, Array]) -> Array:
        keys, length = jax.random.split(point[0], len(leaves)), point[1]
        signs = [jax.random.rademacher(k, leaf.shape, leaf.dtype) for k, leaf in zip(keys, leaves, strict=True)]
        shifted = [leaf + length * sign for leaf, sign in zip(leaves, signs, strict=True)]
        return loss(jax.tree.unflatten(structure, shifted))

    # The centre and both ends of every direction are evaluated in one loop, so that the loss is only compiled once.
    directions = jnp.concatenate([jnp.zeros(1, jnp.int64), jnp.repeat(jnp.arange(n_samples), 2)])
    lengths = jnp.concatenate([jnp.zeros(1), jnp.tile(jnp.array([step, -step]), n_samples)])
    values = jax.lax.map(at, (jax.random.split(key, n_samples)[directions], lengths))
    return values[0], 2.0 * jnp.mean(values[1:] - values[0]) / step**2
