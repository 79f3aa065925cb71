"""Paths in a study. They are made absolute when the study is read, and do not count in its identity."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from quantsim.config.locate import bundled_names
from quantsim.discovery import is_in_file
from quantsim.prices.synthetic.source import is_synthetic, relocated
from quantsim.project import project_settings

__all__ = ["MEMORY", "absolute_paths", "with_source", "without_places"]

MEMORY = "memory"
"""The ``data.source`` of stored runs on prices in memory; it cannot be loaded."""

_NO_PATHS = ("bundled", MEMORY)
_SOURCE, _SERIES, _SPACE, _RULE, _MODEL = "source", "series", "space", "rule", "model"

_KEYS = {
    ("data", "source"): _SOURCE,
    ("data", "synthetic", "source"): _SOURCE,
    ("series", "*"): _SERIES,
    ("search", "space"): _SPACE,
    ("pool", "type"): _RULE,
    ("pool", "rule"): _RULE,
    ("pool", "ensemble", "*"): _RULE,
    ("fees", "rule"): _RULE,
    ("fees", "volume_model"): _MODEL,
    ("subsidiaries", "*", "type"): _RULE,
    ("subsidiaries", "*", "rule"): _RULE,
    ("subsidiaries", "*", "ensemble", "*"): _RULE,
    ("subsidiaries", "*", "fees", "rule"): _RULE,
}
"""Keys that hold paths, and the kind of each; an asterisk stands for any key."""


def with_source(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the tables of a study with the project's source of prices, if the study names none and the project has one.

    Raises:
        ConfigError: as in :func:`quantsim.project.project_settings`.
    """
    data = values.get("data")
    if not isinstance(data, Mapping) or not data.keys().isdisjoint({"source", "synthetic"}):
        return dict(values)
    setting = project_settings().get("prices")
    if setting is None:
        return dict(values)
    keep = is_synthetic(setting.value) or setting.value in _NO_PATHS
    return {**values, "data": {**data, "source": setting.value if keep else os.path.abspath(setting.value)}}


def absolute_paths(values: Mapping[str, Any], base: Path, known: Collection[str] = ()) -> dict[str, Any]:
    """Returns the tables of a study with absolute paths. Bundled names do not change.

    Args:
        values: nested tables. They may be invalid; validation follows later.
        base: folder of relative paths.
        known: names of users' rules that do not change.
    """

    def place(text: str) -> str:
        return os.path.abspath(base / os.path.expanduser(text))

    def absolute(kind: str, text: str) -> str:
        if kind == _RULE:
            path, _, attribute = text.rpartition(":")
            return f"{place(path)}:{attribute}" if is_in_file(text) and text not in known else text
        if kind == _SOURCE and is_synthetic(text):
            return relocated(text, place)
        is_name = text in _NO_PATHS if kind == _SOURCE else kind == _SPACE and text in bundled_names("search_spaces")
        return text if is_name or not text or "://" in text else place(text)  # a URL must stay recognisable

    return _replaced(values, absolute)


def without_places(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the tables of a study without the paths of its series."""
    return _replaced(values, lambda kind, text: "file" if kind == _SERIES else text)


def _replaced(
    values: Mapping[str, Any], replace: Callable[[str, str], str], above: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Returns a copy of nested tables with ``replace(kind, text)`` for every path."""
    tables = {}
    for key, value in values.items():
        at = (*above, key)
        if isinstance(value, Mapping):
            value = _replaced(value, replace, at)
        elif isinstance(value, str | os.PathLike) and (kind := _kind_of(at)) is not None:
            value = replace(kind, os.fspath(value))
        tables[key] = value
    return tables


def _kind_of(at: tuple[str, ...]) -> str | None:
    for pattern, kind in _KEYS.items():
        if len(at) == len(pattern) and all(want in ("*", key) for want, key in zip(pattern, at, strict=True)):
            return kind
    return None
