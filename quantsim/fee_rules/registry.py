"""Finds a fee rule by its name: each module of this package that defines ``FEE_RULE``, and the objects of users' files."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from quantsim.discovery import Registry, SourceName
from quantsim.fee_rules.base import FeeRule

__all__ = ["checked_fee_rule_name", "fee_rule_names", "get_fee_rule"]

_FEE_RULES = Registry("quantsim.fee_rules", "FEE_RULE", FeeRule, "fee rule", frozenset({"base", "registry"}))


@functools.cache
def fee_rule_names() -> tuple[str, ...]:
    """The names of all fee rules that come with quantsim, sorted."""
    return _FEE_RULES.names()


def get_fee_rule(name: str) -> FeeRule:
    """The fee rule of that name, or the one that ``path/to/file.py:name`` stands for; ConfigError where there is none."""
    return _FEE_RULES.get(name)


def checked_fee_rule_name(name: str, known: Mapping[str, SourceName] | None = None) -> str:
    """The name, once it is sure that there is such a fee rule; see :meth:`quantsim.discovery.Registry.checked`."""
    return _FEE_RULES.checked(name, known)
