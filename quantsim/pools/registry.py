"""Finds a pool by its name: each module of this package that defines ``POOL``, and the objects of users' files."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from quantsim.discovery import Registry, SourceName
from quantsim.pools.base import Pool

__all__ = ["checked_pool_name", "get_pool", "pool_names", "pool_type"]

_OTHERS = frozenset({"base", "market", "registry", "settings"})
_POOLS = Registry("quantsim.pools", "POOL", Pool, "pool type", _OTHERS)

_OF_RULE = {"cow": "batch", "hodl": "hold"}
"""Rules that stand for a pool where a study leaves ``type`` out."""


@functools.cache
def pool_names() -> tuple[str, ...]:
    """The names of all pools that come with quantsim, sorted."""
    return _POOLS.names()


def get_pool(name: str) -> Pool:
    """The pool of that name, or the one that ``path/to/file.py:name`` stands for; ConfigError where there is none."""
    return _POOLS.get(name)


def checked_pool_name(name: str, known: Mapping[str, SourceName] | None = None) -> str:
    """The name, once it is sure that there is such a pool; see :meth:`quantsim.discovery.Registry.checked`."""
    return _POOLS.checked(name, known)


def pool_type(table: Mapping[str, Any]) -> str:
    """The name of the pool that a table of settings is for: its ``type``, or else what its ``rule`` stands for.

    Raises:
        ValueError: the rule stands for another pool.
    """
    rule, given = table.get("rule"), table.get("type")
    meant = _OF_RULE.get(rule, "weighted") if isinstance(rule, str) else "weighted"
    if given == "weighted" != meant:
        raise ValueError(
            f"rule = {rule!r} stands for type = {meant!r}: leave type = 'weighted' out, or set rule = 'balancer'"
        )
    return meant if given is None else given
