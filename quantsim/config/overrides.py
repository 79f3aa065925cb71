"""Changes to the tables of a study: assignments from the command line, and merged tables."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from quantsim.config.toml_file import toml_value
from quantsim.errors import ConfigError

__all__ = ["assigned", "merged", "with_assignments", "with_tables"]


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


def with_tables(study: Mapping[str, Any], tables: Mapping[str, Any]) -> dict[str, Any]:
    """Returns all tables of a study with others merged into them; ``parameters`` is replaced as a whole."""
    kept = {name: {} if name == "parameters" and name in tables else table for name, table in study.items()}
    return merged(_without_synthetic(kept) if "source" in tables.get("data", {}) else kept, tables)


def with_assignments(study: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Returns all tables of a study with ``section.key=value`` assignments applied."""
    has_source = any(assignment.partition("=")[0].strip() == "data.source" for assignment in assignments)
    return assigned(_without_synthetic(study) if has_source else study, assignments)


def _without_synthetic(study: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the tables without the parameters of synthetic prices, which belong to the source that is replaced."""
    return {**study, "data": {key: value for key, value in study["data"].items() if key != "synthetic"}}
