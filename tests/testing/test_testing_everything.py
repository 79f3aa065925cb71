"""A name is checked as what it stands for, in Python and on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from quantsim.commands.app import app
from quantsim.errors import ConfigError
from quantsim.rules import get_rule
from quantsim.testing import ConformanceError, check_all

MINE = """
import jax.numpy as jnp
from quantsim.fee_rules import FeeRule
from quantsim.metrics import Metric, Need
from quantsim.rules import Output, Rule

tilt = Rule("tilt", "for a test", (), Output.CHANGE, lambda params, observed, settings: 0.01 * observed.prices)
flat = FeeRule("flat", "for a test", (), lambda params, observed, settings: jnp.full(len(observed.prices), 0.003))
gain = Metric("gain", lambda sample, shape: sample.end_value / sample.start_value, Need.ENDS, True, "1", "For a test.")
"""
PEEK = MINE.replace("0.01 * observed", "0.01 * observed.prices[-1] * observed")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


def test_all_of_a_file_is_checked_or_one(file: Path) -> None:
    assert set(check_all(file)) == {"rule 'tilt'", "fee rule 'flat'", "metric 'gain'"}
    assert check_all(f"{file}:gain") == ("metric 'gain'",)
    assert check_all("returns") == ("metric 'returns'",)
    assert check_all("balancer") == ("rule 'balancer'",)


def test_broken_laws_are_reported(file: Path) -> None:
    file.write_text(PEEK)
    with pytest.raises(ConformanceError, match="no look-ahead: rule 'tilt' looks ahead"):
        check_all(file)


def test_missing_names_are_reported(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no 'gains'; it has flat, gain, tilt"):
        check_all(f"{file}:gains")
    with pytest.raises(ConfigError, match="has a 'jnp' that is not a Rule or FeeRule or Metric"):
        check_all(f"{file}:jnp")
    with pytest.raises(ConfigError, match="there is no 'momentun' to check: did you mean 'momentum'"):
        check_all("momentun")
    file.write_text("x = 1\n")
    with pytest.raises(ConfigError, match="has nothing to check: no Rule"):
        check_all(file)
    with pytest.raises(ConfigError, match=r"gone\.py cannot be read"):
        check_all(file.with_name("gone.py"))


def test_an_object_that_is_known_as_something_else_is_no_rule(file: Path) -> None:
    check_all(f"{file}:flat")
    with pytest.raises(ConfigError, match="has a 'flat' that is not a Rule; it has tilt"):
        get_rule(f"{file}:flat")


def test_the_command_line_reports_it(file: Path) -> None:
    found = CliRunner().invoke(app, ["check", f"{file}:gain", f"{file}:flat"])
    assert (found.exit_code, found.stdout) == (
        0,
        "metric 'gain' passed all checks\nfee rule 'flat' passed all checks\n",
    )
    file.write_text(PEEK)
    found = CliRunner().invoke(app, ["check", f"{file}:tilt"])
    assert found.exit_code == 2
    assert found.stderr.startswith("Error: no look-ahead: rule 'tilt' looks ahead")
