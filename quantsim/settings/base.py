"""The base class of all sections of an experiment: immutable, hashable, strict about keys, with readable errors."""

from __future__ import annotations

import functools
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator, model_validator

from quantsim.errors import ConfigError, nearest
from quantsim.settings.decides import Decides, leaves

__all__ = ["TIME_EXPECTED", "Section", "cause_of", "describe", "no_truth"]


class Section(BaseModel):
    """One table of a study file.

    Attributes:
        decides: effect of its keys that do not declare their own.
    """

    decides: ClassVar[Decides]

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    def __init_subclass__(cls, decides: Decides | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        if decides is not None:
            cls.decides = decides

    @classmethod
    def read_as(cls, values: Mapping[str, Any]) -> tuple[type[Section], Mapping[str, Any]]:
        """Returns the class for a stored table, and the table in the form of this version; runs no user's file."""
        return cls, values

    @model_validator(mode="before")
    @classmethod
    def _reject_unknown_keys(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            for key in values:
                if key not in cls.model_fields and cls.model_config.get("extra") == "forbid":
                    raise ValueError(f"unknown key {key!r}: {nearest(str(key), cls.model_fields)}")
        return values

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Rejects ``true`` for numbers and 1 for booleans, which pydantic converts."""
        kinds = _kinds(cls, str(info.field_name))
        if bool not in kinds:
            return no_truth(value)
        if kinds <= {bool, type(None)} and isinstance(value, int | float) and not isinstance(value, bool):
            raise ValueError(_TRUTH)
        return value


@functools.cache
def _kinds(table: type[Section], key: str) -> frozenset[Any]:
    """Returns the types that a key of a table may have."""
    return frozenset(leaves(table.model_fields[key].annotation))


def no_truth(value: Any) -> Any:
    """Returns the value unchanged.

    Raises:
        ValueError: it is ``True`` or ``False``, or a list with one of them.
    """
    if isinstance(value, bool):
        raise ValueError("must not be true or false")
    if isinstance(value, list | tuple):
        for one in value:
            no_truth(one)
    return value


def cause_of(error: ValidationError) -> BaseException:
    """Returns the exception of a user's file, if it caused the error; else the error itself."""
    found = (problem.get("ctx", {}).get("error") for problem in error.errors(include_url=False))
    return next((one.__cause__ for one in found if isinstance(one, Exception) and one.__cause__ is not None), error)


def describe(error: ValidationError, source: str, values: Any) -> ConfigError:
    """Converts a pydantic error to one line per problem, with key, value and remedy.

    Args:
        error: pydantic's error.
        source: name of the input, for messages.
        values: validated values; they distinguish keys from pydantic's names for the alternatives of a union.
    """
    lines: dict[str, None] = {}
    for problem in _of_fitting_alternatives(error, values):
        key = ".".join(_keys(problem["loc"], values))
        message = _WORDS.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")
        message = message.replace("Input should", "must", 1)
        if problem["type"] in ("too_short", "too_long"):
            message = message.replace("Tuple should", "must", 1).replace(" after validation", "", 1)
        given = problem["input"]
        shown = (
            "" if isinstance(given, Mapping | BaseModel) or problem["type"] == "missing" else f" (got {_short(given)})"
        )
        lines[f"{key}: {message}{shown}" if key else f"{message}{shown}"] = None
    return ConfigError(f"{source} is not valid:\n  " + "\n  ".join(lines))


def _of_fitting_alternatives(error: ValidationError, values: Any) -> list[Any]:
    """Returns the problems, for a union those of one alternative only: that with the deepest problem, or else the first."""
    problems: list[Any] = list(error.errors(include_url=False))
    chosen: dict[tuple[int | str, ...], tuple[int, int | str | None]] = {}
    places = []
    for problem in problems:
        location = problem["loc"]
        at = _alternative(location, values)
        union, name = location[:at], location[at] if at < len(location) else None
        places.append((union, name))
        if union not in chosen or len(location) > chosen[union][0]:
            chosen[union] = (len(location), name)
    return [problem for problem, (union, name) in zip(problems, places, strict=True) if name == chosen[union][1]]


def _alternative(location: Sequence[int | str], values: Any) -> int:
    """Returns the position of the first alternative's name in a location; its length if there is none."""
    for place, part in enumerate(location):
        if isinstance(part, str) and not isinstance(values, Mapping):
            return place
        values = _inside(values, part)
    return len(location)


def _keys(location: Iterable[int | str], values: Any) -> list[str]:
    """Returns the keys of the path to a value, without pydantic's names for alternatives."""
    keys = []
    for part in location:
        if isinstance(part, int) or isinstance(values, Mapping):
            keys.append(str(part))
            values = _inside(values, part)
    return keys


def _inside(values: Any, part: int | str) -> Any:
    if isinstance(values, Mapping):
        return values.get(part)
    if isinstance(values, list | tuple) and isinstance(part, int) and part < len(values):
        return values[part]
    return None


_NUMBER, _WHOLE, _TABLE, _TRUTH = (
    "must be a number",
    "must be a whole number",
    "must be a table",
    "must be true or false",
)
TIME_EXPECTED = "must be a date, such as 2018-01-31, or a date and a time, such as 2018-01-31T12:30"

_WORDS = {
    **dict.fromkeys(("float_type", "float_parsing"), _NUMBER),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), _WHOLE),
    "int_parsing_size": "is too large",
    **dict.fromkeys(("dict_type", "model_type"), _TABLE),
    **dict.fromkeys(("bool_type", "bool_parsing"), _TRUTH),
    **dict.fromkeys(("datetime_type", "datetime_parsing", "datetime_from_date_parsing"), TIME_EXPECTED),
    "tuple_type": "must be a list",
    "string_type": "must be text in quotes",
    "missing": "is missing",
}
"""Pydantic's error types, in the terms of a study file."""


def _short(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    try:
        text = repr(value)
    except ValueError:  # a whole number with more digits than Python writes
        return "a number of thousands of digits"
    return text if len(text) <= _LONGEST else reprlib.repr(value)


_LONGEST = 200  # characters of a value in a message
