"""The page on Python: its examples run, and it names every function on the first screen of the package."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

import quantsim

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


@pytest.mark.parametrize("name", FRONT)
def test_the_page_names_what_the_package_exports(name: str) -> None:
    assert f"`{name}`" in PAGE.read_text()
    assert name in quantsim.__all__
    assert callable(getattr(quantsim, name))
