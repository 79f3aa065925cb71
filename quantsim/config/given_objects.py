"""Rules, fee rules and pools that a study is given as objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quantsim.discovery import SourceName
from quantsim.fee_rules import FeeRule
from quantsim.fee_rules.registry import fee_rule_name
from quantsim.pools.base import Pool
from quantsim.pools.registry import pool_name
from quantsim.rules import Rule
from quantsim.rules.registry import rule_name

__all__ = ["with_names"]


def with_names(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, SourceName]]:
    """Returns the tables of a study with names in place of objects, and the names of the users' own.

    Raises:
        ConfigError: the source of an object cannot be hashed.
    """
    given: dict[str, SourceName] = {}

    def named(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: named(one) for key, one in value.items()}
        name = _name(value)
        if isinstance(name, SourceName):
            given[str(name)] = name
        return value if name is None else name

    return {key: named(value) for key, value in values.items()}, given


def _name(value: Any) -> str | None:
    if isinstance(value, Rule):
        return rule_name(value)
    if isinstance(value, FeeRule):
        return fee_rule_name(value)
    return pool_name(value) if isinstance(value, Pool) else None
