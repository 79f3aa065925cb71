"""What all commands have in common: --json and --quiet, and what goes to which stream."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator

import pytest
from every_command import EXIT_CODES, EveryCommand, command_names, every_command
from rich.console import Console
from typer.testing import Result

from quantsim.commands import output

PLAIN = {"color_system": None, "highlight": False, "markup": False, "emoji": False}
COMMANDS = tuple(command_names())


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EveryCommand]:
    with every_command(tmp_path_factory.mktemp("every")) as found:
        yield found


@pytest.fixture(scope="module")
def as_json(every: EveryCommand) -> dict[str, Result]:
    """The results of all commands with --json, in the order of the table: the first ones make the store."""
    return {name: every.call(name, "--json") for name in every.arguments}


def test_every_command_is_called_here(every: EveryCommand) -> None:
    assert set(every.arguments) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_json_is_one_document_on_the_standard_output(as_json: dict[str, Result], name: str) -> None:
    result = as_json[name]
    assert result.exit_code == EXIT_CODES.get(name, 0), result.output
    found = json.loads(result.stdout, parse_constant=pytest.fail)  # NaN is not JSON
    assert isinstance(found, dict)
    assert found


@pytest.mark.parametrize("name", COMMANDS)
def test_quiet_shows_neither_progress_nor_suggestions(
    every: EveryCommand, as_json: dict[str, Result], name: str
) -> None:
    result = every.call(name, "--quiet")
    assert result.exit_code == EXIT_CODES.get(name, 0), result.output
    assert result.stdout.strip()
    assert "Next: " not in result.stdout
    assert not re.search(r"^\w+ \d+ of \d+", result.stderr, re.MULTILINE)  # as "trial 3 of 3"


def test_both_options_may_come_before_the_command(every: EveryCommand) -> None:
    before, after = (every.call("space", "--json", "--quiet"), every.call("space", "-q", "--json"))
    assert before.stdout == after.stdout


def test_progress_and_errors_are_not_on_the_standard_output(every: EveryCommand, as_json: dict[str, Result]) -> None:
    assert "trial 3 of 3" in as_json["optuna"].stderr
    assert "Checkpoints: " not in as_json["optuna"].stderr
    refused = every.call("space", "--json", "--set", "search.trialz=3")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "did you mean 'trials'?" in refused.stderr


def test_the_json_of_a_run_has_the_result(every: EveryCommand, as_json: dict[str, Result]) -> None:
    found = json.loads(as_json["optuna"].stdout)
    (picked,) = json.loads(every.call("select", "--run", found["run"]["run_id"], "--json").stdout)["checkpoints"]
    assert {key: found["selected"][key] for key in picked} == picked
    assert found["validation"]["trials"] == 3
    simulated = json.loads(every.call("simulate", "--from", picked["key"], "--json").stdout)
    assert simulated["values"]["test"] == picked["values"]["test"]
    assert simulated["values"]["test"].items() >= picked["metrics"]["test"].items()


def test_a_search_draws_its_best_trials_for_the_dashboard(every: EveryCommand, as_json: dict[str, Result]) -> None:
    pictures = [path for path in every.folder.glob("*-artifacts/*") if path.read_bytes().startswith(b"\x89PNG")]
    assert pictures


@pytest.mark.parametrize(
    "name", [name for name in COMMANDS if name not in ("export", "convert")]
)  # which print documents
def test_a_terminal_of_80_columns_holds_what_is_shown(
    every: EveryCommand, as_json: dict[str, Result], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(output, "OUT", Console(**PLAIN, width=80, force_terminal=True, file=shown))
    assert every.call(name).exit_code == EXIT_CODES.get(name, 0)
    lines = [line for line in shown.getvalue().splitlines() if not line.startswith("Next: ")]  # to be copied
    assert lines
    assert [line for line in lines if len(line) > 80 and " " in line.strip()] == []
    assert [line for line in lines if "…" in line] == []  # a cell that was cut
