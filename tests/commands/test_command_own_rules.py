"""A user's rule that fails ends every command with one message, which names file and line, and no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

RULES = """\
import dataclasses
import sys
from quantsim.fee_rules.trend import FEE_RULE
from quantsim.rules.momentum import RULE

def outputs(params, observed, settings):
    return params["no such parameter"]

def branch(params, observed, settings):
    return observed.prices if observed.prices[0, 0] > 1 else -observed.prices

def leave(params, observed, settings):
    sys.exit(3)

raises = dataclasses.replace(RULE, name="raises", outputs=outputs)
branches = dataclasses.replace(RULE, name="branches", outputs=branch)
leaves = dataclasses.replace(RULE, name="leaves", outputs=leave)
fee_raises = dataclasses.replace(FEE_RULE, name="fee_raises", fees=outputs)
fee_leaves = dataclasses.replace(FEE_RULE, name="fee_leaves", fees=leave)
"""
RAISES, LEAVES = "line 7: {} fails with KeyError: 'no such parameter'", "line 13: {} fails with SystemExit: 3"


def settings(*assignments: str) -> list[str]:
    return [part for one in ("data.bar_minutes=1440", *assignments) for part in ("--set", one)]


def check(result, message: str) -> None:
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    first, *lines = [line for line in result.stderr.splitlines() if line.startswith(("Error: ", "  "))]
    assert message in "\n".join((first, *lines))
    assert not lines or (len(lines) == 1 and (first.endswith("is not valid:") or "while checking" in lines[0])), first


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(RULES)
    return path


@pytest.mark.parametrize(
    ("key", "name", "message"),
    [
        ("pool.rule", "raises", RAISES),
        ("pool.rule", "branches", "line 10: {} fails with TracerBoolConversionError"),
        ("pool.rule", "leaves", LEAVES),
        ("fees.rule", "fee_raises", RAISES),
        ("fees.rule", "fee_leaves", LEAVES),
    ],
)
def test_in_the_rule(cli, rules: Path, key: str, name: str, message: str):
    check(cli("simulate", *settings(f"{key}={rules}:{name}")), message.format(name))


@pytest.mark.parametrize(
    "command",
    [
        ("grid",),
        ("sgd", "--steps", "1"),
        ("optuna", "--trials", "2"),
        ("hybrid", "--trials", "2", "--top", "1"),
    ],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize("name", ["raises", "leaves"])
def test_in_every_command(cli, rules: Path, command: tuple[str, ...], name: str):
    check(cli(*command, *settings(f"pool.rule={rules}:{name}")), "KeyError" if name == "raises" else "SystemExit")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x = 1\n1 / 0\n", "line 2 cannot be run: ZeroDivisionError: division by zero"),
        ("import sys\n\nsys.exit('enough')\n", "line 3 cannot be run: SystemExit: enough"),
        ("raise KeyError\n", "line 1 cannot be run: KeyError"),
    ],
)
@pytest.mark.parametrize("command", ["simulate", "grid", "sgd", "optuna", "hybrid", "export", "space"])
def test_while_the_file_is_run(cli, tmp_path: Path, content: str, message: str, command: str):
    (tmp_path / "mine.py").write_text(content)
    option = ("mine.toml",) if command == "space" else ()
    if option:
        (tmp_path / "mine.toml").write_text("[memory_days]\nlow = 1.0\nhigh = 2.0\n")
    check(cli(command, *option, *settings("pool.rule=mine.py:raises")), message)
