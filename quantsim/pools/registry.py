"""Finds a pool by name, among the modules of this package that define ``POOL`` and the objects in users' files."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from quantsim.discovery import Registry, SourceName
from quantsim.pools.base import Pool

__all__ = ["checked_pool_name", "get_pool", "pool_name", "pool_names", "pool_type"]

_OTHERS = frozenset({"base", "exogenous_swaps", "market", "registry", "run", "settings", "steered", "two_tokens"})
_POOLS = Registry("quantsim.pools", "POOL", Pool, "pool type", _OTHERS)

_OF_RULE = {"cow": "batch", "hodl": "hold"}
"""Rules that select a pool if a study does not set ``type``."""


@functools.cache
def pool_names() -> tuple[str, ...]:
    """Returns the names of all pools of quantsim, sorted."""
    return _POOLS.names()


def get_pool(name: str) -> Pool:
    """Returns the pool with this name, or the one at ``path/to/file.py:name``; raises ConfigError if there is none."""
    return _POOLS.get(name)


def pool_name(found: Pool) -> str:
    """Returns the name of a pool object in studies; see :meth:`quantsim.discovery.Registry.name_of`."""
    return _POOLS.name_of(found)


def checked_pool_name(name: str, known: Mapping[str, SourceName] | None = None) -> str:
    """Returns the name after checking that the pool exists; see :meth:`quantsim.discovery.Registry.checked`."""
    return _POOLS.checked(name, known)


def pool_type(table: Mapping[str, Any]) -> str:
    """Returns the name of the pool of a table of settings: its ``type``, or else the one that its ``rule`` selects.

    Raises:
        ValueError: the rule selects another pool.
    """
    rule, given = table.get("rule"), table.get("type")
    meant = _OF_RULE.get(rule, "weighted") if isinstance(rule, str) else "weighted"
    if given == "weighted" != meant:
        raise ValueError(
            f"rule = {rule!r} means type = {meant!r}: leave type = 'weighted' out, or set rule = 'balancer'"
        )
    return meant if given is None else given
