"""Common types of values: names of known objects, times, and tables as hashable pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from quantsim.errors import ParameterError
from quantsim.fee_rules.registry import checked_fee_rule_name
from quantsim.limits import MOST_COUNT, MOST_JOBS, MOST_SETS, MOST_TRIALS
from quantsim.metrics import get_metric
from quantsim.parameters.parameter import in_group
from quantsim.rules.registry import checked_rule_name
from quantsim.settings.base import TIME_EXPECTED, no_truth

__all__ = [
    "Bound",
    "Count",
    "Days",
    "FeeRuleName",
    "Frozen",
    "GroupName",
    "Jobs",
    "Members",
    "MetricName",
    "MetricNumbers",
    "Minutes",
    "Natural",
    "NotNegative",
    "Number",
    "Positive",
    "RuleName",
    "Sets",
    "StudyName",
    "Table",
    "Trials",
    "UtcTime",
    "distinct",
    "flat_table",
]


_FIRST_YEAR, _LAST_YEAR = 1970, 2200


def _moment(value: Any) -> Any:
    """Rejects numbers, which pydantic would interpret as seconds since 1970, such as a year alone."""
    is_text = isinstance(value, str)
    if isinstance(value, int | float) or (is_text and value.strip().lstrip("+-").replace(".", "", 1).isdigit()):
        raise ValueError(TIME_EXPECTED)
    return value


def _to_utc(moment: datetime) -> datetime:
    if not _FIRST_YEAR < moment.year < _LAST_YEAR:
        raise ValueError(f"must be between the years {_FIRST_YEAR} and {_LAST_YEAR}")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _known_rule(name: str, info: ValidationInfo) -> str:
    return checked_rule_name(name, info.context)


def _known_fee_rule(name: str, info: ValidationInfo) -> str:
    return checked_fee_rule_name(name, info.context)


def _known_metric(name: str) -> str:
    return get_metric(name).name


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError("must be one line of printable characters")
    return name


def distinct(tokens: tuple[str, ...]) -> tuple[str, ...]:
    repeated = sorted({token for token in tokens if tokens.count(token) > 1})
    if repeated:
        raise ValueError(f"{', '.join(repeated)} given more than once: give each once")
    return tokens


@dataclass(frozen=True)
class Table:
    """Annotates hashable pairs that are read and written as a table of a study, so that errors name its keys.

    Attributes:
        flatten: function that merges nested tables into one, which is then sorted; None for no such function.
    """

    flatten: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Returns a schema that converts the input to a dictionary, validates it, and converts it to pairs."""
        name, value = get_args(get_args(source)[0])
        table = handler.generate_schema(dict[name, value])  # type: ignore[valid-type]
        read = core_schema.no_info_before_validator_function(self._table, table)
        written = core_schema.plain_serializer_function_ser_schema(dict)
        return core_schema.no_info_after_validator_function(self._pairs, read, serialization=written)

    def _table(self, values: Any) -> Any:
        values = dict(values) if isinstance(values, tuple) else values  # as it is kept
        return self.flatten(values) if self.flatten and isinstance(values, Mapping) else values

    def _pairs(self, table: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
        return tuple(sorted(table.items()) if self.flatten else table.items())


def flat_table(table: Mapping[str, Any], group: str = "") -> dict[str, Any]:
    """Merges nested tables into one with dotted names; lists become tuples; a later value for a name replaces an earlier one.

    Raises:
        ParameterError: it is not a table, or a table in it is empty.
    """
    if not isinstance(table, Mapping):
        raise ParameterError(f"parameters must be a table of names and values, not {type(table).__name__}")
    flat: dict[str, Any] = {}
    for name, value in table.items():
        key = in_group(group, str(name))
        if isinstance(value, Mapping):
            if not value:
                raise ParameterError(f"{key} is an empty table: set it to a number, or leave it out")
            flat |= flat_table(value, key)
        else:
            flat[key] = tuple(value) if isinstance(value, list) else value
    return flat


Number = Annotated[float, BeforeValidator(no_truth)]

# Beyond these bounds numbers overflow, or are of no use.
Positive = Annotated[float, Field(gt=0.0, le=1e12)]
NotNegative = Annotated[float, Field(ge=0.0, le=1e12)]
Count = Annotated[int, Field(ge=1, le=MOST_COUNT)]
Natural = Annotated[int, Field(ge=0, le=MOST_COUNT)]
Minutes = Annotated[int, Field(ge=1, le=525_600)]  # a year
Days = Annotated[float, Field(gt=0.0, le=36_525.0)]  # a century
Sets = Annotated[int, Field(ge=1, le=MOST_SETS)]  # of parameters, or windows, that are evaluated at once
Trials = Annotated[int, Field(ge=1, le=MOST_TRIALS)]
Jobs = Annotated[int, Field(ge=1, le=MOST_JOBS)]

StudyName = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
GroupName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]  # a bare key of TOML
RuleName = Annotated[str, AfterValidator(_known_rule)]
FeeRuleName = Annotated[str, AfterValidator(_known_fee_rule)]
Members = Annotated[tuple[tuple[GroupName, RuleName], ...], Table()]
Bound = Annotated[float, Field(gt=0.0, lt=1.0)]
UtcTime = Annotated[datetime, BeforeValidator(_moment), AfterValidator(_to_utc)]
MetricName = Annotated[str, AfterValidator(_known_metric)]
Frozen = Annotated[tuple[tuple[str, Number | tuple[Number, ...]], ...], Table(flat_table)]
MetricNumbers = Annotated[tuple[tuple[MetricName, Annotated[Number, Field(ge=-1e12, le=1e12)]], ...], Table()]
