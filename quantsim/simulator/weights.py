"""From rule outputs to the pool's weights: guardrails, speed limit, and the ramp inside a chunk."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from quantsim.simulator.setup import PoolSetup

__all__ = ["Ramps", "bar_weights", "chunk_ramps", "guardrail"]


class Ramps(NamedTuple):
    """The weights of a window, chunk by chunk: ``start + min(j, I)·step`` at bar ``j`` of a chunk.

    Attributes:
        start: (M, n) weights at the first bar of each chunk.
        step: (M, n) change per bar while the ramp lasts; rows sum to zero.
    """

    start: Array
    step: Array


def guardrail(weights: Array, minimum: float) -> Array:
    """Normalises weights, clips them to ``[minimum, 1 - (n-1) minimum]`` and rescales the free ones so that the sum is 1.

    With four tokens and more, rescaling can push a token from just above the minimum below it. Such tokens are pinned and
    the rest is rescaled again; ``n - 2`` passes are always enough, so the result keeps within its bounds.

    Args:
        weights: (n,), finite, with a positive sum.
        minimum: lower bound, dimensionless.

    Returns:
        (n,) weights on the simplex, none below ``minimum``.
    """
    n_tokens = weights.shape[-1]
    bounded = jnp.clip(weights / jnp.sum(weights), minimum, 1.0 - (n_tokens - 1) * minimum)
    for _ in range(max(1, n_tokens - 2)):
        pinned = bounded <= minimum
        share = 1.0 - minimum * jnp.sum(pinned)
        free = jnp.sum(jnp.where(pinned, 0.0, bounded))  # nothing is, where minimum = 1/n
        bounded = jnp.where(pinned, minimum, bounded * (share / jnp.where(free > 0.0, free, 1.0)))
    return bounded


def chunk_ramps(outputs: Array | None, initial: Array, n_chunks: int, setup: PoolSetup) -> Ramps:
    """Runs the decisions of a window: each is taken from the position actually reached.

    The first chunk holds the initial weights. Every later one moves towards ``guardrail(w + output)`` in ``I`` equal steps,
    all scaled down by one factor where the largest would exceed ``maximum_change``.

    Args:
        outputs: (M, n) rule outputs at the chunk boundaries of the window; ``None`` for a rule without any.
        initial: (n,) weights at the first bar; no gradient flows into them.
        n_chunks: number of chunks in the window, ``M``.
        setup: of the pool.
    """
    initial = jax.lax.stop_gradient(initial)
    if outputs is None:
        start = jnp.broadcast_to(initial, (n_chunks, *initial.shape))
        return Ramps(start, jnp.zeros_like(start))

    def decide(weights: Array, output: Array) -> tuple[Array, Ramps]:
        step = _speed_limit((guardrail(weights + output, setup.minimum_weight) - weights) / setup.ramp_bars, setup)
        return weights + setup.ramp_bars * step, Ramps(weights, step)

    later = jax.lax.scan(decide, initial, outputs[1:n_chunks])[1]
    rest = jnp.zeros_like(initial)[None]
    return Ramps(jnp.concatenate([initial[None], later.start]), jnp.concatenate([rest, later.step]))


def _speed_limit(step: Array, setup: PoolSetup) -> Array:
    largest = jnp.max(jnp.abs(step))
    too_fast = largest > setup.maximum_change
    return step * jnp.where(too_fast, setup.maximum_change / jnp.where(too_fast, largest, 1.0), 1.0)


def bar_weights(ramps: Ramps, n_bars: int, setup: PoolSetup) -> Array:
    """Weights at every bar of a window, (T, n).

    The linear ramp, or the approximately optimal one of arXiv:2403.18737: the mean of the linear ramp and the geometric one
    ``w (w_end/w)^(j/(I+1))``, normalised.
    """
    bars = jnp.arange(setup.chunk_bars)
    inside = jnp.minimum(bars, setup.ramp_bars).astype(ramps.start.dtype)[:, None]
    start, step = ramps.start[:, None], ramps.step[:, None]
    weights = start + inside * step
    if setup.optimal_ramp:
        end = start + setup.ramp_bars * step
        geometric = start * (end / start) ** (inside / (setup.ramp_bars + 1))
        mean = 0.5 * (weights + geometric)
        ramping = (bars < setup.ramp_bars)[:, None]
        weights = jnp.where(ramping, mean / jnp.sum(mean, axis=-1, keepdims=True), end)
    return weights.reshape(-1, setup.n_tokens)[:n_bars]
