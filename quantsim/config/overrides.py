"""Changes to the tables of a study: assignments from the command line, and merged tables."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from quantsim.config.toml_file import toml_value
from quantsim.errors import ConfigError

__all__ = ["assigned", "merged"]


def assigned(tables: Mapping[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    """Returns the tables with ``section.key=value`` assignments applied, where each value is TOML.

    Raises:
        ConfigError: an assignment does not have the form ``key=value``, or its key is not inside a table.
    """
    values = copy.deepcopy(dict(tables))
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not all(part.strip() for part in key.split(".")):
            raise ConfigError(f"{assignment!r} must have the form key=value, e.g. fees.swap_fee=0.003")
        *names, last = key.strip().split(".")
        target = values
        for name in names:
            target = target.setdefault(name, {})
            if not isinstance(target, dict):
                raise ConfigError(f"{assignment!r}: {name!r} is not a table")
        target[last] = toml_value(text.strip(), key.strip())
    return values


def merged(tables: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the tables with ``others`` merged into them. Values that are not tables replace the existing ones."""
    found = dict(tables)
    for name, table in others.items():
        merges = isinstance(table, Mapping) and isinstance(found.get(name), Mapping)
        found[name] = {**found[name], **table} if merges else table
    return found
