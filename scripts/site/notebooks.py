"""Pages of notebooks, with the outputs that are stored in them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat

__all__ = ["pages"]

_STYLE = re.compile(r"<style.*?</style>", re.DOTALL)


def pages(folder: Path) -> dict[str, str | bytes]:
    """Name → content of a page per notebook, and of the pictures in it."""
    found: dict[str, str | bytes] = {}
    for path in sorted(folder.glob("*.ipynb")):
        pictures: dict[str, bytes] = {}
        cells = nbformat.read(path, as_version=4).cells
        parts = [part for at, cell in enumerate(cells) for part in _cell(cell, f"{path.stem}_{at}.png", pictures)]
        parts.insert(1, f'!!! note\n    This page is a notebook: <a href="../{path.name}" download>download it</a>.')
        found[f"notebooks/{path.stem}.md"] = "\n\n".join(parts)
        found |= {f"notebooks/{name}": data for name, data in pictures.items()}
    return found


def _cell(cell: Any, picture: str, pictures: dict[str, bytes]) -> Iterator[str]:
    if cell.cell_type == "markdown":
        title, _, rest = cell.source.partition("\n\n")  # a note comes between them at the top
        yield from filter(None, (text.replace(".ipynb)", ".md)") for text in (title, rest)))
        return
    yield f"```python\n{cell.source}\n```"
    for output in cell.outputs:
        data = output.get("data", {})
        if "image/png" in data:
            pictures[picture] = base64.b64decode(data["image/png"])
            yield f"![Figure]({picture})"
        elif "text/html" in data:
            yield f'<div class="output">{_flat(data["text/html"])}</div>'
        elif text := output.get("text") or data.get("text/plain"):
            yield f"``` {{ .text .output }}\n{text.rstrip()}\n```"


def _flat(html: str) -> str:
    """HTML without styles and empty lines, which would end it in Markdown."""
    return "\n".join(line for line in _STYLE.sub("", html).splitlines() if line.strip())
