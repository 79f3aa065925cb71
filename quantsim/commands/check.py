"""``quantsim check``: conformance checks for users' rules, fee rules, metrics and pools."""

from __future__ import annotations

from typing import Annotated

import typer

from quantsim.commands import completion
from quantsim.commands.options import Json, Quiet, Verbose
from quantsim.commands.output import print_json, say
from quantsim.commands.progress import working

__all__ = ["check"]


def check(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE.py[:NAME]...",
            autocompletion=completion.names,
            show_default=False,
            help="A rule, fee rule, metric or pool in a file, or all of them in a file; or the name of a built-in one.",
        ),
    ],
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Checks your own rules, fee rules, metrics and pools: types, look-ahead, gradients, scan modes.

    Stops at the first violated law, and names the law, the numbers and the remedy. It runs the file with your permissions.
    """
    from quantsim.testing import check_all

    passed: list[str] = []
    for name in names:
        with working(f"checking {name}", quiet=quiet):
            found = check_all(name)
        for checked in found:
            say(f"{checked} passed all checks")
        passed += found
    if as_json:
        print_json({"passed": passed})
