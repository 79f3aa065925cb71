"""The packages depend on each other in the order in which ``docs/architecture.md`` lists them, and it lists them all."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "quantsim"


def layers() -> list[str]:
    """Packages and modules, in the order of the table."""
    rows = re.findall(r"^\| (`[^|]*)\|", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    names = [name.removesuffix(".py").split("/")[0] for row in rows for name in re.findall(r"`([\w/.]+)`", row)]
    return list(dict.fromkeys(names))


def imported(node: ast.AST) -> Iterator[str]:
    """What of this package a module imports when it runs, those inside functions included."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        names = [child.module or ""] if isinstance(child, ast.ImportFrom) else []
        names += [alias.name for alias in child.names] if isinstance(child, ast.Import) else []
        yield from (name.split(".")[1] for name in names if name.startswith("quantsim."))
        yield from imported(child)


def test_the_document_lists_every_package_and_module():
    there = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert set(layers()) == there - {"__init__"}


@pytest.mark.parametrize("layer", layers())
def test_nothing_imports_what_stands_below_it(layer: str):
    order = layers()
    files = [*(PACKAGE / layer).rglob("*.py"), *PACKAGE.glob(f"{layer}.py")]
    assert files
    for path in files:
        below = {name for name in imported(ast.parse(path.read_text())) if order.index(name) > order.index(layer)}
        assert not below, f"{path.relative_to(ROOT)} imports {below}"
