"""Reads fingerprints from JSON files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from quantsim.config.text_file import DEEPEST, check_depth, read_text
from quantsim.errors import ConfigError

__all__ = ["read_fingerprint"]


def read_fingerprint(path: Path) -> dict[str, Any]:
    """Reads the dictionary in a JSON file.

    Raises:
        ConfigError: the file does not exist, cannot be read, is larger than 4 MB, is not UTF-8 or not JSON, or does not hold
            a dictionary.
    """
    text = read_text(path, "fingerprint", form="JSON", otherwise="is it a result file? `quantsim import` reads those")
    shown = f"fingerprint {path}"
    try:
        content = json.loads(text)
    except RecursionError:
        raise ConfigError(f"{shown} is nested too deeply: at most {DEEPEST} levels") from None
    except ValueError as error:
        raise ConfigError(f"{shown} is not JSON: {error}") from error
    if isinstance(content, str | list):
        raise ConfigError(f"{shown} is not a dictionary: it looks like a result file, which `quantsim import` reads")
    if not isinstance(content, dict):
        raise ConfigError(f"{shown} must hold a dictionary of keys and values, not {content!r}")
    check_depth(content, shown)
    return content
