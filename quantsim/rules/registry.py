"""Finds a rule by its name: each module of this package that defines ``RULE`` is one, and so are objects of users' files."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from quantsim.discovery import Registry, SourceName
from quantsim.rules.base import Rule

__all__ = ["checked_rule_name", "get_rule", "rule_names"]

_RULES = Registry("quantsim.rules", "RULE", Rule, "rule", frozenset({"base", "ensemble", "registry"}))


@functools.cache
def rule_names() -> tuple[str, ...]:
    """The names of all rules that come with quantsim, sorted."""
    return _RULES.names()


def get_rule(name: str) -> Rule:
    """The rule of that name, or the one that ``path/to/file.py:name`` stands for; ConfigError where there is none."""
    return _RULES.get(name)


def checked_rule_name(name: str, known: Mapping[str, SourceName] | None = None) -> str:
    """The name, once it is sure that there is such a rule; see :meth:`quantsim.discovery.Registry.checked`."""
    return _RULES.checked(name, known)
