"""Runs the notebooks of docs/notebooks, and stores their outputs in them, for the site.

    python scripts/run_notebooks.py [NAME ...]

Figures are stored in few colours, so that notebooks stay small; progress bars and warnings are left out.
"""

from __future__ import annotations

import base64
import io
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "notebooks"


def main(names: list[str]) -> None:
    for path in sorted(FOLDER.glob("*.ipynb")):
        if names and path.stem not in names:
            continue
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            NotebookClient(notebook, timeout=300, resources={"metadata": {"path": folder}}).execute()
        for cell in notebook.cells:
            cell.metadata = {}
            if cell.cell_type == "code":
                cell.outputs = [_small(output) for output in cell.outputs if output.get("name") != "stderr"]
        notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"], "language_info": {"name": "python"}}
        nbformat.write(notebook, path)


def _small(output: Any) -> Any:
    """An output whose pictures are 1000 pixels wide, in 128 colours."""
    picture = output.get("data", {}).get("image/png")
    if picture is not None:
        image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
        image = image.resize((1000, image.height * 1000 // image.width), Image.Resampling.LANCZOS)
        with io.BytesIO() as file:
            image.quantize(128).save(file, format="png", optimize=True)
            output["data"]["image/png"] = base64.b64encode(file.getvalue()).decode()
    return output


if __name__ == "__main__":
    main(sys.argv[1:])
