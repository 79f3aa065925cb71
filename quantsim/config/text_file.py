"""Text files in: the content of a study, a search space or a fingerprint, and how deep its tables may be nested."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quantsim.errors import ConfigError, reason_of

__all__ = ["DEEPEST", "check_depth", "read_text"]

DEEPEST = 32
"""Tables and lists that may lie in each other."""

_MOST_BYTES = 4_000_000


def read_text(path: Path, what: str, *, form: str, otherwise: str) -> str:
    """The content of a file.

    Args:
        path: of the file.
        what: it is, for messages: "study file".
        form: of its content: "TOML".
        otherwise: a question for a file that is too large to be one.

    Raises:
        ConfigError: it cannot be read, is no file, is larger than 4 MB, or is not UTF-8.
    """
    shown = f"{what} {path}"
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(f"{shown} is no file: give the path of a {form} file")
        if status.st_size > _MOST_BYTES:
            raise ConfigError(
                f"{shown} has {status.st_size:,} bytes, and at most {_MOST_BYTES:,} are read: {otherwise}"
            )
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
    """Refuses what is nested too deeply, which functions that call themselves could not walk.

    Raises:
        ConfigError: more than :data:`DEEPEST` tables and lists lie in each other.
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
