"""``quantsim check``: whether rules, fee rules, metrics and pools keep the laws of their kind."""

from __future__ import annotations

from typing import Annotated

import typer

from quantsim.commands.options import Verbose
from quantsim.commands.session import say

__all__ = ["check"]


def check(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE.py[:NAME]...",
            show_default=False,
            help="A rule, fee rule, metric or pool in a file, or all that a file has; or a name of the package.",
        ),
    ],
    verbose: Verbose = False,
) -> None:
    """Checks rules, fee rules, metrics and pools of your own: types, look-ahead, gradients, scan modes.

    Stops at the first violated law, and names it, the numbers and the remedy. It runs the file with your permissions.
    """
    from quantsim.testing import check_all

    for name in names:
        for checked in check_all(name):
            say(f"{checked} is sound")
