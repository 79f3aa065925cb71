"""The command line: one file, one command. ``main`` is what the installed ``quantsim`` and ``cli.py`` run.

Importing this package, or the commands in it, loads neither JAX nor Optuna nor pandas; a command does when it runs.
"""

from __future__ import annotations

import sys

from quantsim.environment import prepare_environment

__all__ = ["main"]


def main() -> None:
    """Prepares the process (before JAX is imported) and runs the command line."""
    prepare_environment()
    try:
        from quantsim.commands.app import app

        app()
    except KeyboardInterrupt:  # before a command was reached; from there on, the commands see to it
        sys.exit(130)
