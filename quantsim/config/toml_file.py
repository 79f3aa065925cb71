"""Reads TOML: study files, search spaces, and the values of overrides."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from quantsim.config.text_file import DEEPEST, check_depth, read_text
from quantsim.errors import ConfigError

__all__ = ["read_toml", "toml_value"]

_WORD = re.compile(r"[\w.+-]+")


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Reads the tables of a TOML file.

    Args:
        path: path of the file.
        what: kind of file, for messages: "study file".

    Raises:
        ConfigError: the path is not a file, or the file cannot be read, is larger than 4 MB, is not UTF-8 or not TOML, or is
            nested too deeply.
    """
    text = read_text(path, what, form="TOML", otherwise=f"is it a {what}?")
    shown = f"{what} {path}"
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{shown} is nested too deeply: at most {DEEPEST} levels") from None
    except ValueError as error:  # not TOML, or a number with thousands of digits
        raise ConfigError(f"{shown} is not TOML: {error}") from error
    check_depth(tables, shown)
    return tables


def toml_value(text: str, key: str) -> Any:
    """Parses a TOML value, or words and numbers with commas between them as a list.

    Other text that is not valid TOML is returned as it is, like on any command line.

    Raises:
        ConfigError: the value is nested too deeply.
    """
    try:
        tables = tomllib.loads(f"value = {text}")
    except RecursionError:
        raise ConfigError(f"{key} is nested too deeply: at most {DEEPEST} levels") from None
    except ValueError:
        parts = text.split(",")
        if len(parts) > 1 and all(map(_WORD.fullmatch, parts)):
            return [toml_value(part, key) for part in parts]
        return text
    return tables["value"] if len(tables) == 1 else text  # further lines must not be lost
