"""From what a user wrote to the raw arrays the simulator takes, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantsim.errors import ParameterError, nearest
from quantsim.parameters.spec import ParameterSpec

__all__ = ["to_human", "to_raw"]

FloatArray = NDArray[np.float64]


def to_raw(
    specs: Sequence[ParameterSpec], values: Mapping[str, Any], *, n_tokens: int, chunk_minutes: float
) -> dict[str, FloatArray]:
    """Resolves a parameter table into raw arrays, one entry per spec.

    Raw names (``logit_lamb``) and human-readable ones (``memory_days``) may be mixed, each parameter once. A scalar stands
    for every token. Parameters that are left out take the spec's default.

    Args:
        specs: the rule's parameters, in dependency order.
        values: name → number or sequence of ``n_tokens`` numbers.
        n_tokens: number of tokens.
        chunk_minutes: length of a chunk, in minutes (memories depend on it).

    Returns:
        raw name → float64 array ``(n_tokens,)``.

    Raises:
        ParameterError: unknown name, one parameter given twice, wrong shape, or a value outside the domain.
    """
    known = {name for spec in specs for name in (spec.raw_name, spec.human_name)}
    for name in values:
        if name not in known:
            raise ParameterError(f"unknown parameter {name!r}: {nearest(name, known)}")
    raw: dict[str, FloatArray] = {}
    for spec in specs:
        raw[spec.raw_name] = _resolve(spec, values, raw, n_tokens, chunk_minutes)
    return raw


def to_human(specs: Sequence[ParameterSpec], raw: Mapping[str, Any], *, chunk_minutes: float) -> dict[str, FloatArray]:
    """Inverse of :func:`to_raw` for a complete raw table: human-readable name → array ``(n_tokens,)``."""
    arrays = {name: np.asarray(value, np.float64) for name, value in raw.items()}
    return {
        spec.human_name: spec.transform.to_human(arrays[spec.raw_name], arrays, chunk_minutes)
        for spec in specs
        if spec.raw_name in arrays
    }


def _resolve(
    spec: ParameterSpec, values: Mapping[str, Any], raw: Mapping[str, FloatArray], n_tokens: int, chunk_minutes: float
) -> FloatArray:
    if spec.raw_name in values:
        if spec.human_name in values and spec.human_name != spec.raw_name:
            raise ParameterError(f"{spec.raw_name!r} and {spec.human_name!r} are the same parameter: give one of them")
        value = _per_token(spec.raw_name, values[spec.raw_name], n_tokens)
        if not np.isfinite(value).all():
            raise ParameterError(f"{spec.raw_name} = {value.tolist()} must be finite")
        return value
    if spec.human_name in values:
        human = _per_token(spec.human_name, values[spec.human_name], n_tokens)
    elif spec.default is None:
        human = np.full(n_tokens, 1.0 / n_tokens)
    else:
        human = np.full(n_tokens, spec.default)
    if not spec.transform.admits(human).all():
        raise ParameterError(f"{spec.human_name} = {human.tolist()} must be {spec.transform.domain}")
    try:
        return spec.transform.to_raw(human, raw, chunk_minutes)
    except ValueError as error:
        raise ParameterError(f"{spec.human_name} = {human.tolist()}: {error}") from error


def _per_token(name: str, value: Any, n_tokens: int) -> FloatArray:
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{name} = {value!r} must be a number or a list of {n_tokens} numbers") from error
    if array.shape not in ((), (1,), (n_tokens,)):
        raise ParameterError(
            f"{name} has shape {array.shape}, and must be a number or {n_tokens} numbers, one per token"
        )
    return np.broadcast_to(array, (n_tokens,)).copy()
