"""The examples of the page on contracts, and of docstrings, run."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "contract.md"


def test_the_examples_run():
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert not failed
    assert tried > 10


@pytest.mark.parametrize("module", ["fixed_point", "storage", "guard", "estimators.moving_average"])
def test_the_examples_of_docstrings_run(module):
    failed, tried = doctest.testmod(importlib.import_module(f"quantsim.contract.{module}"))
    assert not failed
    assert tried > 0
