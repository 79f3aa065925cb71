"""The command line: one file, one command. ``main`` is what the installed ``quantsim`` and ``cli.py`` run."""

from __future__ import annotations

import os

__all__ = ["XLA_FLAGS", "main"]

XLA_FLAGS = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1000000000"
"""Keeps the bodies of long scans compiled as one loop on the CPU; some gradients are 12 times faster with it."""


def main() -> None:
    """Prepares the process (before JAX is imported) and runs the command line."""
    os.environ.setdefault("XLA_FLAGS", XLA_FLAGS)
    from quantsim.commands.app import app

    app()
