"""Strict and fast JAX for every test, set before JAX is imported; where the reference data lies, if it is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from quantsim.commands import XLA_FLAGS

os.environ["XLA_FLAGS"] = XLA_FLAGS
os.environ["JAX_ENABLE_X64"] = "1"

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference vectors and minute prices, which lies beside the checkout in development."""
    if not (SHARED / "golden").is_dir():
        pytest.skip(f"no reference data in {SHARED}")
    return SHARED
