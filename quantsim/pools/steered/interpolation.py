"""The weights inside a chunk: the ramp from one decision to the next, linear or curved."""

from __future__ import annotations

import numpy as np

from quantsim.lazy_jax import Array, jax, jnp
from quantsim.pools.steered.weights import Ramps, Steering

__all__ = ["bar_weights", "optimal_ramp"]


def bar_weights(ramps: Ramps, n_bars: int, steering: Steering) -> Array:
    """Returns the weights at every bar of a window, (T, n), along ramps of the shape ``steering.interpolation``."""
    inside = np.minimum(np.arange(steering.chunk_bars), steering.ramp_bars)
    if steering.interpolation == "optimal":
        weights = optimal_ramp(ramps, steering)[:, inside]
    else:
        bars = jnp.asarray(inside, ramps.start.dtype)[:, None]
        weights = ramps.start[:, None] + bars * ramps.step[:, None]
        if steering.interpolation == "published_optimal":
            weights = _published_ramp(ramps, weights, bars, steering)
    return weights.reshape(-1, steering.n_tokens)[:n_bars]


_ROUNDING = 1e-9  # relative, of the losses of two ramps so short that they are equal


def optimal_ramp(ramps: Ramps, steering: Steering) -> Array:
    """Returns the approximately optimal ramps of arXiv:2403.18737, within the bounds and the speed limit at every bar.

    The mean of the linear ramp and the geometric one ``w (w_end/w)^(j/I)``, normalised. Both end at ``w_end``. Normalising
    can lift a token above its upper bound, and the largest step exceeds that of the linear ramp. The linear ramp satisfies
    every limit, and the limits are convex. So a ramp that exceeds one is moved towards the linear ramp, by the smallest share
    with which all bars satisfy them. No weight is below both of its ends, so lower bounds always hold.

    The loss ``Σ_j KL(w[j] ‖ w[j-1])`` is convex in the ramp, so the mixture loses no more than the linear ramp if the curved
    one does not. A ramp across most of the simplex in two or three bars can lose more: such a ramp stays linear.

    Args:
        ramps: M ramps of the window.
        steering: steering of the pool.

    Returns:
        (M, I+1, n) weights on the simplex; the first and the last are the ends of the linear ramp.
    """
    bars = jnp.arange(steering.ramp_bars + 1, dtype=ramps.start.dtype)[:, None]
    start, step = ramps.start[:, None], ramps.step[:, None]
    linear = start + bars * step
    between, way = linear[:, 1:-1], bars[1:-1] / steering.ramp_bars
    mean = 0.5 * (between + start * jnp.exp(way * jnp.log1p(steering.ramp_bars * step / start)))
    bend = jnp.pad(mean / jnp.sum(mean, axis=-1, keepdims=True) - between, ((0, 0), (1, 1), (0, 0)))
    fits = _largest_share(ramps, linear, bend, steering)[:, None, None]
    curved = linear + fits * bend
    pays = jax.lax.stop_gradient(_loss(curved) <= (1.0 + _ROUNDING) * _loss(linear))
    return jnp.where(pays[:, None, None], curved, linear)


def _largest_share(ramps: Ramps, linear: Array, bend: Array, steering: Steering) -> Array:
    """Returns the largest share of the bend, at most 1, with which each ramp satisfies speed limit and upper bounds, (M,)."""
    turn = jnp.diff(bend, axis=1)
    room = steering.maximum_change - jnp.sign(turn) * ramps.step[:, None]
    share = _passing(_least_ratio(room, jnp.abs(turn)), "maximum_change", steering)
    if ramps.upper is not None:
        within = _least_ratio(ramps.upper[..., None, :] - linear, bend)
        share = jnp.minimum(share, _passing(within, "weight_bounds", steering))
    return share


def _passing(share: Array, limit: str, steering: Steering) -> Array:
    """Returns the share; without a gradient if the pool's gradients ignore the limit."""
    return jax.lax.stop_gradient(share) if limit in steering.straight_through else share


def _least_ratio(room: Array, need: Array) -> Array:
    """Returns the least of 1 and ``room/need`` over a ramp's bars and tokens with positive ``need``, (M,); at least 0."""
    needed = need > 0.0
    ratio = jnp.maximum(room, 0.0) / jnp.where(needed, need, 1.0)
    return jnp.minimum(jnp.min(jnp.where(needed, ratio, 1.0), axis=(1, 2)), 1.0)


def _loss(weights: Array) -> Array:
    """Returns ``Σ_j KL(w[j] ‖ w[j-1])`` of each ramp, (M,)."""
    change = jnp.diff(weights, axis=1)
    return jnp.sum(weights[:, 1:] * jnp.log1p(change / weights[:, :-1]) - change, axis=(1, 2))


def _published_ramp(ramps: Ramps, linear: Array, bars: Array, steering: Steering) -> Array:
    """Returns the ramps of quantammsim, (M, C, n): their geometric half is at ``j/(I+1)``, so the last step is too large."""
    start = ramps.start[:, None]
    end = start + steering.ramp_bars * ramps.step[:, None]
    mean = 0.5 * (linear + start * (end / start) ** (bars / (steering.ramp_bars + 1)))
    return jnp.where(bars < steering.ramp_bars, mean / jnp.sum(mean, axis=-1, keepdims=True), end)
