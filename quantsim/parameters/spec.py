"""Parameter specs: names, unit, transform, default and search range."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantsim.array_types import FloatArray
from quantsim.parameters import transforms

__all__ = [
    "ALT_MEMORY_DAYS",
    "LOG2",
    "LOGISTIC",
    "MEMORY_DAYS",
    "SIMPLEX",
    "SQUAREPLUS",
    "ParameterSpec",
    "Transform",
    "finite_log2",
]

RawValues = Mapping[str, FloatArray]


@dataclass(frozen=True)
class Transform:
    """A pair of inverse maps between the human-readable and the raw value of a parameter.

    Both maps take ``(value (n,), raw values so far, chunk_minutes)`` and return an array ``(n,)``. The raw values so far allow
    a parameter that is relative to another one: the raw value of a second memory is an offset from the first.

    Attributes:
        to_raw: human-readable → raw.
        to_human: raw → human-readable.
        domain: valid human-readable values, in words, for error messages.
        admits: elementwise test of the domain.
    """

    to_raw: Callable[[FloatArray, RawValues, float], FloatArray]
    to_human: Callable[[FloatArray, RawValues, float], FloatArray]
    domain: str = "a finite number"
    admits: Callable[[FloatArray], NDArray[np.bool_]] = field(default=np.isfinite)


_LEAST_LOG2 = -1100.0  # two to this power is exactly 0


def finite_log2(value: FloatArray) -> FloatArray:
    """Returns the binary logarithm, elementwise; of 0 a finite number, which can be stored, and whose power of two is 0.

    Example:
        >>> np.exp2(finite_log2(np.array([0.0, 8.0]))).tolist()
        [0.0, 8.0]
    """
    with np.errstate(divide="ignore"):
        return np.asarray(np.maximum(np.log2(value), _LEAST_LOG2))


def _positive(value: FloatArray) -> NDArray[np.bool_]:
    return np.isfinite(value) & (value > 0)


def _inside_unit(value: FloatArray) -> NDArray[np.bool_]:
    return np.isfinite(value) & (value > 0) & (value < 1)


def _log_weights(weights: FloatArray, _: RawValues, __: float) -> FloatArray:
    if abs(float(weights.sum()) - 1.0) > 1e-9:
        raise ValueError(f"they sum to {float(weights.sum()):.12g}, but weights must sum to 1")
    return np.asarray(np.log(weights))


def _softmax(logits: FloatArray, _: RawValues, __: float) -> FloatArray:
    shifted = np.exp(logits - logits.max())
    weights: FloatArray = shifted / shifted.sum()
    return weights


def _offset_from_memory(memory: FloatArray, raw: RawValues, chunk_minutes: float) -> FloatArray:
    offset: FloatArray = transforms.logit_from_memory_days(memory, chunk_minutes) - raw["logit_lamb"]
    return offset


def _memory_from_offset(offset: FloatArray, raw: RawValues, chunk_minutes: float) -> FloatArray:
    memory: FloatArray = transforms.memory_days_from_logit(offset + raw["logit_lamb"], chunk_minutes)
    return memory


MEMORY_DAYS = Transform(
    to_raw=lambda days, _, chunk_minutes: transforms.logit_from_memory_days(days, chunk_minutes),
    to_human=lambda logit, _, chunk_minutes: transforms.memory_days_from_logit(logit, chunk_minutes),
    domain="a positive number of days",
    admits=_positive,
)
"""Memory of an EWMA in days ↔ ``logit λ``."""

ALT_MEMORY_DAYS = Transform(_offset_from_memory, _memory_from_offset, "a positive number of days", _positive)
"""Memory of a second EWMA in days ↔ its ``logit λ`` minus that of the first (``logit_delta_lamb``)."""

LOG2 = Transform(
    to_raw=lambda value, _, __: np.log2(value),
    to_human=lambda logarithm, _, __: np.exp2(logarithm),
    domain="a positive number",
    admits=_positive,
)
"""A positive number ↔ its binary logarithm."""

SQUAREPLUS = Transform(
    to_raw=lambda value, _, __: transforms.inverse_squareplus(value),
    to_human=lambda raw, _, __: transforms.squareplus(raw),
    domain="a positive number",
    admits=_positive,
)
"""A positive number ↔ the argument of ``squareplus``."""

LOGISTIC = Transform(
    to_raw=lambda value, _, __: transforms.logit(value),
    to_human=lambda raw, _, __: transforms.sigmoid(raw),
    domain="above 0 and below 1",
    admits=_inside_unit,
)
"""A share ↔ its logit."""

SIMPLEX = Transform(_log_weights, _softmax, "positive weights that sum to 1", _positive)
"""Weights on the simplex ↔ softmax logits."""


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter of a rule.

    Attributes:
        raw_name: name in the simulator and the optimiser, e.g. ``logit_lamb``.
        human_name: name in studies, tables and search spaces, e.g. ``memory_days``.
        unit: unit of the human-readable value; empty for a pure number.
        description: one line for tables and ``--help``.
        transform: human-readable ↔ raw.
        default: default of the human-readable value, the same for every token; ``None`` means equal weights (only for the
            initial weights).
        low: lower end of the default search range, in human units.
        high: upper end of the default search range, in human units.
        log: whether the search draws on a logarithmic scale.
        scalar: whether the search uses one value for all tokens.
        trainable: whether gradient training changes it.
        searchable: whether a search changes it.
        setting: name and value of the pool setting under which the parameter is active. Under another value, training and
            search do not change it.
        opt_in: whether it becomes a parameter only if the study gives it a value; otherwise a plain setting is used.
    """

    raw_name: str
    human_name: str
    unit: str
    description: str
    transform: Transform
    default: float | None
    low: float
    high: float
    log: bool = False
    scalar: bool = False
    trainable: bool = True
    searchable: bool = True
    setting: tuple[str, Any] | None = None
    opt_in: bool = False

    def matters(self, settings: Mapping[str, Any]) -> bool:
        """Whether the parameter has an effect under the settings of a pool."""
        return self.setting is None or settings[self.setting[0]] == self.setting[1]

    def between(self, low: float, high: float, share: FloatArray) -> FloatArray:
        """Returns human-readable values at positions in a range: 0 is the lower end, 1 the upper end. Keeps the shape.

        Logarithmic parameters are spaced evenly in the logarithm.
        """
        return np.asarray(low * (high / low) ** share if self.log else low + share * (high - low))
