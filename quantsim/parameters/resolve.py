"""Converts users' parameter tables to the raw arrays of the simulator, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.errors import ParameterError, nearest
from quantsim.limits import LARGEST_VALUE
from quantsim.parameters.parameter import Parameter, scoped

__all__ = ["replaced", "to_human", "to_raw"]


def to_raw(parameters: Sequence[Parameter], values: Mapping[str, Any]) -> dict[str, FloatArray]:
    """Converts a parameter table to raw arrays, one per parameter.

    The table may mix raw names (``logit_lamb``) and human-readable ones (``memory_days``), each parameter once. A scalar is
    used for every label. Missing parameters have the spec's default.

    Args:
        parameters: parameters of the experiment, in dependency order.
        values: name → number or sequence of ``m`` numbers, one per label.

    Returns:
        raw name → float64 array ``(m,)``.

    Raises:
        ParameterError: a name is unknown, a parameter is given twice, a shape is wrong, or a value is out of range.
    """
    known = {name for parameter in parameters for name in (parameter.raw_name, parameter.human_name)}
    for name in values:
        if name not in known:
            raise ParameterError(f"unknown parameter {name!r}: {nearest(name, known)}")
    raw: dict[str, FloatArray] = {}
    for parameter in parameters:
        raw[parameter.raw_name] = _resolve(parameter, values, scoped(raw, parameter.group))
    return raw


def replaced(parameters: Sequence[Parameter], own: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the table ``own`` with the values of ``given`` in it. Both may use raw or human-readable names."""
    aliases = [{parameter.raw_name, parameter.human_name} for parameter in parameters]
    dropped = {name for pair in aliases if pair & given.keys() for name in pair}
    return {name: value for name, value in own.items() if name not in dropped} | dict(given)


def to_human(parameters: Sequence[Parameter], raw: Mapping[str, Any]) -> dict[str, FloatArray]:
    """Inverts :func:`to_raw` for a complete raw table; returns human-readable name → array ``(m,)``."""
    arrays = {name: np.asarray(value, np.float64) for name, value in raw.items()}
    return {
        parameter.human_name: parameter.spec.transform.to_human(
            arrays[parameter.raw_name], scoped(arrays, parameter.group), parameter.chunk_minutes
        )
        for parameter in parameters
        if parameter.raw_name in arrays
    }


def _resolve(parameter: Parameter, values: Mapping[str, Any], group: Mapping[str, FloatArray]) -> FloatArray:
    raw_name, human_name, spec = parameter.raw_name, parameter.human_name, parameter.spec
    if raw_name in values:
        if human_name in values and human_name != raw_name:
            raise ParameterError(f"{raw_name!r} and {human_name!r} are the same parameter: give one of them")
        value = _per_label(raw_name, values[raw_name], parameter.labels)
        if not np.isfinite(value).all():
            raise ParameterError(f"{raw_name} = {value.tolist()} must be finite")
        with np.errstate(all="ignore"):
            human = spec.transform.to_human(value, {**group, spec.raw_name: value}, parameter.chunk_minutes)
        if not np.isfinite(human).all():
            raise ParameterError(
                f"{raw_name} = {value.tolist()} is too large or too small: {human_name} would not be finite"
            )
        return value
    if human_name in values:
        human = _per_label(human_name, values[human_name], parameter.labels)
    elif spec.default is None:
        human = np.full(parameter.size, 1.0 / parameter.size)
    else:
        human = np.full(parameter.size, spec.default)
    if np.abs(human).max() > LARGEST_VALUE:
        raise ParameterError(
            f"{human_name} = {human.tolist()} is too large or too small: its usual range is {spec.low:g} to {spec.high:g}"
        )
    if not spec.transform.admits(human).all():
        raise ParameterError(f"{human_name} = {human.tolist()} must be {spec.transform.domain}")
    try:
        return spec.transform.to_raw(human, group, parameter.chunk_minutes)
    except ValueError as error:
        raise ParameterError(f"{human_name} = {human.tolist()}: {error}") from error


def _per_label(name: str, value: Any, labels: tuple[str, ...]) -> FloatArray:
    n_values = len(labels)
    expected = f"a number or {n_values} numbers, one for each of {', '.join(labels)}" if n_values > 1 else "one number"
    try:
        if np.asarray(value).dtype == np.bool_:
            raise TypeError("true and false are not numbers")
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ParameterError(f"{name} = {value!r} must be {expected}") from error
    if array.shape not in ((), (1,), (n_values,)):
        raise ParameterError(f"{name} has shape {array.shape}, but must be {expected}")
    return np.broadcast_to(array, (n_values,)).copy()
