"""Converts parameters to on-chain numbers: exact decimals, and integers with 18 decimals.

A contract takes neither the raw value nor the human-readable one, but a third form: the decay ``λ`` instead of a memory or
its logit, and ``κ = k_per_day · memory_days`` instead of its factors. :func:`on_chain` converts every parameter whose
on-chain form differs from the human-readable one. All others have their human-readable values on chain.

A float64 is a binary fraction, so it has a finite decimal expansion. The decimal strings are this exact expansion. The
integers are the exact value times ``10^18``, rounded half to even.
"""

from __future__ import annotations

import decimal
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.errors import ParameterError
from quantsim.parameters import transforms
from quantsim.parameters.parameter import Parameter, in_group, scoped
from quantsim.parameters.resolve import to_human
from quantsim.parameters.spec import ALT_MEMORY_DAYS, MEMORY_DAYS

__all__ = ["DECIMALS", "OnChain", "as_written", "exact_decimal", "fixed_point", "fixed_weights", "on_chain"]


DECIMALS = 18
"""Decimals of the contracts' fixed-point numbers (SD59x18)."""

# A float64 has at most 767 significant digits (the largest subnormals); the context must not round any of them.
_EXACT = decimal.Context(prec=800, rounding=decimal.ROUND_HALF_EVEN, Emin=-9999, Emax=9999)

_LARGEST = 2**255 - 1  # of a signed 256-bit integer

# Parameters that rules multiply by the memory in days: raw name → on-chain name.
_TIMES_MEMORY = {"log_k": "kappa", "log_amplitude": "amplitude"}

# On-chain names of parameters with several parametrisations.
_RENAMED = {"logit_pre_exp_scaling": "pre_exp_scaling"}


@dataclass(frozen=True)
class OnChain:
    """The on-chain form of one parameter.

    Attributes:
        parameter: the parameter.
        name: on-chain name with its group: ``lambda``, ``fast.kappa``.
        values: (m,), one per label.
        remarks: notes for the deployment: values that a limit changed, or that 18 decimals cannot represent.
    """

    parameter: Parameter
    name: str
    values: tuple[float, ...]
    remarks: tuple[str, ...] = ()


def exact_decimal(value: float | Decimal) -> str:
    """Returns the exact value of a float64 or a decimal, never in scientific notation. ``float()`` restores the float.

    Raises:
        ParameterError: the value is not finite.

    Example:
        >>> exact_decimal(0.1)
        '0.1000000000000000055511151231257827021181583404541015625'
    """
    return format(Decimal(_finite(value)), "f")


def as_written(value: float) -> Decimal:
    """Returns the shortest decimal of a float64: the user's input, if it had at most 15 digits.

    Example:
        >>> as_written(0.1)
        Decimal('0.1')
    """
    return Decimal(repr(float(value)))


def fixed_point(value: float | Decimal, decimals: int = DECIMALS) -> str:
    """Returns the exact value times ``10^decimals`` as an integer, rounded half to even.

    Raises:
        ParameterError: the value is not finite.

    Example:
        >>> fixed_point(0.1), fixed_point(2.0)
        ('100000000000000006', '2000000000000000000')
    """
    scaled = _EXACT.scaleb(Decimal(_finite(value)), decimals)
    return str(int(scaled.to_integral_value(rounding=decimal.ROUND_HALF_EVEN)))


def fixed_weights(weights: Sequence[float], decimals: int = DECIMALS) -> tuple[str, ...]:
    """Returns weights as integers that sum to exactly ``10^decimals``, as contracts require. The largest one is adjusted.

    Raises:
        ParameterError: the weights are not finite, or do not sum to 1.

    Example:
        >>> fixed_weights([0.1, 0.2, 0.7], decimals=1)
        ('1', '2', '7')
    """
    total = math.fsum(_finite(weight) for weight in weights)
    if abs(total - 1.0) > 1e-9:
        raise ParameterError(f"weights {list(weights)} sum to {total:.12g}, but must sum to 1")
    fixed = [int(fixed_point(weight, decimals)) for weight in weights]
    fixed[fixed.index(max(fixed))] += 10**decimals - sum(fixed)
    return tuple(map(str, fixed))


