"""Pages of notebooks, with the outputs that are stored in them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["pages"]


def pages(folder: Path) -> dict[str, str | bytes]:
    """Name → content of a page per notebook, and of the pictures in it."""
    from nbconvert import MarkdownExporter

    found: dict[str, str | bytes] = {}
    for path in sorted(folder.glob("*.ipynb")):
        text, resources = MarkdownExporter().from_filename(
            str(path), resources={"output_files_dir": f"{path.stem}_files"}
        )
        note = f'!!! note\n    This page is a notebook: <a href="../{path.name}" download>download it</a>.\n\n'
        title, _, rest = text.lstrip().partition("\n")
        found[f"notebooks/{path.stem}.md"] = f"{title}\n\n{note}{rest}"
        for name, data in resources["outputs"].items():
            found[f"notebooks/{name}"] = data
    return found
