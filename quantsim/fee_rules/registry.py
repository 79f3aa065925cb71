"""Finds fee rules by name: ``FEE_RULE`` of each module in this package, and objects in users' files."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from quantsim.discovery import Registry, SourceName
from quantsim.fee_rules.base import FeeRule

__all__ = ["checked_fee_rule_name", "fee_rule_name", "fee_rule_names", "get_fee_rule"]

_FEE_RULES = Registry("quantsim.fee_rules", "FEE_RULE", FeeRule, "fee rule", frozenset({"base", "registry"}))


@functools.cache
def fee_rule_names() -> tuple[str, ...]:
    """Returns the names of all fee rules of quantsim, sorted."""
    return _FEE_RULES.names()


def get_fee_rule(name: str) -> FeeRule:
    """Returns the fee rule with this name, or the one at ``path/to/file.py:name``; ConfigError if there is none."""
    return _FEE_RULES.get(name)


def fee_rule_name(found: FeeRule) -> str:
    """Returns the name of a fee rule object in studies; see :meth:`quantsim.discovery.Registry.name_of`."""
    return _FEE_RULES.name_of(found)


def checked_fee_rule_name(name: str, known: Mapping[str, SourceName] | None = None) -> str:
    """Returns the name if there is such a fee rule; see :meth:`quantsim.discovery.Registry.checked`."""
    return _FEE_RULES.checked(name, known)
