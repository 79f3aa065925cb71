"""Finds a rule by its name: every module of this package that defines ``RULE`` is one."""

from __future__ import annotations

import functools
import importlib
import pkgutil

import quantsim.rules
from quantsim.errors import ConfigError, nearest
from quantsim.rules.base import Rule

__all__ = ["get_rule", "rule_names"]

_NOT_RULES = frozenset({"base", "registry"})


@functools.cache
def rule_names() -> tuple[str, ...]:
    """The names of all rules, sorted; nothing is imported to find them."""
    return tuple(sorted({module.name for module in pkgutil.iter_modules(quantsim.rules.__path__)} - _NOT_RULES))


@functools.cache
def get_rule(name: str) -> Rule:
    """The rule of that name.

    Raises:
        ConfigError: there is none; the message suggests the nearest.
    """
    if name not in rule_names():
        raise ConfigError(f"unknown rule {name!r}: {nearest(name, rule_names())}")
    rule: Rule = importlib.import_module(f"quantsim.rules.{name}").RULE
    return rule
