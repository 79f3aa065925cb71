"""What a fee rule is: a name, its parameters, and one pure function from what it observes to the swap fee of every chunk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from jax import Array

from quantsim.parameters import ParameterSpec, common
from quantsim.rules import Observed, RuleSettings

__all__ = ["HIGHEST_FEE", "FeeRule", "base_fee"]

FeeFunction = Callable[[Mapping[str, Array], Observed, RuleSettings], Array]

HIGHEST_FEE = 0.1
"""No fee of the rules here is higher: ten percent stops all trade there is."""

base_fee = replace(
    common.swap_fee,
    raw_name="logit_base_fee",
    human_name="base_fee",
    description="fee of a still market",
    default=0.0005,
    opt_in=False,
)


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
