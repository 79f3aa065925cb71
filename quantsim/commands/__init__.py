"""The command line: one file per command. ``main`` is the entry point of ``quantsim`` and ``cli.py``.

Importing this package or a command loads neither JAX nor Optuna nor pandas. A command loads them when it runs.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import signal
import sys

from quantsim.environment import prepare_environment
from quantsim.errors import ConfigError

__all__ = ["main"]

_INTERRUPTED, _TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM


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
        sys.exit(_INTERRUPTED)
    except SystemExit as end:
        if end.code in (_INTERRUPTED, _TERMINATED):
            _end_now(end.code)
        raise
    finally:
        gc.freeze()  # so that Python ends without a last search for garbage, which takes half a second


def _end_now(code: int) -> None:
    """Ends the process without waiting for computations: Python would tear down what they still use, and crash at times."""
    atexit._run_exitfuncs()  # such as the end of worker processes
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
