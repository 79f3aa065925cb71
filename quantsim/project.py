"""Where a project keeps its store and prices: ``quantsim.toml``, or the table ``[tool.quantsim]`` of ``pyproject.toml``.

The file is searched for in the working folder and the folders above it. Environment variables come before it.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from quantsim.defaults import DEFAULT_STORE
from quantsim.errors import ConfigError, nearest, reason_of

__all__ = ["ENVIRONMENT", "Setting", "default_store", "project_settings"]

ENVIRONMENT = {"store": "QUANTSIM_STORE", "storage": "QUANTSIM_STORAGE", "prices": "QUANTSIM_PRICES"}
"""Key of the file → environment variable."""

_NAMES = ("quantsim.toml", "pyproject.toml")
_NO_PATHS = ("bundled", "synthetic:")
_SQLITE = "sqlite:///"
_NO_FILES = (f"{_SQLITE}:memory:", f"{_SQLITE}file:")


@dataclass(frozen=True)
class Setting:
    """A value that a project sets.

    Attributes:
        value: a path, absolute unless it is below the working folder, or a URL.
        origin: the file, or the environment variable, that sets it.
    """

    value: str
    origin: str


def project_settings(folder: str | os.PathLike[str] | None = None) -> dict[str, Setting]:
    """Returns the settings of the environment and of the project's file: "store", "storage", "prices", where they are set.

    Args:
        folder: folder to search from, upwards; default: the working folder.

    Raises:
        ConfigError: the file is not TOML, has an unknown key, or a value that is not a text.

    Example:
        >>> project_settings("/")
        {}
    """
    found = _from_file(Path.cwd() if folder is None else Path(folder).absolute())
    for key, name in ENVIRONMENT.items():
        if value := os.environ.get(name, "").strip():
            found[key] = Setting(value, f"the environment variable {name}")
    return found


def default_store() -> str:
    """Returns the location of the checkpoint store, unless another one is named: that of the project, if it has one.

    Raises:
        ConfigError: as in :func:`project_settings`.
    """
    setting = project_settings().get("store")
    return DEFAULT_STORE if setting is None else setting.value


def _from_file(folder: Path) -> dict[str, Setting]:
    for parent in (folder, *folder.parents):
        for name in _NAMES:
            path = parent / name
            table = _table(path) if path.is_file() else None
            if table is not None:
                return {key: Setting(_placed(value, parent), str(path)) for key, value in _checked(table, path)}
    return {}


def _table(path: Path) -> Any:
    """Returns the table of the settings; None if a ``pyproject.toml`` has none."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {reason_of(error)}") from error
    except ValueError as error:
        if path.name != _NAMES[0]:
            return None  # an error of another program's file
        raise ConfigError(f"{path} is not TOML: {error}") from error
    if path.name == _NAMES[0]:
        return tables
    tool = tables.get("tool")
    return tool.get("quantsim") if isinstance(tool, Mapping) else None


def _checked(table: Any, path: Path) -> list[tuple[str, str]]:
    where = f"{path}, [tool.quantsim]" if path.name != _NAMES[0] else str(path)
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where}: tool.quantsim = {table!r} must be a table")
    for key, value in table.items():
        if key not in ENVIRONMENT:
            raise ConfigError(f"{where}: unknown key {key!r}: {nearest(key, ENVIRONMENT)}")
        if not isinstance(value, str) or not value.strip():
            raise ConfigError(f"{where}: {key} = {value!r} must be a text, such as {key} = {_EXAMPLES[key]!r}")
    return list(table.items())


_EXAMPLES = {"store": "results/checkpoints.db", "storage": "results/study.journal", "prices": "prices"}


def _placed(value: str, folder: Path) -> str:
    """Returns a path of the file, or a path in a URL of SQLite, which is relative to the file's folder."""
    if value.startswith(_SQLITE) and not value.startswith(_NO_FILES):
        path, question, options = value.removeprefix(_SQLITE).partition("?")
        return f"{_SQLITE}{quote(_placed(unquote(path), folder))}{question}{options}" if path else value
    if "://" in value or value.startswith(_NO_PATHS):
        return value
    path = os.path.abspath(folder / os.path.expanduser(value))
    below = os.path.relpath(path)
    return path if below.startswith(os.pardir) else below
