"""The names and folders of bundled files: search spaces and studies.

In a checkout they are in folders next to the package. In a wheel they are inside it, under ``quantsim/bundled``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

__all__ = ["SUFFIX", "Kind", "bundled_folder", "bundled_names"]

Kind = Literal["search_spaces", "studies"]

SUFFIX = ".toml"


def bundled_names(kind: Kind) -> tuple[str, ...]:
    """Returns the names of the bundled files of a kind, sorted."""
    return tuple(sorted(path.stem for path in bundled_folder(kind).glob(f"*{SUFFIX}")))


def bundled_folder(kind: Kind) -> Path:
    """Returns the folder of the bundled files of a kind."""
    package = Path(__file__).parent
    inside = package / "bundled" / kind
    return inside if inside.is_dir() else package.parent / kind
