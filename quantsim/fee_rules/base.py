"""Fee rules: a name, parameters, and a pure function from observations to the swap fee of every chunk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from quantsim.lazy_jax import Array
from quantsim.parameters import ParameterSpec, common
from quantsim.rules import Observed, RuleSettings

__all__ = ["HIGHEST_FEE", "FeeRule", "base_fee"]

FeeFunction = Callable[[Mapping[str, Array], Observed, RuleSettings], Array]

HIGHEST_FEE = 0.1
"""Upper limit of the fees of these rules: a fee of 10 % stops all trades."""

base_fee = replace(
    common.swap_fee,
    raw_name="logit_base_fee",
    human_name="base_fee",
    description="fee without a signal",
    default=0.0005,
    opt_in=False,
)


@dataclass(frozen=True, eq=False)
class FeeRule:
    """A swap fee that follows a signal. Fee rules compare and hash by identity: there is one object per name.

    Attributes:
        name: name in studies; also the name of the file.
        description: one line for tables and ``--help``.
        parameters: specs in dependency order; each has a single value for the whole pool.
        fees: ``(raw parameters, each (1,); observed, (K, n); settings) → (K,)``, the swap fee from chunk boundary ``j`` to the
            next one, at least 0 and below 1. Entry ``j`` may use observations up to ``j`` only.
    """

    name: str
    description: str
    parameters: tuple[ParameterSpec, ...]
    fees: FeeFunction
