"""Maps ``x ← clip(x + c, low, high)``, which compose into maps of the same form, and what of two tokens they can express.

Running a sequence of them from a start is an associative scan: ``log2`` of its length rounds instead of that many steps. For
an accelerator; on a CPU the plain loop is faster.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

__all__ = ["ClipMap", "run_maps", "speed_limited"]


class ClipMap(NamedTuple):
    """One map, or many; all of one shape.

    Attributes:
        shift: added first, ``c``.
        low: then the lower end; may be infinite.
        high: the upper end, not below ``low``.
    """

    shift: Array
    low: Array
    high: Array

    def then(self, after: ClipMap) -> ClipMap:
        """The map that does what this one does, and then another."""
        return ClipMap(
            self.shift + after.shift,
            jnp.clip(self.low + after.shift, after.low, after.high),
            jnp.clip(self.high + after.shift, after.low, after.high),
        )

    def __call__(self, x: Array) -> Array:
        return jnp.clip(x + self.shift, self.low, self.high)


def run_maps(maps: ClipMap, start: Array) -> Array:
    """Where a sequence of maps, each (T,), takes ``start``, (): after each of them, (T,)."""
    prefixes: ClipMap = jax.lax.associative_scan(lambda before, after: before.then(after), maps)
    return prefixes(start)


def speed_limited(outputs: Array, start: Array, low: Array | float, high: Array | float, limit: float) -> ClipMap:
    """The maps of a weight that moves towards ``clip(x + o, low, high)``, by ``limit`` at most.

    From inside the bounds that is ``clip(x + clip(o, -limit, limit), low, high)``, exactly. From outside, the first target lies
    on the bound or within, so the weight comes back by ``limit`` a step, whatever the outputs are, until one step reaches the
    bound; from there on the same map holds.

    Args:
        outputs: (T,) of the first of two tokens, ``o``.
        start: () the weight at first, anywhere between 0 and 1.
        low: bound.
        high: bound.
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
