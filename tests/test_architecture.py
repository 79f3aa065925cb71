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


def modules(node: ast.AST) -> Iterator[str]:
    """The modules of this package that a module imports when it runs, inside functions too."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        names = [child.module or ""] if isinstance(child, ast.ImportFrom) else []
        names += [alias.name for alias in child.names] if isinstance(child, ast.Import) else []
        yield from (name for name in names if name.startswith("quantsim."))
        yield from modules(child)


def imported(node: ast.AST) -> set[str]:
    """The packages of these modules."""
    return {name.split(".")[1] for name in modules(node)}


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


# Which package may import of another only what its ``__init__`` exports.
DOORS = [("drivers", "simulator")]


@pytest.mark.parametrize(("user", "package"), DOORS)
def test_only_what_a_package_exports_is_used(user: str, package: str):
    for path in (PACKAGE / user).rglob("*.py"):
        behind = [name for name in modules(ast.parse(path.read_text())) if name.startswith(f"quantsim.{package}.")]
        assert not behind, f"{path.relative_to(ROOT)} imports {behind}: quantsim.{package} exports what is meant for it"
