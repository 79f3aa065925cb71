"""Synthetic prices as a source: ``"synthetic:gbm?seed=1&volatility_per_hour=0.01"``, or a kind and a table of parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, TypeAlias
from urllib.parse import quote, unquote

from quantsim.errors import PriceError, nearest
from quantsim.prices.synthetic.block_bootstrap import BlockBootstrap
from quantsim.prices.synthetic.gbm import Gbm
from quantsim.prices.synthetic.ou_trend import OuTrend

__all__ = ["KINDS", "Synthetic", "is_synthetic", "made", "parsed", "relocated", "written"]

Synthetic: TypeAlias = Gbm | OuTrend | BlockBootstrap

_PREFIX = "synthetic:"

KINDS: dict[str, type[Synthetic]] = {kind.kind: kind for kind in (Gbm, OuTrend, BlockBootstrap)}
"""Kind → its parameters."""


def is_synthetic(source: object) -> bool:
    """Whether a source names synthetic prices."""
    return isinstance(source, str) and source.startswith(_PREFIX)


def parsed(source: str) -> tuple[str, dict[str, Any]]:
    """Returns the kind and the parameters that a source names, as plain numbers and texts.

    A number for one token has a key such as ``volatility_per_hour.BTC``.

    Raises:
        PriceError: there is no such kind, or a parameter is not of the form ``name=value``, or is given twice.
    """
    kind, _, query = source.removeprefix(_PREFIX).partition("?")
    if kind not in KINDS:
        raise PriceError(f"source {source!r}: there are no synthetic prices of kind {kind!r}; {nearest(kind, KINDS)}")
    parameters: dict[str, Any] = {}
    for part in query.split("&") if query else ():
        name, equals, value = part.partition("=")
        if not equals or not name or not value:
            raise PriceError(
                f"source {source!r}: {part!r} must be name=value, as in {_PREFIX}{kind}?seed=1&bar_minutes=30"
            )
        if unquote(name) in parameters:
            raise PriceError(f"source {source!r}: {unquote(name)} is given twice: leave one out")
        parameters[unquote(name)] = _value(unquote(value))
    return kind, parameters


def written(kind: str, parameters: Mapping[str, Any]) -> str:
    """Returns the source of a kind and parameters; the inverse of :func:`parsed`."""
    parts = [f"{quote(name, safe='')}={quote(_text(value), safe='/:')}" for name, value in sorted(parameters.items())]
    return f"{_PREFIX}{kind}" + (f"?{'&'.join(parts)}" if parts else "")


def relocated(source: str, place: Callable[[str], str]) -> str:
    """Returns a source in canonical form, with ``place(path)`` for a path in it; an invalid source is not changed."""
    try:
        kind, parameters = parsed(source)
    except PriceError:
        return source
    inner = parameters.get("source", "bundled")
    return written(kind, parameters if inner == "bundled" else {**parameters, "source": place(str(inner))})


def made(kind: str, parameters: Mapping[str, Any]) -> Synthetic:
    """Returns the parameters of a kind from plain values, as :func:`parsed` returns them.

    Raises:
        PriceError: a parameter is unknown or invalid; the message names it, its value, and the remedy.
    """
    of_kind = KINDS[kind]
    known = [field.name for field in dataclasses.fields(of_kind)]
    values: dict[str, Any] = {}
    for key, value in parameters.items():
        name, _, token = key.partition(".")
        if name not in known:
            raise PriceError(f"synthetic prices of kind {kind!r} have no parameter {name!r}; {nearest(name, known)}")
        held = values.setdefault(name, {} if token else value)
        if isinstance(held, dict) != bool(token):
            raise PriceError(f"{name} is given both for all tokens and for {token or next(iter(held))}: leave one out")
        if token:
            held[token] = value
    return of_kind(**values)


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
