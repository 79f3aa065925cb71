"""Writes the tables of keys in docs/fingerprints.md from quantsim/config/fingerprint/keys.py.

    python scripts/fingerprint_keys.py

They are between two comments of the page. The rest of the page does not change.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from quantsim.config.fingerprint.keys import KEYS, RANGES, Key

PAGE = Path(__file__).resolve().parents[1] / "docs" / "fingerprints.md"
BEGIN, END = "<!-- keys: written by scripts/fingerprint_keys.py -->", "<!-- end of keys -->"
CONFIG = "optimisation_settings.optuna_settings.parameter_config"
HEAD = "| key | default of quantammsim | here | |\n|---|---|---|---|"


def tables() -> str:
    """The tables, one for each table of the dictionary, with their headings."""
    parts: dict[str, list[Key]] = {}
    for key in KEYS:
        table = key.path.rpartition(".")[0]
        parts.setdefault(CONFIG if table.startswith(CONFIG) else table, []).append(key)
    return "\n\n".join(_part(table, keys) for table, keys in parts.items())


def page_with(text: str, content: str) -> str:
    """The page with the tables in their place."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{content}\n{END}{rest.partition(END)[2]}"


def _part(table: str, keys: Iterable[Key]) -> str:
    heading = f"### `{table}`" if table else "### Top level"
    rows = _ranges() if table == CONFIG else (_row(key) for key in keys)
    return "\n".join([heading, "", HEAD, *rows])


def _row(key: Key) -> str:
    here = ", ".join(f"`{name}`" for name in key.to.split(", ") if name)
    words = {
        "refused": f"only {_shown(key.default)}: {key.note}{', in ' + here if here else ''}",
        "internal": f"there is a warning about other values: {key.note}",
    }
    note = words.get(key.handling, key.note)
    shown = "" if key.handling == "refused" else here
    return f"| `{key.path.rpartition('.')[2]}` | {_shown(key.default)} | {shown} | {note} |"


def _ranges() -> Iterator[str]:
    notes = {key.path.split(".")[-2]: key.note for key in KEYS if key.path.startswith(CONFIG)}
    for one in RANGES:
        here = " or ".join(f"`search.ranges.{name}`" for name in one.parameters)
        default = f"{one.low:g} to {one.high:g}{', log_scale' if one.log else ''}"
        units = ", in raw units" if one.raw and one.parameters else ""
        yield f"| `{one.name}`: `low`, `high`, `log_scale`, `scalar` | {default} | {here} | {notes[one.name]}{units} |"


def _shown(value: Any) -> str:
    return "none" if value is None else f"`{json.dumps(value)}`"


if __name__ == "__main__":
    PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8"), tables()), encoding="utf-8")
