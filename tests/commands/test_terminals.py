"""What a terminal shows: bars, spinners, colours; and what a pipe gets."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import TextIO

import pytest
from rich.console import Console

from quantsim.commands import output, progress
from quantsim.commands.progress import ProgressLine, watching, working

REDRAWN = "\x1b[2K"  # erases a line
COLOURS = ("\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[1;31m", "\x1b[1;33m")


@pytest.fixture
def terminal() -> Iterator[tuple[TextIO, int]]:
    """A pseudo-terminal: the end to write to, and the descriptor to read from."""
    read, write = os.openpty()
    with os.fdopen(write, "w") as screen:
        yield screen, read
    os.close(read)


def shown_on(
    terminal: tuple[TextIO, int], monkeypatch: pytest.MonkeyPatch, *, quiet: bool = False, **environment: str
) -> str:
    """What a spinner, a bar and a warning show on the terminal in that environment."""
    screen, read = terminal
    own = {"TERM": "xterm-256color", "COLUMNS": "80", **environment}
    console = Console(file=screen, highlight=False, markup=False, _environ=own)
    for module in (output, progress):
        monkeypatch.setattr(module, "ERR", console)
    with working("compiling", quiet=quiet):
        time.sleep(0.05)
    with watching("trial", quiet=quiet) as watch:
        watch(ProgressLine(1, 2, "best 1.5"))
        watch(ProgressLine(2, 2, "best 1.5"))
    output.print_text(console, "Interrupted.", "yellow")
    screen.flush()
    text = b""
    while b"Interrupted." not in text:
        text += os.read(read, 100_000)
    return text.decode()


def test_a_terminal_shows_a_spinner_and_a_bar(terminal, monkeypatch):
    text = shown_on(terminal, monkeypatch)
    assert "compiling ..." in text
    assert "best 1.5" in text
    assert REDRAWN in text
    assert any(colour in text for colour in COLOURS)


def test_no_color_has_no_colour(terminal, monkeypatch):
    text = shown_on(terminal, monkeypatch, NO_COLOR="1")
    assert "Interrupted." in text
    assert not any(colour in text for colour in COLOURS)


def test_a_dumb_terminal_gets_plain_lines(terminal, monkeypatch):
    text = shown_on(terminal, monkeypatch, TERM="dumb")
    assert "\x1b" not in text
    assert text.split("\r\n")[:3] == ["trial 1 of 2: best 1.5", "trial 2 of 2: best 1.5", "Interrupted."]


def test_quiet_shows_neither(terminal, monkeypatch):
    text = shown_on(terminal, monkeypatch, quiet=True)
    assert "compiling" not in text
    assert "best" not in text


def test_forced_colours_draw_nothing_again_in_a_pipe(monkeypatch):
    read, write = os.pipe()
    with os.fdopen(write, "w") as pipe:
        text = shown_on((pipe, read), monkeypatch, FORCE_COLOR="1")
    os.close(read)
    assert REDRAWN not in text
    assert "trial 2 of 2: best 1.5" in text


def test_a_reader_that_goes_away_ends_the_command_without_a_message():
    """As ``| head`` does. More than a pipe holds is written."""
    command = [sys.executable, "-m", "quantsim", "prices"]
    environment = {**os.environ, "COLUMNS": "2000"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Prices: bundled")
        process.stdout.close()
        assert process.wait(60) == 1
        assert process.stderr is not None
        assert process.stderr.read() == ""
