"""What a rule is: a name, its parameters, and one pure function from what it observes to its outputs."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax.numpy as jnp
from jax import Array

from quantsim.parameters import ParameterSpec
from quantsim.scan_mode import ScanMode

__all__ = ["Observed", "Output", "Rule", "RuleSettings", "Trading", "centre"]


class Output(enum.Enum):
    """What the outputs of a rule mean."""

    CHANGE = "change"  #: added to the weights reached, once a chunk, from the second chunk on
    WEIGHTS = "weights"  #: the weights to move to, once a chunk, from the first chunk on
    CONSTANT = "constant"  #: nothing: the weights stay as they start


class Trading(enum.Enum):
    """How a pool trades."""

    SWAPS = "swaps"  #: one swap after another against the weighted geometric mean (G3M)
    BATCHES = "batches"  #: batches at one price, the function-maximising AMM (CoW)
    NONE = "none"  #: not at all


class Observed(NamedTuple):
    """What a rule may look at: entry ``j`` is what is known at chunk boundary ``j``.

    Attributes:
        prices: (K, n) at the chunk boundaries, in the quote currency.
        oracle: (K, n) the supplied series, such as market caps; None where the experiment supplies none.
    """

    prices: Array
    oracle: Array | None = None


@dataclass(frozen=True)
class RuleSettings:
    """The part of an experiment a rule may read; static under ``jit``.

    Attributes:
        chunk_minutes: length of a chunk, in minutes.
        max_memory_days: cap of every memory, in days.
        use_alt_lamb: whether the slope's divisor has a memory of its own.
        pre_exp_scaling: which parameter scales a slope before its power is taken: ``"log2"``, ``"logistic"``, or ``"off"``.
        scan_mode: how recursions are run, for the estimators.
    """

    chunk_minutes: int
    max_memory_days: float
    use_alt_lamb: bool = False
    pre_exp_scaling: Literal["off", "log2", "logistic"] = "log2"
    scan_mode: ScanMode = "sequential"


RuleFunction = Callable[[Mapping[str, Array], Observed, RuleSettings], Array]


@dataclass(frozen=True, eq=False)
class Rule:
    """One strategy. Rules compare and hash as themselves: there is one object per name.

    Attributes:
        name: what studies call it; the name of its file.
        description: one line for tables and ``--help``.
        parameters: specs in dependency order, without those that every pool has (its initial weights).
        output: what the outputs mean.
        outputs: ``(raw parameters, each (n,); observed, (K, n); settings) → (K, n)``; entry ``j`` may use what was observed
            up to ``j`` only. ``None`` where ``output`` needs none.
        persistence: for a rule that outputs weights, ``(raw parameters, settings) → (n,)``, the share ``Λ`` of the weights
            reached in ``Λ w + (1-Λ) target``; ``None`` for none.
        trading: how the pool trades.
        needs_oracle: whether it cannot do without the experiment's oracle series.
        sums_to_zero: whether the rows of a rule that outputs changes sum to zero, at any parameters; :func:`centre` sees to
            that. Weights of two tokens are then found faster on accelerators.
        ignores: raw names that parameter sets of the published implementation carry for this rule without using them; they
            are accepted, and dropped.
    """

    name: str
    description: str
    parameters: tuple[ParameterSpec, ...]
    output: Output
    outputs: RuleFunction | None = None
    persistence: Callable[[Mapping[str, Array], RuleSettings], Array] | None = None
    trading: Trading = Trading.SWAPS
    needs_oracle: bool = False
    sums_to_zero: bool = False
    ignores: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.outputs is None) != (self.output is Output.CONSTANT):
            raise ValueError(f"rule {self.name!r}: outputs must be given exactly when output is not constant")
        if self.persistence is not None and self.output is not Output.WEIGHTS:
            raise ValueError(f"rule {self.name!r}: only a rule that outputs weights has a persistence")
        if self.sums_to_zero and self.output is not Output.CHANGE:
            raise ValueError(f"rule {self.name!r}: only a rule that outputs changes can have rows that sum to zero")
        if self.trading is Trading.NONE and self.output is not Output.CONSTANT:
            raise ValueError(f"rule {self.name!r}: a pool that does not trade cannot change its weights")


def centre(signal: Array, k: Array) -> Array:
    """``k · (x - Σ k x / Σ k)``: scales a signal by ``k (n,)`` and takes out what would change the sum of the weights.

    Args:
        signal: (K, n).
        k: (n,), positive.

    Returns:
        (K, n), each row summing to zero.
    """
    share = k / jnp.max(k)  # in this form the gradient of the mean is finite for any k
    mean = jnp.sum(share * signal, axis=-1, keepdims=True) / jnp.sum(share)
    return k * (signal - mean)
