"""The packages depend on each other in the order in which ``docs/architecture.md`` lists them, and it lists them all."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from quantsim.pools import pool_names

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
    assert set(layers()) == there - {"__init__", "__main__"}


@pytest.mark.parametrize("layer", layers())
def test_dependence_goes_one_way(layer: str):
    order = layers()
    files = [*(PACKAGE / layer).rglob("*.py"), *PACKAGE.glob(f"{layer}.py")]
    assert files
    for path in files:
        below = {name for name in imported(ast.parse(path.read_text())) if order.index(name) > order.index(layer)}
        assert not below, f"{path.relative_to(ROOT)} imports {below}"


# Which package may import of another only what its ``__init__`` exports.
DOORS = [("drivers", "simulator")]


@pytest.mark.parametrize(("user", "package"), DOORS)
def test_only_exported_names_are_used(user: str, package: str):
    for path in (PACKAGE / user).rglob("*.py"):
        behind = [name for name in modules(ast.parse(path.read_text())) if name.startswith(f"quantsim.{package}.")]
        assert not behind, f"{path.relative_to(ROOT)} imports {behind}: quantsim.{package} exports what is meant for it"


COMMANDS = sorted((PACKAGE / "commands").glob("*.py"))
COMPUTING = {"jax", "numpy", "optax", "optuna", "pandas", "sqlalchemy"}
OF_OPTIONS = {"ConfigError", "DriverError", "BadParameter", "Exit", "Terminated", "KeyboardInterrupt"}
OF_A_STORE = {"begin_run", "checkpoints", "equal_checkpoints", "find_runs", "finish_run", "resume_run"}


def packages(node: ast.AST) -> Iterator[str]:
    """The top-level packages that a module imports when it runs."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.ImportFrom):
            yield (child.module or "").split(".")[0]
        if isinstance(child, ast.Import):
            yield from (alias.name.split(".")[0] for alias in child.names)
        yield from packages(child)


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_commands_decide_nothing_that_python_users_need(path: Path):
    tree = ast.parse(path.read_text())
    computing = COMPUTING & set(packages(tree))
    assert not computing, f"{path.name} computes with {computing}: that belongs into a package above"
    raised = {node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)}
    others = {ast.unparse(call.func).rpartition(".")[2] for call in raised} - OF_OPTIONS
    assert not others, f"{path.name} raises {others}: what it refuses beside options, Python users must be refused, too"
    called = {node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and hasattr(node.func, "attr")}
    assert not called & OF_A_STORE, (
        f"{path.name} calls {called & OF_A_STORE}: which runs and rows count, checkpoints decide"
    )


def test_commands_do_not_import_each_other():
    app = ast.parse((PACKAGE / "commands" / "app.py").read_text())
    (own,) = (node for node in app.body if isinstance(node, ast.ImportFrom) and node.module == "quantsim.commands")
    registered = {f"quantsim.commands.{alias.name}" for alias in own.names}
    for path in COMMANDS:
        if path.stem != "app":
            found = registered & set(modules(ast.parse(path.read_text())))
            assert not found, f"{path.name} imports {found}: what commands share is in a module that is none"


def test_only_commands_know_the_command_line():
    others = [path for path in PACKAGE.rglob("*.py") if path.parent.name != "commands"]
    knowing = [path.name for path in others if "typer" in packages(ast.parse(path.read_text()))]
    assert not knowing


def modules_of(path: Path) -> set[str]:
    """The modules of this package that a file imports when it runs."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


@pytest.mark.parametrize("layer", ["rules", "fee_rules"])
def test_rules_know_no_pools(layer: str):
    for path in (PACKAGE / layer).rglob("*.py"):
        assert not {name for name in modules_of(path) if name.startswith("quantsim.pools")}, path


@pytest.mark.parametrize("name", ["plan", "setup", "signals", "samples", "evaluate", "composite"])
def test_the_simulator_asks_pools_and_knows_no_mechanism(name: str):
    path = PACKAGE / "simulator" / f"{name}.py"
    known = {f"quantsim.pools.{mechanism}" for mechanism in pool_names()}
    assert not [one for one in modules_of(path) if any(one.startswith(of) for of in known)]


LONGEST_FILE, LONGEST_FUNCTION = 420, 60
INTERFACES = {"checkpoints/store.py"}  # signatures and documentation; what they call is elsewhere


def test_files_and_functions_are_short():
    """A function counts without its signature and its docstring."""
    for path in PACKAGE.rglob("*.py"):
        name, text = path.relative_to(PACKAGE).as_posix(), path.read_text()
        assert text.count("\n") <= LONGEST_FILE or name in INTERFACES, (
            f"{name} is long: which part is an algorithm of its own?"
        )
        functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
        for one in functions:
            documented = ast.get_docstring(one) is not None
            code = one.body[documented:] or one.body
            lines = (code[-1].end_lineno or 0) - code[0].lineno + 1
            assert lines <= LONGEST_FUNCTION, f"{name}: {one.name} has {lines} lines: part it"
