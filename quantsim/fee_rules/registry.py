"""Finds a fee rule by its name: each module of this package that defines ``FEE_RULE``, and the objects of users' files."""

from __future__ import annotations

import functools
import importlib

import quantsim.fee_rules
from quantsim.discovery import from_file, is_in_file, module_names
from quantsim.errors import ConfigError, nearest
from quantsim.fee_rules.base import FeeRule

__all__ = ["fee_rule_names", "get_fee_rule"]

_NOT_RULES = frozenset({"base", "registry"})


@functools.cache
def fee_rule_names() -> tuple[str, ...]:
    """The names of all fee rules that come with quantsim, sorted; nothing is imported to find them."""
    return module_names(quantsim.fee_rules, without=_NOT_RULES)


def get_fee_rule(name: str) -> FeeRule:
    """The fee rule of that name, or the one that ``path/to/file.py:name`` stands for.

    Raises:
        ConfigError: there is none; the message suggests the nearest.
    """
    if is_in_file(name):
        user_rule: FeeRule = from_file(name, FeeRule)
        return user_rule
    if name not in fee_rule_names():
        raise ConfigError(f"unknown fee rule {name!r}: {nearest(name, fee_rule_names())}, or path/to/file.py:name")
    rule: FeeRule = importlib.import_module(f"quantsim.fee_rules.{name}").FEE_RULE
    return rule
