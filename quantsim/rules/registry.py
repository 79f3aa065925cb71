"""Finds a rule by its name: each module of this package that defines ``RULE`` is one, and so are objects of users' files."""

from __future__ import annotations

import functools
import importlib

import quantsim.rules
from quantsim.discovery import from_file, is_in_file, module_names
from quantsim.errors import ConfigError, nearest
from quantsim.rules.base import Rule

__all__ = ["get_rule", "rule_names"]

_NOT_RULES = frozenset({"base", "ensemble", "registry"})


@functools.cache
def rule_names() -> tuple[str, ...]:
    """The names of all rules that come with quantsim, sorted; nothing is imported to find them."""
    return module_names(quantsim.rules, without=_NOT_RULES)


def get_rule(name: str) -> Rule:
    """The rule of that name, or the one that ``path/to/file.py:name`` stands for.

    Raises:
        ConfigError: there is none; the message suggests the nearest.
    """
    if is_in_file(name):
        user_rule: Rule = from_file(name, Rule)
        return user_rule
    if name not in rule_names():
        raise ConfigError(f"unknown rule {name!r}: {nearest(name, rule_names())}, or path/to/file.py:name for your own")
    rule: Rule = importlib.import_module(f"quantsim.rules.{name}").RULE
    return rule
