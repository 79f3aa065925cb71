"""What all sections of an experiment share: frozen, hashable, strict about unknown keys, and plain about what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
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


def describe(error: ValidationError, source: str) -> ConfigError:
    """Rewords a pydantic error: one line per problem, each with its key, its value and what would be right."""
    lines = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        given = problem["input"]
        shown = "" if isinstance(given, Mapping | BaseModel) or problem["type"] == "missing" else f" (got {given!r})"
        lines.append(f"{key}: {message}{shown}" if key else f"{message}{shown}")
    return ConfigError(f"{source} is not valid:\n  " + "\n  ".join(lines))
