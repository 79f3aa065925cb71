"""Runs the command line in this process; and settings that make its runs short."""

from __future__ import annotations

import re
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


def selected_cells(text: str, metric: str) -> list[str]:
    """What is shown of a metric of the selected set, split by split, as on the first line of its rows."""
    rows = [line.split() for line in text.splitlines() if line.split()[:1] in ([metric], [f"{metric},"])]
    return [next(cell for cell in row[1:] if re.fullmatch(r"[+-]?[\d.,]+|inf|–", cell)) for row in rows]


def is_shown_as(value: float, cell: str) -> bool:
    """Whether the cell is the value, rounded to the decimals of the cell."""
    decimals = len(cell.partition(".")[2])
    return f"{round(value, decimals) + 0.0:,.{decimals}f}" == cell.removeprefix("+")


def invoke(*arguments: str | Path) -> Result:
    """Runs one command; raises what no user is meant to see."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
