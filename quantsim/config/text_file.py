"""Reads the text of a study, a search space or a fingerprint, and limits the depth of nested tables."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quantsim.errors import ConfigError, reason_of

__all__ = ["DEEPEST", "check_depth", "read_text"]

DEEPEST = 32
"""Largest depth of nested tables and lists."""

_MOST_BYTES = 4_000_000


def read_text(path: Path, what: str, *, form: str, otherwise: str) -> str:
    """Reads the content of a file.

    Args:
        path: path of the file.
        what: kind of file, for messages: "study file".
        form: format of the content, for messages: "TOML".
        otherwise: question for the user if the file is too large.

    Raises:
        ConfigError: the path is not a file, or the file cannot be read, is larger than 4 MB, or is not UTF-8.
    """
    shown = f"{what} {path}"
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(f"{shown} is not a file: give the path of a {form} file")
        if status.st_size > _MOST_BYTES:
            raise ConfigError(f"{shown} has {status.st_size:,} bytes, but the limit is {_MOST_BYTES:,}: {otherwise}")
        return path.read_text(encoding="utf-8-sig")
    except ConfigError:
        raise
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{shown} is not UTF-8 (byte {error.start} is {error.object[error.start]:#04x}): save it as UTF-8"
        ) from error
    except (OSError, ValueError) as error:  # such as a path with a zero byte
        raise ConfigError(f"{shown} cannot be read: {reason_of(error)}") from error


def check_depth(values: Any, source: str) -> None:
    """Checks the depth of nested values, so that recursive functions can process them.

    Raises:
        ConfigError: tables and lists are nested more than :data:`DEEPEST` levels deep.
    """
    level = [values]
    for _ in range(DEEPEST + 1):
        level = [inside for value in level for inside in _content(value)]
        if not level:
            return
    raise ConfigError(f"{source} is nested too deeply: at most {DEEPEST} levels")


def _content(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else []
