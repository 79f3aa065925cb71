"""Configuration dictionaries in files: JSON."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from quantsim.config.toml_file import check_depth
from quantsim.errors import ConfigError

__all__ = ["read_fingerprint"]

_MOST_BYTES = 4_000_000


def read_fingerprint(path: Path) -> dict[str, Any]:
    """The dictionary of a JSON file.

    Raises:
        ConfigError: it cannot be read, is no file, is larger than 4 MB, is not UTF-8 or not JSON, or holds no dictionary.
    """
    shown = f"fingerprint {path}"
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(f"{shown} is no file: give the path of a JSON file")
        if status.st_size > _MOST_BYTES:
            raise ConfigError(
                f"{shown} has {status.st_size:,} bytes, and at most {_MOST_BYTES:,} are read: is it a result file? "
                "`quantsim import` reads those"
            )
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{shown} is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{shown} cannot be read: {error.strerror or error}") from error
    except RecursionError:
        raise ConfigError(f"{shown} is nested too deeply") from None
    except ValueError as error:
        raise ConfigError(f"{shown} is not JSON: {error}") from error
    if isinstance(content, str | list):
        raise ConfigError(f"{shown} is no dictionary: it looks like a result file, which `quantsim import` reads")
    if not isinstance(content, dict):
        raise ConfigError(f"{shown} must hold a dictionary of keys and values, not {content!r}")
    check_depth(content, shown)
    return content
