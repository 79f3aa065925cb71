"""docs/rules.md tells of every rule and its parameters, and its example is a rule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from quantsim.rules import get_rule, rule_names

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("rule", rule_names())
def test_the_table_has_the_rule(rule: str) -> None:
    assert f"| `{rule}` |" in TEXT
    for spec in get_rule(rule).parameters:
        assert f"`{spec.human_name}`" in TEXT, spec.human_name


def test_the_example_is_a_rule(tmp_path: Path) -> None:
    code = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert code is not None
    (tmp_path / "my_rules.py").write_text(code[1])
    assert get_rule(f"{tmp_path / 'my_rules.py'}:calm_momentum").outputs is not None
