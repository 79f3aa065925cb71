"""Kinds of values that sections share: names that have to be known, times, tables as hashable pairs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo

from quantsim.fee_rules.registry import checked_fee_rule_name
from quantsim.metrics import get_metric
from quantsim.parameters.parameter import in_group
from quantsim.rules.registry import checked_rule_name

__all__ = [
    "Bound",
    "FeeRuleName",
    "Frozen",
    "GroupName",
    "Members",
    "MetricName",
    "MetricNumbers",
    "RuleName",
    "UtcTime",
    "distinct",
    "flat_table",
    "frozen_parameters",
    "frozen_tables",
    "pairs",
]


def _to_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _known_rule(name: str, info: ValidationInfo) -> str:
    return checked_rule_name(name, info.context)


def _known_fee_rule(name: str, info: ValidationInfo) -> str:
    return checked_fee_rule_name(name, info.context)


def _known_metric(name: str) -> str:
    return get_metric(name).name


def distinct(tokens: tuple[str, ...]) -> tuple[str, ...]:
    repeated = sorted({token for token in tokens if tokens.count(token) > 1})
    if repeated:
        raise ValueError(f"{', '.join(repeated)} given more than once: name each once")
    return tokens


def pairs(values: Any) -> Any:
    """A table as pairs, which are hashable; leaves anything else to validation."""
    return tuple(values.items()) if isinstance(values, dict) else values


def frozen_parameters(values: Any) -> Any:
    """Turns nested tables of numbers and lists into sorted pairs of dotted names and hashable values.

    Anything else is left to validation.
    """
    return tuple(sorted(flat_table(values).items())) if isinstance(values, dict) else values


def frozen_tables(values: Any) -> Any:
    """:func:`frozen_parameters` of each table of a list."""
    return tuple(map(frozen_parameters, values)) if isinstance(values, list | tuple) else values


def flat_table(table: Mapping[str, Any], group: str = "") -> dict[str, Any]:
    """Nested tables as one, with dotted names; lists become tuples, and of two values for one name the later counts."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        key = in_group(group, str(name))
        if isinstance(value, Mapping):
            flat |= flat_table(value, key)
        else:
            flat[key] = tuple(value) if isinstance(value, list) else value
    return flat


GroupName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]  # a bare key of TOML
RuleName = Annotated[str, AfterValidator(_known_rule)]
FeeRuleName = Annotated[str, AfterValidator(_known_fee_rule)]
Members = tuple[tuple[GroupName, RuleName], ...]
Bound = Annotated[float, Field(gt=0.0, lt=1.0)]
UtcTime = Annotated[datetime, AfterValidator(_to_utc)]
MetricName = Annotated[str, AfterValidator(_known_metric)]
Frozen = tuple[tuple[str, float | tuple[float, ...]], ...]
MetricNumbers = tuple[tuple[MetricName, float], ...]
