"""Migrates studies that older versions stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["renewed"]


_REMOVED = {"search": ("trial_timeout_minutes",)}
"""Table → keys of older versions that had no effect on results."""


def renewed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a stored study in the terms of the current version, without removed keys.

    What version 0.1.0 called ``update.interpolation = "optimal"`` is now ``"published_optimal"``. A study without the key
    ``data.stamps`` is one of 0.1.0.

    Args:
        config: the stored study as JSON values, of any version.
    """
    kept = dict(config)
    for table, keys in _REMOVED.items():
        if isinstance(config.get(table), Mapping):
            kept[table] = {key: value for key, value in config[table].items() if key not in keys}
    data = kept.get("data")
    if not isinstance(data, Mapping) or "stamps" in data:
        return kept
    parts = kept.get("subsidiaries") or {}
    return {**_with_interpolation(kept), "subsidiaries": {name: _with_interpolation(parts[name]) for name in parts}}


def _with_interpolation(pool: Mapping[str, Any]) -> dict[str, Any]:
    update = pool.get("update")
    if not isinstance(update, Mapping) or update.get("interpolation") != "optimal":
        return dict(pool)
    return {**pool, "update": {**update, "interpolation": "published_optimal"}}
