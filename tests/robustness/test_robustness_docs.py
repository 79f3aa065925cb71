"""docs/robustness.md: its example runs, and its options are those of the command."""

from __future__ import annotations

import doctest
import inspect
import re
from pathlib import Path

from quantsim.commands import robust
from quantsim.robustness import KINDS, Variations

PAGE = Path(__file__).resolve().parents[2] / "docs" / "robustness.md"


def test_the_example_runs():
    outcome = doctest.testfile(str(PAGE), module_relative=False)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_the_page_has_every_kind_and_the_defaults():
    text = PAGE.read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(KINDS)
    defaults = Variations()
    given = dict(re.findall(r"`--([a-z-]+) ([\d.]+)`", text))
    names = {"block-days": "mean_block_days"}
    assert {option: float(value) for option, value in given.items()} == {
        option: getattr(defaults, names.get(option, option.replace("-", "_"))) for option in given
    }
    assert len(given) == 7


def test_the_command_has_the_defaults_of_python():
    options = {name: option.default for name, option in inspect.signature(robust.robust).parameters.items()}
    defaults, names = Variations(), {"number": "n", "block_days": "mean_block_days"}
    own = (
        "number",
        "radius",
        "price_noise",
        "block_days",
        "shift_days",
        "cost_factor",
        "arb_fee",
        "gas_cost_usd",
        "seed",
    )
    assert {name: options[name] for name in own} == {name: getattr(defaults, names.get(name, name)) for name in own}
