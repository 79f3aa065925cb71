"""Output of all commands: the result, notes beside it, and what --json and --quiet leave out."""

from __future__ import annotations

import contextlib
import json
import os
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import typer
from rich.console import Console, RenderableType
from rich.text import Text

from quantsim.commands.options import JSON, QUIET

__all__ = ["ERR", "OUT", "hint", "note", "obeying", "print_json", "print_text", "say", "show"]

_PLAIN: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}  # names of tokens may look like markup

OUT = Console(**_PLAIN)
"""Console for results."""

ERR = Console(stderr=True, **_PLAIN)
"""Console for progress, notes, errors and logs, so that results can be piped."""

_PIPED_WIDTH = 120  # smallest width of tables in files and pipes

_given: Mapping[str, Any] = {}  # options of the running command, by the keys of ``options.py``


@contextlib.contextmanager
def obeying(given: Mapping[str, Any]) -> Iterator[None]:
    """Has ``say``, ``hint`` and others obey --json and --quiet while a command runs."""
    global _given
    before, _given = _given, given
    try:
        yield
    finally:
        _given = before


def say(text: str = "", style: str = "") -> None:
    """Prints one line of the result, which a terminal shows in several if it is long; nothing with --json."""
    if JSON not in _given:
        print_text(OUT, text, style)


def show(renderable: RenderableType) -> None:
    """Prints a table of the result; nothing with --json. In a file or a pipe, ``COLUMNS`` sets the width."""
    if JSON not in _given:
        narrow = OUT.is_terminal or "COLUMNS" in os.environ
        console = OUT if narrow else Console(**_PLAIN, width=max(OUT.width, _PIPED_WIDTH))
        console.print(renderable)


def print_json(values: Any) -> None:
    """Prints the result as JSON, for --json. It must be the only thing on the standard output."""
    typer.echo(json.dumps(values, indent=2, allow_nan=False))  # not with rich, which may break lines and add colours


def hint(text: str) -> None:
    """Prints one line on what to do next; nothing with --json or --quiet."""
    if QUIET not in _given and JSON not in _given:
        OUT.print(Text(text), soft_wrap=True)  # in one line, to be copied


def note(text: str) -> None:
    """Prints one line that is not part of the result, to the standard error."""
    print_text(ERR, text, "dim")


def print_text(console: Console, text: str, style: str = "") -> None:
    """Prints text on a console, as it is, in lines that fit a terminal."""
    if console.is_terminal:
        text = "\n".join(_wrapped(line, console.width) for line in text.split("\n"))
    console.print(Text(text, style=style), soft_wrap=True)


def _wrapped(line: str, width: int) -> str:
    """Breaks a line at spaces only, so that paths and keys stay whole."""
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
