"""A translated dictionary as a study file, with comments for what means something else."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import tomlkit

from quantsim.config.fingerprint.translate import Translation

__all__ = ["study_file"]

_WIDTH = 118


def study_file(translation: Translation, tables: Mapping[str, Any]) -> str:
    """The text of a study file (TOML) that loads as the tables do.

    Args:
        translation: says where they are from, and what is to be said.
        tables: of the study.
    """
    document = tomlkit.document()
    for line in _wrapped(f"Translated from {translation.source}, a configuration of quantammsim."):
        document.add(tomlkit.comment(line))
    for path, text in translation.notes:
        for line in _wrapped(f"{path}: {text}."):
            document.add(tomlkit.comment(line))
    document.add(tomlkit.nl())
    for name, value in _without_nothing(tables).items():
        document.add(name, tomlkit.item(value))
    return tomlkit.dumps(document)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), _WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _without_nothing(table: Mapping[str, Any]) -> dict[str, Any]:
    """Without None, which TOML lacks, and without what is empty."""
    plain = {name: _without_nothing(value) if isinstance(value, Mapping) else value for name, value in table.items()}
    return {name: value for name, value in plain.items() if value is not None and value not in ({}, [])}
