"""Finds bundled files, and those of users, by name or path."""

from __future__ import annotations

import os
from pathlib import Path

from quantsim.bundled_files import SUFFIX, Kind, bundled_folder, bundled_names
from quantsim.errors import ConfigError, nearest

__all__ = ["Kind", "bundled_names", "find_search_space", "find_study", "is_bundled"]

_WORDS: dict[Kind, str] = {"search_spaces": "search space", "studies": "study"}


def find_search_space(name_or_path: str | os.PathLike[str]) -> Path:
    """Returns the file of a search space.

    Args:
        name_or_path: name of a bundled one, such as ``momentum``, or the path of a file. If both exist, a plain name means the
            bundled one; ``./momentum``, or a :class:`~pathlib.Path`, means the file.

    Raises:
        ConfigError: neither exists; the message suggests the nearest name.
    """
    return _find("search_spaces", name_or_path)


def find_study(name_or_path: str | os.PathLike[str]) -> Path:
    """Returns the file of a study, like :func:`find_search_space`."""
    return _find("studies", name_or_path)


def is_bundled(path: Path) -> bool:
    """Whether a file that was found is a bundled one."""
    return path.parent in (bundled_folder("studies"), bundled_folder("search_spaces"))


def _find(kind: Kind, name_or_path: str | os.PathLike[str]) -> Path:
    names, text = bundled_names(kind), os.fspath(name_or_path)
    if isinstance(name_or_path, str) and text in names:
        return bundled_folder(kind) / f"{text}{SUFFIX}"
    path = Path(os.path.expanduser(text))
    if os.path.isfile(path):  # unlike the methods of Path, this never raises an error
        return path
    raise ConfigError(
        f"no {_WORDS[kind]} {text!r}: it is not a file and not a bundled name; {nearest(path.stem, names)}"
    )
