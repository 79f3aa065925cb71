"""Strict and fast JAX for every test, set before JAX is imported; where the reference data lies, if it is there."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from quantsim.environment import XLA_FLAGS

os.environ["XLA_FLAGS"] = XLA_FLAGS
os.environ["JAX_ENABLE_X64"] = "1"

# Compilation falls into the first example, so a deadline means nothing. The same examples on every run, so that a failure
# is one of the change under test; look for new ones with --hypothesis-profile=search.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=500)
settings.load_profile("repeatable")

# A suite that runs in the background ignores interrupts, and so would the processes that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Shares compiled programs between the test processes, and keeps them for the next run, in pytest's own cache folder."""
    if (cache := getattr(config, "cache", None)) is not None:
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache.mkdir("jax")))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="module", autouse=True)
def _forget_compiled_programs() -> Iterator[None]:
    """Each program maps memory, and a process that keeps all of this suite's runs out of the mappings the system allows it."""
    yield
    import jax

    jax.clear_caches()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference vectors and minute prices, which lies beside the checkout in development."""
    if not (SHARED / "golden").is_dir():
        pytest.skip(f"no reference data in {SHARED}")
    return SHARED
