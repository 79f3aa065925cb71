"""Defaults that the command line and the functions of Python share."""

from __future__ import annotations

__all__ = ["DEFAULT_STORE"]

DEFAULT_STORE = "quantsim-results/checkpoints.db"
"""The checkpoint store of commands and functions, unless another one is named."""
