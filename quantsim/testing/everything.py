"""Checks one object by name, or all objects of a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from quantsim.discovery import Registry, is_in_file, names_in_file
from quantsim.errors import ConfigError, nearest
from quantsim.fee_rules import FeeRule, fee_rule_names
from quantsim.metrics import Metric, metric_names
from quantsim.pools import Pool, pool_names
from quantsim.rules import Rule, rule_names
from quantsim.testing.metrics import check_metric
from quantsim.testing.pools import check_pool
from quantsim.testing.rules import check_fee_rule, check_rule

__all__ = ["check_all"]

_KINDS: dict[type, tuple[str, Callable[[], tuple[str, ...]], Callable[[Any], None]]] = {
    Rule: ("rule", rule_names, check_rule),
    FeeRule: ("fee rule", fee_rule_names, check_fee_rule),
    Metric: ("metric", metric_names, check_metric),
    Pool: ("pool", pool_names, check_pool),
}
"""Kind → what it is called, the names of those in the package, and its check."""

_IN_FILES: Registry[Any] = Registry("", "", Rule | FeeRule | Metric | Pool, "object", frozenset())  # type: ignore[arg-type]


def check_all(name: str | os.PathLike[str]) -> tuple[str, ...]:
    """Checks a rule, fee rule, metric or pool with the settings that their checks have by default.

    Args:
        name: ``"path/to/file.py:name"``; ``"path/to/file.py"`` for everything that the file has; or a name of the package.

    Returns:
        What was checked, as ``"rule 'calm_momentum'"`` each.

    Raises:
        ConformanceError: a law is broken.
        ConfigError: there is no such object, or the file has none.

    Example:
        >>> check_all("volatility")
        ("fee rule 'volatility'",)
    """
    name = os.fspath(name)
    if not is_in_file(name) and Path(name).suffix == ".py":
        if not (names := names_in_file(name, _IN_FILES.kind)):
            raise ConfigError(f"{name} has nothing to check: no Rule, FeeRule, Metric or Pool")
        return tuple(checked for one in names for checked in check_all(one))
    if is_in_file(name):
        found = _IN_FILES.get(name)
        called, _, check = next(entry for kind, entry in _KINDS.items() if isinstance(found, kind))
        check(name)
        return (f"{called} {found.name!r}",)
    entries = [entry for entry in _KINDS.values() if name in entry[1]()]
    if not entries:
        known = [one for _, names_of, _ in _KINDS.values() for one in names_of()]
        raise ConfigError(
            f"there is no {name!r} to check: {nearest(name, known)}, or path/to/file.py:name for your own"
        )
    for _, _, check in entries:
        check(name)
    return tuple(f"{called} {name!r}" for called, _, _ in entries)
