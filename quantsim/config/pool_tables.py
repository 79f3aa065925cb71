"""The tables ``pool`` and ``subsidiaries``: their own keys, and those of the mechanism that ``type`` names."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Annotated, Any, Self, cast

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from quantsim.discovery import is_loadable
from quantsim.pools.registry import checked_pool_name, get_pool, pool_names, pool_type
from quantsim.pools.settings import Fees, PoolSettings, Update
from quantsim.settings.base import Section
from quantsim.settings.kinds import Positive, distinct

__all__ = ["Pool", "PoolTable", "Subsidiary"]


class PoolTable(PoolSettings):
    """A table of a study that says what a pool is. What is made of one has the settings of its mechanism, too."""

    @property
    def mechanism(self) -> str:
        """The name of the pool's mechanism."""
        return pool_type(dict(self))

    @classmethod
    def read_as(cls, values: Mapping[str, Any]) -> tuple[type[Section], Mapping[str, Any]]:
        """Returns the table with the settings of its mechanism; without them if the mechanism is in a user's file."""
        try:
            name = pool_type(values)
            if name not in pool_names():
                return cls, values
            table = _with_settings(cls, get_pool(name).settings)
            return table, _without_others(values, table, name)
        except ValueError:  # no table that this version would accept
            return cls, values

    @model_validator(mode="wrap")
    @classmethod
    def _of_its_mechanism(cls, values: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        if cls.__bases__[0] is not PoolTable or not isinstance(values, Mapping):
            return handler(values)
        given = values.get("type")
        try:
            name = pool_type(values)
            name = checked_pool_name(name, info.context) if isinstance(name, str) else "weighted"
        except ValueError as error:
            wrong: Any = {"type": "value_error", "loc": ("type",), "input": given, "ctx": {"error": error}}
            raise ValidationError.from_exception_data(cls.__name__, [wrong]) from error
        table = _with_settings(cls, get_pool(name).settings if is_loadable(name) else _UnreadSettings)
        own = _without_others(values, table, name)
        if isinstance(given, str) and name == pool_type({**own, "type": None}):
            own["type"] = None  # it is what the rule stands for anyway, and the same study
        return cast(Self, table.model_validate(own, context=info.context))

    def __reduce__(self) -> tuple[Any, ...]:
        """By the names of the table and of the mechanism: their class is made at run time."""
        role = next(base for base in type(self).__mro__ if base.__bases__[0] is PoolTable)
        return _restored, (role, self.mechanism, self.__getstate__())


class Pool(PoolTable):
    """The pool itself. ``tokens`` are those of ``data`` unless set; subsidiary pools may stand among them."""

    tokens: Annotated[tuple[str, ...], Field(min_length=2), AfterValidator(distinct)] | None = None
    """What the pool holds: tokens, and names of subsidiaries; by default the tokens of ``data``."""
    initial_value_usd: Annotated[Positive, Field(ge=1e-6)] = 1_000_000.0
    """Value of the reserves at the first bar, in USD."""


class Subsidiary(PoolTable):
    """A pool whose shares another pool holds. It updates as that one does unless it says otherwise, and has its own fees."""

    tokens: Annotated[tuple[str, ...], Field(min_length=2), AfterValidator(distinct)]
    """What the pool holds: tokens, and names of other subsidiaries."""
    update: Update | None = None
    """When and how fast its weights move; by default as those of the main pool."""
    fees: Fees = Fees()
    """Its own trading costs."""


class _UnreadSettings(PoolSettings):
    """Settings of a user's pool in a stored study that is only read: any keys."""

    model_config = ConfigDict(extra="allow")


@functools.cache
def _with_settings(table: type[PoolTable], settings: type[PoolSettings]) -> type[PoolTable]:
    return type(table.__name__, (table, settings), {"__module__": table.__module__, "__doc__": settings.__doc__})


def _restored(table: type[PoolTable], mechanism: str, state: dict[str, Any]) -> PoolTable:
    made = _with_settings(table, get_pool(mechanism).settings if is_loadable(mechanism) else _UnreadSettings)
    restored = made.__new__(made)
    restored.__setstate__(state)
    return restored


def _without_others(values: Mapping[str, Any], table: type[PoolTable], name: str) -> dict[str, Any]:
    """Returns the values without settings of other mechanisms, which a study has if its pool was one of these.

    Raises:
        ValueError: one of them is not at its default.
    """
    kept = dict(values)
    if issubclass(table, _UnreadSettings):
        return kept
    others: dict[str, list[str]] = {}
    for other in pool_names():
        for key in kept.keys() & get_pool(other).settings.model_fields.keys() - table.model_fields.keys():
            others.setdefault(key, []).append(other)
    for key, names in others.items():
        value, default = kept.pop(key), get_pool(names[0]).settings.model_fields[key].default
        if not _is_default(value, default):
            types = " or ".join(map(repr, names))
            raise ValueError(
                f"{key} = {value!r} is a setting of pools of type {types}, and this one is of type {name!r}: take {key} out, "
                "or set type"
            )
    return kept


def _is_default(value: Any, default: Any) -> bool:
    """Whether a value, as a study or JSON has it, is the default of a key. Python takes ``True`` for 1, too."""
    if default == ():
        return isinstance(value, Mapping | list | tuple) and not value
    return type(value) is type(default) and bool(value == default)
