"""What all sections of an experiment share: frozen, hashable, strict about unknown keys, and plain about what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from quantsim.errors import ConfigError, nearest

__all__ = ["Section", "describe"]


class Section(BaseModel):
    """One table of a study file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _reject_unknown_keys(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            for key in values:
                if key not in cls.model_fields:
                    raise ValueError(f"unknown key {key!r}: {nearest(str(key), cls.model_fields)}")
        return values


def describe(error: ValidationError, source: str, values: Any = None) -> ConfigError:
    """Rewords a pydantic error: one line per problem, each with its key, its value and what would be right.

    Args:
        error: as raised.
        source: what was read, as the user knows it.
        values: what was validated; tells the keys of tables that are kept as pairs.
    """
    lines = []
    for problem in error.errors(include_url=False):
        key = ".".join(_keys(problem["loc"], values))
        message = problem["msg"].removeprefix("Value error, ")
        given = problem["input"]
        shown = "" if isinstance(given, Mapping | BaseModel) or problem["type"] == "missing" else f" (got {given!r})"
        lines.append(f"{key}: {message}{shown}" if key else f"{message}{shown}")
    return ConfigError(f"{source} is not valid:\n  " + "\n  ".join(lines))


def _keys(location: tuple[int | str, ...], values: Any) -> Iterator[str]:
    """The keys on the way to a value; pydantic counts the pairs of a table, and their halves, where it is kept as pairs."""
    parts = iter(location)
    for part in parts:
        if isinstance(part, int) and isinstance(values, Mapping):
            name = list(values)[part]
            next(parts, None)  # 0 for the key itself, 1 for its value
        else:
            name = part
        known = isinstance(values, Mapping) and name in values
        values = values[name] if known else None
        yield str(name)
