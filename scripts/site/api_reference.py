"""Pages of the Python API: every name of the packages below, once, by directives of mkdocstrings."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path

from roles import markdown

ROOT = Path(__file__).resolve().parents[2]

__all__ = ["defined_at", "entries", "imported", "navigation", "packages", "pages"]

FIRST = (
    "quantsim",
    "quantsim.prices",
    "quantsim.prices.importing",
    "quantsim.prices.downloading",
    "quantsim.prices.weights",
    "quantsim.rules",
    "quantsim.estimators",
    "quantsim.fee_rules",
    "quantsim.pools",
    "quantsim.metrics",
    "quantsim.metrics.series",
    "quantsim.parameters",
    "quantsim.scan_mode",
    "quantsim.parameters.common",
    "quantsim.testing",
    "quantsim.simulator",
    "quantsim.search_space",
    "quantsim.drivers.driver",
    "quantsim.drivers.search",
    "quantsim.drivers.sgd",
    "quantsim.drivers.hybrid",
    "quantsim.objective",
    "quantsim.checkpoints",
    "quantsim.checkpoints.stored",
    "quantsim.tracking",
    "quantsim.validation",
    "quantsim.robustness",
    "quantsim.volume",
    "quantsim.volume.history",
    "quantsim.out_of_sample",
    "quantsim.folds",
    "quantsim.statistics",
    "quantsim.contract",
    "quantsim.onchain",
    "quantsim.report",
    "quantsim.settings.decides",
    "quantsim.errors",
)
"""Public packages, in the order of the navigation. The first that exports an object documents it."""

WITH_BASES = ("CheckpointStore",)
"""Classes that are documented with the methods of their bases, which are not exported."""

SEE = {
    "quantsim.rules": "To write your own, see [rules](../../rules.md#your-own-rule).",
    "quantsim.fee_rules": "To write your own, see "
    "[fees that follow the market](../../studies.md#fees-that-follow-the-market).",
    "quantsim.pools": "To write your own, see [pools](../../pools.md#your-own-pool).",
    "quantsim.contract": "See [the arithmetic of the contracts](../../contract.md).",
    "quantsim.onchain": "See [a study on a chain](../../contract.md#a-study-on-a-chain).",
    "quantsim.settings.decides": "See [what counts](../../studies.md#what-counts).",
}

_STATEMENT = re.compile(r"^(?:>>> )? *from (quantsim[\w.]*) import ([\w, ]+)", re.MULTILINE)


def packages() -> tuple[str, ...]:
    """The packages with a page: :data:`FIRST`, and those of other names that the pages and examples import."""
    documented = {defined_at(package, name) for package in FIRST for name in _names(package)}
    more = {
        module
        for module, name in imported()
        if defined_at(module, name) not in documented and hasattr(importlib.import_module(module), "__all__")
    }
    names = [*FIRST, *sorted(more - set(FIRST))]
    tops = [_top(name) for name in names]
    return tuple(sorted(names, key=lambda name: tops.index(_top(name))))  # those of one package together


def imported() -> set[tuple[str, str]]:
    """Modules and names that the pages and examples import."""
    texts = [*(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.py"), ROOT / "README.md"]
    return {
        (module, name)
        for path in texts
        for module, names in _STATEMENT.findall(path.read_text(encoding="utf-8"))
        for name in re.split(r"[, ]+", names)
    }


def entries() -> dict[str, dict[str, str]]:
    """Package → its public names → the path that defines the object; no object twice."""
    seen: set[str] = set()
    found: dict[str, dict[str, str]] = {}
    for package in packages():
        own = found.setdefault(package, {})
        for name in _names(package):
            if (path := defined_at(package, name)) not in seen:
                seen.add(path)
                own[name] = path
    return found


def pages() -> dict[str, str]:
    """Name → text of each page."""
    return {_file(package): _page(package, names) for package, names in entries().items()}


def navigation() -> list[dict[str, str]]:
    return [{package.removeprefix("quantsim."): _file(package)} for package in packages()]


def _top(package: str) -> str:
    return ".".join(package.split(".")[:2])


def _names(package: str) -> list[str]:
    """The exported names; those of the first screen of ``quantsim`` in the order in which it lists them."""
    module = importlib.import_module(package)
    exported = [name for name in module.__all__ if name != "__version__"]
    source = inspect.getsource(module)
    listed = [
        alias.asname or alias.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    return sorted(exported, key=lambda name: listed.index(name) if package == "quantsim" and name in listed else 0)


def _file(package: str) -> str:
    return f"reference/api/{package.removeprefix('quantsim.').replace('.', '_')}.md"


def _page(package: str, names: dict[str, str]) -> str:
    about = (importlib.import_module(package).__doc__ or "").partition("\n\n")[0]
    parts = [f"# {package}\n\n{markdown(about)} {SEE.get(package, '')}".rstrip() + "\n"]
    elsewhere = set(_names(package)) - names.keys()
    if elsewhere:
        listed = ", ".join(f"[`{name}`][{defined_at(package, name)}]" for name in sorted(elsewhere))
        parts.append(f"Also exported here, and documented on other pages: {listed}.\n")
    for name, path in names.items():
        inherited = "      inherited_members: true\n" if name in WITH_BASES else ""
        parts.append(f"::: {path}\n    options:\n      heading: {package}.{name}\n      toc_label: {name}\n{inherited}")
    return "\n".join(parts)


def defined_at(package: str, name: str) -> str:
    """The path of the module that defines an exported object, and its name there."""
    exported = getattr(importlib.import_module(package), name)
    if inspect.isclass(exported) or inspect.isfunction(exported):
        return f"{exported.__module__}.{exported.__qualname__}"
    return _imported_from(package, name)


def _imported_from(package: str, name: str) -> str:
    """As the path of a constant: follows ``from module import name`` to the module that assigns it."""
    module = importlib.import_module(package)
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _imported_from(node.module, alias.name)
    return f"{package}.{name}"
