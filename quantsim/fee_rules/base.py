"""What a fee rule is: a name, its parameters, and one pure function from what it observes to the swap fee of every chunk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jax import Array

from quantsim.parameters import ParameterSpec
from quantsim.rules import Observed, RuleSettings

__all__ = ["FeeRule"]

FeeFunction = Callable[[Mapping[str, Array], Observed, RuleSettings], Array]


@dataclass(frozen=True, eq=False)
class FeeRule:
    """A swap fee that follows a signal. Fee rules compare and hash as themselves: there is one object per name.

    Attributes:
        name: what studies call it; the name of its file.
        description: one line for tables and ``--help``.
        parameters: specs in dependency order; each has a single value, of the pool.
        fees: ``(raw parameters, each (1,); observed, (K, n); settings) → (K,)``, the swap fee, at least 0 and below 1, from
            chunk boundary ``j`` to the next; entry ``j`` may use what was observed up to ``j`` only.
    """

    name: str
    description: str
    parameters: tuple[ParameterSpec, ...]
    fees: FeeFunction
