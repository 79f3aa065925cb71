"""Finds rules by name: ``RULE`` of each module in this package, and objects in users' files."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from quantsim.discovery import Registry, SourceName
from quantsim.rules.base import Rule

__all__ = ["checked_rule_name", "get_rule", "rule_name", "rule_names"]

_RULES = Registry("quantsim.rules", "RULE", Rule, "rule", frozenset({"base", "capping", "ensemble", "registry"}))


@functools.cache
def rule_names() -> tuple[str, ...]:
    """Returns the names of all rules of quantsim, sorted."""
    return _RULES.names()


def get_rule(name: str) -> Rule:
    """Returns the rule with this name, or the one at ``path/to/file.py:name``; ConfigError if there is none."""
    return _RULES.get(name)


def rule_name(found: Rule) -> str:
    """Returns the name of a rule object in studies; see :meth:`quantsim.discovery.Registry.name_of`."""
    return _RULES.name_of(found)


def checked_rule_name(name: str, known: Mapping[str, SourceName] | None = None) -> str:
    """Returns the name if there is such a rule; see :meth:`quantsim.discovery.Registry.checked`."""
    return _RULES.checked(name, known)
