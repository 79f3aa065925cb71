"""Runs the command line in this process; and settings that make its runs short."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner, Result

from quantsim.commands.app import app

ROOT = Path(__file__).resolve().parents[2]

SMALL_SGD = (
    "--steps",
    "4",
    "--set",
    "sgd.n_parameter_sets=2",
    "--set",
    "sgd.batch_size=2",
    "--set",
    "sgd.report_every=2",
)
"""Enough of a gradient run to see that everything is connected."""

SMALL_SEARCH = ("--trials", "5", "--set", "search.n_startup_trials=3")


def invoke(*arguments: str | Path) -> Result:
    """Runs one command; raises what no user is meant to see."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
