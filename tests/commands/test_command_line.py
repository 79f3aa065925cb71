"""The command line as such: help, version, what is imported, what is set for JAX."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import typer
from command_support import ROOT

from quantsim import __version__
from quantsim.checkpoints import SELECTION_METHODS
from quantsim.commands.app import app

COMMANDS = tuple(typer.main.get_command(app).commands)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(cli, command):
    result = cli(command, "--help")
    assert result.exit_code == 0
    assert "--verbose" in result.stdout


def test_the_page_of_commands_has_every_command():
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert [command for command in COMMANDS if f"| `quantsim {command}` |" not in page] == []


def test_help_lists_all_commands(cli):
    result = cli("--help")
    assert result.exit_code == 0
    assert all(command in result.stdout for command in COMMANDS)


def test_help_shows_the_full_text(cli, monkeypatch):
    """Markup must not eat letters, nor make pictures of them, as it did of ``2:100:16``."""
    monkeypatch.setenv("COLUMNS", "3000")
    root = typer.main.get_command(app)

    def words(text: str) -> str:
        return " ".join(re.sub("[│╭╮╰╯─]", " ", text.replace("`", "")).split())

    for name, command in {"": root, **root.commands}.items():
        shown = words(cli(*([name] if name else []), "--help").stdout)
        for text in (command.help, *(getattr(parameter, "help", None) for parameter in command.params)):
            assert words((text or "").replace(r"\:", ":")) in shown
    assert "memory_days=2:100:16:log" in words(cli("grid", "--help").stdout)


def test_no_arguments_show_the_help(cli):
    assert "Commands" in cli().output


def test_version(cli):
    result = cli("--version")
    assert (result.exit_code, result.stdout) == (0, f"quantsim {__version__}\n")


def test_help_of_select_names_every_method(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    text = cli("select", "--help").stdout
    assert [method for method in SELECTION_METHODS if method not in text] == []


def test_importing_the_commands_loads_nothing_heavy():
    code = (
        "import sys, quantsim.commands.app\n"
        "heavy = {'jax', 'numpy', 'pandas', 'optuna', 'sqlalchemy', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
