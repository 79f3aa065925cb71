"""The table of a searched parameter, in a search-space file or under ``[search.ranges]``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, Strict, model_validator

from quantsim.parameters.parameter import in_group
from quantsim.settings.base import Section
from quantsim.settings.kinds import Table

__all__ = ["Range", "Ranges", "by_parameter"]

Number = Annotated[float, Strict()]


class Range(Section):
    """The range of one searched parameter. Missing keys have the defaults of the rule.

    There are four ways, which exclude each other: a range (``low``, ``high``), a range around the study's value
    (``expand_around``), ``choices``, or a fixed ``value``. ``expand_around`` is a factor in human units on a logarithmic scale,
    else a distance. With ``units = "raw"``, all numbers are raw values (logits, log2s).
    """

    low: Number | None = None
    """Lower end of the range."""
    high: Number | None = None
    """Upper end of the range."""
    log: Annotated[bool, Strict()] | None = None
    """Whether the range is searched on a logarithmic scale."""
    scalar: Annotated[bool, Strict()] | None = None
    """Whether all tokens share one value."""
    step: Annotated[Number, Field(gt=0.0)] | None = None
    """Distance between neighbouring values; by default any value is possible."""
    choices: tuple[Number, ...] | None = None
    """The possible values, instead of a range."""
    value: Number | tuple[Number, ...] | None = None
    """A fixed value, which is not searched."""
    expand_around: Annotated[Number, Field(gt=0.0)] | None = None
    """Range around the study's value: a factor on a logarithmic scale, else a distance."""
    units: Literal["human", "raw"] = "human"
    """Units of all numbers of the table."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        ends = [name for name in ("low", "high") if getattr(self, name) is not None]
        ways = [name for name in ("choices", "value", "expand_around") if getattr(self, name) is not None]
        if len(ways) > 1 or (ends and ways):
            raise ValueError(f"{' and '.join([*ends, *ways])} contradict each other: give one of them")
        for name in ("step", "log") if ways and ways != ["expand_around"] else ():
            if getattr(self, name) is not None:
                raise ValueError(f"{name} is for ranges, not for {ways[0]}: remove it")
        if self.choices is not None and len(set(self.choices)) < max(len(self.choices), 2):
            raise ValueError(
                f"choices = {list(self.choices)} must be at least two different values; use value for a fixed one"
            )
        if self.log and self.step is not None:
            raise ValueError(f"step = {self.step:g} needs log = false: equal steps are not equal in the logarithm")
        if self.units == "raw" and not ways and len(ends) < 2:
            raise ValueError("units = 'raw' needs low and high: the defaults of the rule are in human units")
        return self


def by_parameter(tables: Mapping[str, Any], group: str = "") -> dict[str, Any]:
    """Returns the tables of parameters, with dotted names for groups. A table that only holds tables is a group."""
    found: dict[str, Any] = {}
    for name, table in tables.items():
        key = in_group(group, name)
        if isinstance(table, Mapping) and table and all(isinstance(value, Mapping) for value in table.values()):
            found |= by_parameter(table, key)
        elif isinstance(table, Mapping) and isinstance(found.get(key), Mapping):
            found[key] = {**found[key], **table}  # the same name, dotted and nested
        else:
            found[key] = table
    return found


Ranges = Annotated[tuple[tuple[str, Range], ...], Table(by_parameter)]
