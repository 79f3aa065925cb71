"""The page on Python: its examples run, and it names every function on the first screen of the package."""

from __future__ import annotations

import ast
import doctest
import importlib
from pathlib import Path
from typing import get_args

import pytest

import quantsim
from quantsim.checkpoints.checkpoint import SPLITS
from quantsim.simulator import Split

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"

FRONT = (
    *(
        "Experiment",
        "load_prices",
        "simulate",
        "search",
        "train",
        "hybrid",
        "walk_forward",
        "validate",
        "select",
        "top",
    ),
    *("Evaluator", "CheckpointStore", "Rule"),
)


def test_the_examples_run() -> None:
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert not failed
    assert tried > 10


@pytest.mark.parametrize("module", ["api.simulation", "api.drivers", "api.out_of_sample", "prices.frames"])
def test_the_examples_of_docstrings_run(module: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(f"quantsim.{module}"))
    assert not failed
    assert tried > 0


def test_editors_see_what_is_exported() -> None:
    """The names that type checkers read are those that the package has."""
    tree = ast.parse(Path(str(quantsim.__file__)).read_text())
    (typed,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname: node.module for node in typed.body for alias in node.names if isinstance(node, ast.ImportFrom)
    }
    assert {*seen, "__version__"} == set(quantsim.__all__)
    for name, module in seen.items():
        assert getattr(quantsim, name) is getattr(importlib.import_module(str(module)), name)


def test_splits_are_literals() -> None:
    assert get_args(Split) == (*SPLITS, "all")


@pytest.mark.parametrize("name", FRONT)
def test_the_page_names_what_the_package_exports(name: str) -> None:
    assert f"`{name}`" in PAGE.read_text()
    assert name in quantsim.__all__
    assert callable(getattr(quantsim, name))
