"""What must come of wrong inputs of the command line; ``bad_studies``, ``bad_options`` and ``bad_files`` make them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import typer
from typer.testing import CliRunner

from quantsim.commands.app import app

TREE = typer.main.get_command(app)
"""The commands with their options; made once, which typer's runner does for every call."""

LONG = "x" * 300
"""Longer than any file system lets a name be."""


@dataclass(frozen=True)
class Case:
    """One wrong input.

    Attributes:
        label: what it is, for whoever reads of a failure.
        arguments: of the command line.
        names: of which the message must have one: the key, the option or the file.
        study: text of the study file that ``{study}`` among the arguments stands for.
    """

    label: str
    arguments: tuple[str, ...]
    names: tuple[str, ...]
    study: str = field(default="", repr=False)


class Began(Exception):
    """A simulation began: what is wrong was not seen before."""


def problem(case: Case, places: Mapping[str, Path], runner: CliRunner) -> str | None:
    """What is not as it should be with the answer to a wrong input; None if all is."""
    if case.study:
        places["study"].write_text(case.study, encoding="utf-8")
    arguments = [_filled(argument, places) for argument in case.arguments]
    before = _contents(places["work"], places["store"])
    result = runner.invoke(app, arguments)
    after = _contents(places["work"], places["store"])
    told, shown = result.stderr, " ".join(result.stderr.replace("│", " ").split())
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return f"raised {result.exception!r}"[:300]
    if result.exit_code not in (1, 2):
        return f"exit code {result.exit_code}: {result.output[:200]!r}"
    if "Traceback" in result.output or result.stdout:
        return f"more than a message: {result.output[:300]!r}"
    if len(re.findall("^(?:Error: |╭─ Error)", told, re.MULTILINE)) != 1 or len(told) > _LONGEST_MESSAGE:
        return f"not one message: {told[:300]!r}"
    names = [_filled(name, places) for name in case.names]
    if case.study:  # keys, of which some are parts of other words
        found = any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", told) for name in names)
    else:
        found = any(name in shown or name in told for name in names)
    if not found:
        return f"names none of {case.names}: {told[:300]!r}"
    if "s3cret" in result.output:
        return f"shows a password: {told!r}"
    if before != after:
        return f"changed {sorted(set(before.items()) ^ set(after.items()))}"[:300]
    return None


_LONGEST_MESSAGE = 2500


def _filled(text: str, places: Mapping[str, Path]) -> str:
    for name, path in places.items():
        text = text.replace(f"{{{name}}}", str(path))
    return text


def _contents(*folders: Path) -> dict[str, str]:
    """Files below folders → what is in them."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "a folder"
        for folder in folders
        for path in folder.rglob("*")
    }
