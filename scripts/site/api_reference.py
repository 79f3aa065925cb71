"""Pages of the Python API: every name of the packages below, once, by directives of mkdocstrings."""

from __future__ import annotations

import ast
import importlib
import inspect

__all__ = ["PACKAGES", "defined_at", "entries", "navigation", "pages"]

PACKAGES = {
    "quantsim": "The functions and classes of `import quantsim`.",
    "quantsim.prices": "Prices, and where they come from.",
    "quantsim.prices.importing": "Downloaded files become one checked file per token.",
    "quantsim.prices.downloading": "Prices from exchanges.",
    "quantsim.prices.synthetic": "Prices that are generated.",
    "quantsim.rules": "What a rule is. To write your own, see [rules](../../rules.md#your-own-rule).",
    "quantsim.rules.momentum": "The rule to copy from, and its parts.",
    "quantsim.fee_rules": "What a fee rule is. To write your own, see [fees that follow the market]"
    "(../../studies.md#fees-that-follow-the-market).",
    "quantsim.estimators": "Causal estimators for rules.",
    "quantsim.pools": "What a pool is. To write your own, see [pools](../../pools.md).",
    "quantsim.pools.market": "What a pool sees of the market.",
    "quantsim.parameters": "Specs of parameters, and conversion between human-readable and raw values.",
    "quantsim.parameters.spec": "Transforms of parameters.",
    "quantsim.parameters.common": "Specs that several rules share.",
    "quantsim.metrics": "What a metric is. To write your own, see [metrics](../../metrics.md).",
    "quantsim.testing": "Checks of your own rules, fee rules, metrics and pools, for your tests.",
    "quantsim.simulator": "The evaluator.",
    "quantsim.search_space": "Which parameters a search moves.",
    "quantsim.drivers.driver": "The contract of drivers.",
    "quantsim.drivers.search": "The search driver.",
    "quantsim.drivers.sgd": "The gradient driver.",
    "quantsim.drivers.hybrid": "The hybrid driver.",
    "quantsim.checkpoints": "The store, and selection from it.",
    "quantsim.validation": "Tests of a result against luck.",
    "quantsim.robustness": "Variations of a result.",
    "quantsim.out_of_sample": "Walk-forward and cross-validation.",
    "quantsim.folds": "Where the folds are.",
    "quantsim.statistics": "Statistics of daily returns.",
    "quantsim.contract": "The arithmetic of QuantAMM's contracts; see [contract](../../contract.md).",
    "quantsim.onchain": "A study's pool on a chain; see [contract](../../contract.md#a-study-on-a-chain).",
    "quantsim.report": "Comparisons and tables.",
    "quantsim.settings.decides": "What a key of a study decides; see [what counts](../../studies.md#what-counts).",
    "quantsim.contract": "Updates in the integers of the contracts.",
    "quantsim.errors": "Errors.",
}
"""Public packages → what they hold. The first that exports an object documents it."""


def entries() -> dict[str, dict[str, str]]:
    """Package → its public names → the path that defines the object; no object twice."""
    seen: set[str] = set()
    found: dict[str, dict[str, str]] = {}
    for package in PACKAGES:
        module = importlib.import_module(package)
        own = found.setdefault(package, {})
        for name in module.__all__:
            if name != "__version__" and (path := defined_at(package, name)) not in seen:
                seen.add(path)
                own[name] = path
    return found


def pages() -> dict[str, str]:
    """Name → text of each page."""
    return {_file(package): _page(package, names) for package, names in entries().items()}


def navigation() -> list[dict[str, str]]:
    return [{package: _file(package)} for package in PACKAGES]


def _file(package: str) -> str:
    return f"reference/api/{package.removeprefix('quantsim.').replace('.', '_')}.md"


def _page(package: str, names: dict[str, str]) -> str:
    parts = [f"# {package}\n\n{PACKAGES[package]}\n"]
    elsewhere = set(importlib.import_module(package).__all__) - names.keys() - {"__version__"}
    if elsewhere:
        listed = ", ".join(f"[`{name}`][{defined_at(package, name)}]" for name in sorted(elsewhere))
        parts.append(f"Also exported here, and documented on other pages: {listed}.\n")
    for name, path in names.items():
        parts.append(f"::: {path}\n    options:\n      heading: {package}.{name}\n      toc_label: {name}\n")
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
