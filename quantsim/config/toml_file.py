"""TOML in: study files, search spaces, and the values of overrides."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quantsim.errors import ConfigError

__all__ = ["check_depth", "read_toml", "toml_value"]

_MOST_BYTES = 4_000_000
_DEEPEST = 32


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The tables of a TOML file.

    Args:
        path: of the file.
        what: it is, for messages: "study file".

    Raises:
        ConfigError: it cannot be read, is no file, is larger than 4 MB, is not UTF-8 or not TOML, or is nested too deeply.
    """
    shown = f"{what} {path}"
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(f"{shown} is no file: give the path of a TOML file")
        if status.st_size > _MOST_BYTES:
            raise ConfigError(
                f"{shown} has {status.st_size:,} bytes, and at most {_MOST_BYTES:,} are read: is it a {what}?"
            )
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise ConfigError(
                f"{shown} is not UTF-8 (byte {error.start} is {error.object[error.start]:#04x}): save it as UTF-8"
            ) from error
        raise ConfigError(f"{shown} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{shown} is nested too deeply: at most {_DEEPEST} levels") from None
    except ValueError as error:  # not TOML, or a number with thousands of digits
        raise ConfigError(f"{shown} is not TOML: {error}") from error
    check_depth(tables, shown)
    return tables


def toml_value(text: str, key: str) -> Any:
    """The value of a key that a text is in TOML; the text itself where it is none, as on any command line.

    Raises:
        ConfigError: it is nested too deeply.
    """
    try:
        tables = tomllib.loads(f"value = {text}")
    except RecursionError:
        raise ConfigError(f"{key} is nested too deeply: at most {_DEEPEST} levels") from None
    except ValueError:
        return text
    return tables["value"] if len(tables) == 1 else text  # further lines would be lost


def check_depth(values: Any, source: str) -> None:
    """Refuses what is nested too deeply, which functions that call themselves could not walk.

    Raises:
        ConfigError: more than 32 tables and lists lie in each other.
    """
    level = [values]
    for _ in range(_DEEPEST + 1):
        level = [inside for value in level for inside in _content(value)]
        if not level:
            return
    raise ConfigError(f"{source} is nested too deeply: at most {_DEEPEST} levels")


def _content(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else []
