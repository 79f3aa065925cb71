"""Every cell of every notebook runs, and what it shows can be drawn."""

from __future__ import annotations

import ast
import json
import linecache
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from quantsim import environment

ROOT = Path(__file__).resolve().parents[1]
IN_JUPYTER = "first_steps"  # collected by nbmake; a process for each would take three seconds more
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


@pytest.fixture(autouse=True)
def _as_in_jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Figures open no window, and temporary files are not left behind."""
    from matplotlib import pyplot

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(environment, "keep_freed_memory", lambda: None)  # which cannot be undone
    monkeypatch.setattr(pyplot, "show", lambda: None)
    with pyplot.rc_context():
        yield
    pyplot.close("all")


def run_cell(source: str, names: dict[str, object]) -> None:
    """Runs a cell, and shows its last expression and its figures as Jupyter does."""
    from matplotlib import pyplot
    from matplotlib.figure import Figure

    name = f"<cell {len(linecache.cache)}>"
    linecache.cache[name] = (
        len(source),
        None,
        source.splitlines(keepends=True),
        name,
    )  # functions have a source in Jupyter
    *statements, last = ast.parse(source).body
    if not isinstance(last, ast.Expr):
        statements.append(last)
    exec(compile(ast.Module(statements, []), name, "exec"), names)  # noqa: S102
    if isinstance(last, ast.Expr):
        shown = eval(compile(ast.Expression(last.value), name, "eval"), names)  # noqa: S307
        assert repr(shown)
        if isinstance(shown, Figure):
            shown.canvas.draw()
        elif hasattr(shown, "_repr_html_"):
            assert shown._repr_html_()
    for number in pyplot.get_fignums():
        pyplot.figure(number).canvas.draw()
    pyplot.close("all")


def test_a_notebook_is_run_in_jupyter() -> None:
    assert IN_JUPYTER in {path.stem for path in NOTEBOOKS}
    assert f"docs/notebooks/{IN_JUPYTER}.ipynb" in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if path.stem != IN_JUPYTER], ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path) -> None:
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert cells
    names: dict[str, object] = {"__name__": "__main__"}
    for cell in cells:
        run_cell("".join(cell["source"]), names)
