"""Maps ``x ← clip(x + c, low, high)``, which compose into maps of the same form, and their use for pools of two tokens.

Applying a sequence of ``T`` maps is an associative scan: ``log2 T`` rounds instead of ``T`` steps. This is for accelerators; on
a CPU the plain loop is faster.
"""

from __future__ import annotations

from typing import NamedTuple

from quantsim.lazy_jax import Array, jax, jnp

__all__ = ["ClipMap", "run_maps", "speed_limited"]


class ClipMap(NamedTuple):
    """One map, or many with equal shapes.

    Attributes:
        shift: summand ``c``, added first.
        low: lower bound; may be infinite.
        high: upper bound, at least ``low``.
    """

    shift: Array
    low: Array
    high: Array

    def then(self, after: ClipMap) -> ClipMap:
        """Returns the composition of this map and then another."""
        return ClipMap(
            self.shift + after.shift,
            jnp.clip(self.low + after.shift, after.low, after.high),
            jnp.clip(self.high + after.shift, after.low, after.high),
        )

    def __call__(self, x: Array) -> Array:
        return jnp.clip(x + self.shift, self.low, self.high)


def run_maps(maps: ClipMap, start: Array) -> Array:
    """Applies a sequence of maps, each (T,), to ``start``, (); returns the values after each of them, (T,)."""
    prefixes: ClipMap = jax.lax.associative_scan(lambda before, after: before.then(after), maps)
    return prefixes(start)


def speed_limited(outputs: Array, start: Array, low: Array | float, high: Array | float, limit: float) -> ClipMap:
    """Returns the maps of a weight that moves towards ``clip(x + o, low, high)``, by at most ``limit`` per step.

    From inside the bounds this is exactly ``clip(x + clip(o, -limit, limit), low, high)``. From outside, the first target is
    on the bound or inside. So the weight moves back by ``limit`` per step, for all outputs, until one step reaches the bound;
    from then on the same map applies.

    Args:
        outputs: (T,) outputs ``o`` for the first of two tokens.
        start: () initial weight, between 0 and 1.
        low: lower bound.
        high: upper bound.
        limit: largest move per step.
    """
    steps = jnp.arange(1, outputs.shape[0] + 1)
    above = start - steps * limit > high
    below = start + steps * limit < low
    outside = above | below
    inward = jnp.where(above, -limit, limit)
    return ClipMap(
        jnp.where(outside, inward, jnp.clip(outputs, -limit, limit)),
        jnp.where(outside, -jnp.inf, low),
        jnp.where(outside, jnp.inf, high),
    )