def on_chain(
    parameters: Sequence[Parameter],
    raw: Mapping[str, Any],
    max_memory_days: float = math.inf,
    least: Mapping[str, float] | None = None,
) -> tuple[OnChain, ...]:
    """Returns the on-chain form of all active parameters.

    | raw | on chain |
    |---|---|
    | ``logit_lamb``, and any other memory | ``λ = sigmoid(logit)``, of a memory of at most ``max_memory_days`` |
    | ``logit_delta_lamb``, and any other offset | ``λ`` of the sum of the two logits, with the same limit |
    | ``log_k`` | ``κ = 2^log_k · memory_days``, with the limited memory of ``logit_lamb`` |
    | ``log_amplitude`` | ``2^log_amplitude · memory_days`` |
    | ``logit_pre_exp_scaling`` | the human-readable value, as ``pre_exp_scaling`` |
    | all others | the human-readable value, under its name |

    Args:
        parameters: parameters of one pool, in dependency order; inactive ones are left out.
        raw: raw name → (m,), for the whole experiment.
        max_memory_days: longest memory that the simulator uses, in days; longer ones have the same effect.
        least: raw name → smallest human-readable value that the rule uses, if there is one.

    Raises:
        ParameterError: a value is not finite.
    """
    arrays = {name: np.asarray(value, np.float64) for name, value in raw.items()}
    least = least or {}
    with np.errstate(over="ignore"):  # an overflow raises an error that names the parameter
        return tuple(
            _on_chain(parameter, arrays, max_memory_days, least.get(parameter.raw_name, -math.inf))
            for parameter in parameters
            if parameter.active
        )


def _on_chain(parameter: Parameter, raw: Mapping[str, FloatArray], max_memory_days: float, least: float) -> OnChain:
    spec, chunk_minutes = parameter.spec, parameter.chunk_minutes
    human = to_human((parameter,), raw)[parameter.human_name]
    remarks: list[str] = []
    if spec.transform in (MEMORY_DAYS, ALT_MEMORY_DAYS):
        name = spec.human_name.replace("memory_days", "lambda")
        if (human > max_memory_days).any():
            remarks.append(
                f"memories beyond max_memory_days = {max_memory_days:g} count as that long, as in the simulation"
            )
        logit = raw[parameter.raw_name]
        if spec.transform is ALT_MEMORY_DAYS:
            logit = logit + scoped(raw, parameter.group)["logit_lamb"]
        values = _decay(logit, chunk_minutes, max_memory_days)
    elif spec.raw_name in _TIMES_MEMORY and in_group(parameter.group, "logit_lamb") in raw:
        name = _TIMES_MEMORY[spec.raw_name]
        memory = transforms.memory_days_from_logit(scoped(raw, parameter.group)["logit_lamb"], chunk_minutes)
        values = human * np.minimum(memory, max_memory_days)
    else:
        name, values = _RENAMED.get(spec.raw_name, spec.human_name), np.maximum(human, least)
        if (human < least).any():
            remarks.append(f"{name} below {least:g} count as {least:g}, as in the simulation")
    name = in_group(parameter.group, name)
    if not np.isfinite(values).all():
        raise ParameterError(
            f"{name} = {values.tolist()} (from {parameter.raw_name}) is not finite: it cannot go on chain"
        )
    plain = tuple(values.tolist())
    return OnChain(parameter, name, plain, (*remarks, *_misfits(name, plain)))


def _decay(logit: FloatArray, chunk_minutes: float, max_memory_days: float) -> FloatArray:
    """``λ``, (m,), of memories after the limit."""
    if math.isfinite(max_memory_days):
        cap = np.asarray(max_memory_days, np.float64)
        logit = np.minimum(logit, transforms.logit_from_memory_days(cap, chunk_minutes))
    return np.asarray(transforms.sigmoid(logit))


def _misfits(name: str, values: Sequence[float]) -> list[str]:
    """Describes the values that a signed 256-bit integer with 18 decimals cannot represent."""
    remarks = []
    for value in values:
        fixed = int(fixed_point(value))
        if fixed == 0 and value != 0.0:
            remarks.append(f"{name} = {value:g} is 0 with {DECIMALS} decimals")
        elif abs(fixed) > _LARGEST:
            remarks.append(f"{name} = {value:g} is too large for a signed 256-bit integer with {DECIMALS} decimals")
        elif name.endswith("lambda") and fixed >= 10**DECIMALS:
            remarks.append(f"{name} = {value!r} is 1 with {DECIMALS} decimals, and must be below")
    return remarks


def _finite(value: float | Decimal) -> float | Decimal:
    if not math.isfinite(value):
        raise ParameterError(f"{value} has no decimal value: it must be finite")
    return value if isinstance(value, Decimal) else float(value)
