"""Rules: a name, parameters, and a pure function from observations to outputs."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantsim.lazy_jax import Array, jnp
from quantsim.parameters import ParameterSpec
from quantsim.scan_mode import ScanMode

__all__ = ["Observed", "Output", "Rule", "RuleSettings", "centre"]


class Output(enum.Enum):
    """The meaning of a rule's outputs."""

    CHANGE = "change"  #: change of the weights, once per chunk, from the second chunk on
    WEIGHTS = "weights"  #: target weights, once per chunk, from the first chunk on
    CONSTANT = "constant"  #: no outputs: the weights stay constant


class Observed(NamedTuple):
    """The observations of a rule: entry ``j`` holds what is known at chunk boundary ``j``.

    Attributes:
        prices: (K, n) prices at the chunk boundaries, in the quote currency.
        oracle: (K, n) supplied series, such as market caps; None if the experiment supplies none.
    """

    prices: Array
    oracle: Array | None = None


@dataclass(frozen=True)
class RuleSettings:
    """The settings of an experiment that a rule may read; static under ``jit``.

    Attributes:
        chunk_minutes: length of a chunk, in minutes.
        max_memory_days: upper limit of all memories, in days.
        use_alt_lamb: whether the divisor of the slope has its own memory.
        pre_exp_scaling: the parameter that scales a slope before the power: ``"log2"``, ``"logistic"``, or ``"off"``.
        scan_mode: scan mode of the estimators.
    """

    chunk_minutes: int
    max_memory_days: float
    use_alt_lamb: bool = False
    pre_exp_scaling: Literal["off", "log2", "logistic"] = "log2"
    scan_mode: ScanMode = "sequential"


RuleFunction = Callable[[Mapping[str, Array], Observed, RuleSettings], Array]


@dataclass(frozen=True, eq=False)
class Rule:
    """A rule that steers the weights of a pool. Rules compare and hash by identity: there is one object per name.

    Attributes:
        name: name in studies; also the name of the file.
        description: one line for tables and ``--help``.
        parameters: specs in dependency order, without those that every pool has (its initial weights).
        output: meaning of the outputs.
        outputs: ``(raw parameters, each (n,); observed, (K, n); settings) → (K, n)``; entry ``j`` may use observations up to
            ``j`` only. ``None`` if ``output`` is constant.
        persistence: only for a rule that outputs weights: ``(raw parameters, settings) → (n,)``, the share ``Λ`` of the
            current weights in ``Λ w + (1-Λ) target``; ``None`` for 0.
        needs_oracle: whether the rule requires the oracle series of the experiment.
        given: whether the pool's weights at every bar are those of the series ``weights``; then it has no outputs.
        sums_to_zero: whether the rows of changes always sum to zero, as :func:`centre` ensures. Weights of two tokens are
            then computed faster on accelerators.
        ignores: raw names of unused parameters in parameter sets of quantammsim; they are accepted and dropped.
        check: ``human-readable name → (n,) initial values``; raises ValueError if they contradict each other.
    """

    name: str
    description: str
    parameters: tuple[ParameterSpec, ...]
    output: Output
    outputs: RuleFunction | None = None
    persistence: Callable[[Mapping[str, Array], RuleSettings], Array] | None = None
    needs_oracle: bool = False
    given: bool = False
    sums_to_zero: bool = False
    ignores: tuple[str, ...] = ()
    check: Callable[[Mapping[str, NDArray[np.float64]]], None] | None = None

    def __post_init__(self) -> None:
        if (self.outputs is None) != (self.output is Output.CONSTANT):
            raise ValueError(f"rule {self.name!r}: outputs must be given exactly when output is not constant")
        if self.given and self.output is not Output.CONSTANT:
            raise ValueError(f"rule {self.name!r}: a rule with given weights has no outputs")
        if self.persistence is not None and self.output is not Output.WEIGHTS:
            raise ValueError(f"rule {self.name!r}: only a rule that outputs weights can have a persistence")
        if self.sums_to_zero and self.output is not Output.CHANGE:
            raise ValueError(f"rule {self.name!r}: only a rule that outputs changes can have rows that sum to zero")


def centre(signal: Array, k: Array) -> Array:
    """``k · (x - Σ k x / Σ k)``: scales a signal by ``k (n,)`` and centres it, so that the sum of the weights stays 1.

    Args:
        signal: (K, n).
        k: (n,), positive.

    Returns:
        (K, n), each row summing to zero.
    """
    share = k / jnp.max(k)  # in this form, the gradient of the mean is finite for any k
    mean = jnp.sum(share * signal, axis=-1, keepdims=True) / jnp.sum(share)
    return k * (signal - mean)
