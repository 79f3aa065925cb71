"""What a rule is: a name, its parameters, and one pure function from chunk prices to outputs."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from quantsim.parameters import ParameterSpec

__all__ = ["Output", "Rule", "RuleSettings", "centre"]


class Output(enum.Enum):
    """What the outputs of a rule mean."""

    CHANGE = "change"  #: added to the weights reached, once a chunk, from the second chunk on
    CONSTANT = "constant"  #: nothing: the weights stay as they start
    HOLD = "hold"  #: nothing, and the pool does not trade


@dataclass(frozen=True)
class RuleSettings:
    """The part of an experiment a rule may read; static under ``jit``.

    Attributes:
        chunk_minutes: length of a chunk, in minutes.
        max_memory_days: cap of every memory, in days.
        use_alt_lamb: whether the slope's divisor has a memory of its own.
    """

    chunk_minutes: int
    max_memory_days: float
    use_alt_lamb: bool = False


RuleFunction = Callable[[Mapping[str, Array], Array, RuleSettings], Array]


@dataclass(frozen=True, eq=False)
class Rule:
    """One strategy. Rules compare and hash as themselves: there is one object per name.

    Attributes:
        name: what studies call it; the name of its file.
        description: one line for tables and ``--help``.
        parameters: specs in dependency order.
        output: what the outputs mean.
        outputs: ``(raw parameters, each (n,); chunk prices (K, n); settings) → (K, n)``; entry ``j`` may use prices up to
            ``j`` only. ``None`` where ``output`` needs none.
    """

    name: str
    description: str
    parameters: tuple[ParameterSpec, ...]
    output: Output
    outputs: RuleFunction | None = None

    def __post_init__(self) -> None:
        if (self.outputs is None) != (self.output in (Output.CONSTANT, Output.HOLD)):
            raise ValueError(f"rule {self.name!r}: outputs must be given exactly when output is not constant or hold")


def centre(signal: Array, k: Array) -> Array:
    """``k · (x - Σ k x / Σ k)``: scales a signal by ``k (n,)`` and takes out what would change the sum of the weights.

    Args:
        signal: (K, n).
        k: (n,), positive.

    Returns:
        (K, n), each row summing to zero.
    """
    mean = jnp.sum(k * signal, axis=-1, keepdims=True) / jnp.sum(k)
    return k * (signal - mean)
