from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import re
from pathlib import Path

import pytest

from quantsim.checkpoints import SELECTION_METHODS, scores
from quantsim.checkpoints.methods import METHODS

DOCUMENT = Path(__file__).parents[2] / "docs" / "checkpoints.md"


def test_examples_of_the_document_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for example in re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL):
            exec(compile(example, str(DOCUMENT), "exec"), {})  # noqa: S102 - our own document
    assert printed.getvalue().splitlines() == [
        "best_validation: highest validation daily_log_sharpe",
        "0",
        "{'logit_lamb': array([0. , 0.2])}",
        "{'learning_rate': 0.05}",
        "2 31",
    ]


def test_document_lists_all_methods():
    (section,) = re.findall(r"^## Selection\n(.*?)^## ", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(SELECTION_METHODS)


def test_the_page_on_selection_describes_every_method_with_a_score():
    page = DOCUMENT.with_name("selection.md").read_text()
    described = dict(re.findall(r"^\| `(\w+)` \| (the .*)$", page, re.MULTILINE))
    assert set(described) == {
        "best_validation",
        *(name for name in SELECTION_METHODS if METHODS[name].score is not None),
    }
    plateau = described["plateau"]
    assert f"{scores.PERCENTILE:g}th percentile" in plateau
    assert f"over {scores.N_NEIGHBOURS} neighbours, of the {scores.N_CANDIDATES} best" in plateau
    assert f"{scores.N_NEIGHBOURS * scores.N_CANDIDATES} evaluations" in plateau
    assert f"{scores.LEVEL:.0%}" == "90%"
    assert "90 % bootstrap interval" in described["validation_lower"]
    assert f"on {scores.N_PERIODS} periods" in described["consistent"]


@pytest.mark.parametrize("module", ["checkpoint", "redact", "database.rows", "selection", "store"])
def test_examples_of_the_docstrings_run(module):
    assert doctest.testmod(importlib.import_module(f"quantsim.checkpoints.{module}")).failed == 0
