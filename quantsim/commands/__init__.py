"""The command line: one file per command. ``main`` is the entry point of ``quantsim`` and ``cli.py``.

Importing this package or a command loads neither JAX nor Optuna nor pandas. A command loads them when it runs.
"""

from __future__ import annotations

import os
import sys

from quantsim.environment import prepare_environment
from quantsim.errors import ConfigError

__all__ = ["main"]


def main() -> None:
    """Prepares the process (before JAX is imported) and runs the command line."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # to look for them reads the metadata of every package
    try:
        prepare_environment()
    except ConfigError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
    try:
        from quantsim.commands.app import app

        app(prog_name="quantsim")  # also for python -m quantsim, so that the shell completes it
    except KeyboardInterrupt:  # before a command starts; commands handle it themselves
        sys.exit(130)
