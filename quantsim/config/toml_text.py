"""Writes tables as TOML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["toml_text"]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def toml_text(tables: Mapping[str, Any]) -> str:
    """Returns tables of JSON values as TOML, with all digits of numbers. None and empty tables are left out."""
    return "\n".join(_lines(tables)) + "\n"


def _lines(table: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yields the lines of a table: its values, then its tables under their headings."""
    present = {name: value for name, value in table.items() if value not in (None, {})}  # TOML has no null
    for name, value in present.items():
        if not isinstance(value, Mapping):
            yield f"{_key(name)} = {_value(value)}"
    for name, value in present.items():
        if isinstance(value, Mapping):
            heading = f"{path}.{_key(name)}" if path else _key(name)
            yield from ("", f"[{heading}]", *_lines(value, heading))


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(name)} = {_value(one)}" for name, one in value.items() if one is not None) + "}"
    return "[" + ", ".join(_value(one) for one in value) + "]"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")  # TOML and JSON only differ in DEL
