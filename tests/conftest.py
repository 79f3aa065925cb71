"""Strict and fast JAX for every test, set before JAX is imported; where the reference data lies, if it is there."""

from __future__ import annotations

import functools
import gc
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.testing
from hypothesis import settings

import quantsim
from quantsim.environment import collect_less_often, release_freed_memory, xla_flags
from quantsim.kernels.machine_code import Function, compile_ahead

os.environ["XLA_FLAGS"] = xla_flags()
os.environ["JAX_ENABLE_X64"] = "1"
# Without LLVM's optimizations, in half the time: the same operations, but for some roundings. Child processes inherit it.
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
collect_less_often()
os.environ.pop("COLUMNS", None)  # tests that read tables need their usual width; workers get that of the terminal
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # workers have a core each; waiting threads of NumPy would take it

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
        os.environ.setdefault("NUMBA_CACHE_DIR", str(cache.mkdir("numba")))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
        if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
            compile_ahead(kernel_functions())  # while the workers import; else each of them compiles them


def kernel_functions() -> list[Function]:
    """The functions that handle kernels, and those of all kernels, which take the address of their operands."""
    package, found = Path(quantsim.__file__).parent, []
    for path in sorted(package.rglob("*_lanes.py"), reverse=True):  # most tests use those of weighted pools
        module = ".".join(path.relative_to(package.parent).with_suffix("").parts)
        found += [
            (module, name) for name in re.findall(r"^def (\w+)\(operands\)", path.read_text("utf-8"), re.MULTILINE)
        ]
    return [("quantsim.kernels.lanes", "help_out"), ("quantsim.kernels.lanes", "handle"), *found]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than processors for ``-n auto``: there are tests that wait for servers, browsers and other processes."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1


QUICK = {"checkpoints", "config", "estimators", "parameters", "prices", "report"}
"""Folders whose files take seconds. They come last, so that no worker is left alone with a file of minutes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not QUICK.isdisjoint(item.path.parts))


def pytest_collection_finish() -> None:
    """Spares the garbage collector what imports made, which stays."""
    gc.collect()
    gc.freeze()


SHARED = Path(__file__).resolve().parents[2] / "shared"


MOST_GROWTH = 300
"""MiB by which a process may grow until it forgets its compiled programs, of which each takes 5 to 10."""


def _resident_mib() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20
    except OSError:  # not Linux
        return 0


@pytest.fixture(scope="session")
def _kept_mib() -> list[int]:
    """What the process held when it began, or after it last forgot its programs."""
    return [_resident_mib()]


@pytest.fixture(scope="module", autouse=True)
def _little_memory(_kept_mib: list[int]) -> Iterator[None]:
    """Forgets the compiled programs of a process that has grown, and returns their memory."""
    yield
    if _resident_mib() > _kept_mib[0] + MOST_GROWTH:
        import jax

        jax.clear_caches()
        gc.collect()
        release_freed_memory.cache_clear()  # it does so once, for users
        release_freed_memory()
        _kept_mib[0] = _resident_mib()


@pytest.fixture(scope="session", autouse=True)
def _commands_are_made_once() -> Iterator[None]:
    """Makes the commands of an application once for a process, as for users; its runner does for every call."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", functools.cache(typer.main.get_command))
        yield


@pytest.fixture(autouse=True)
def _optimized(request: pytest.FixtureRequest) -> Iterator[None]:
    """Compiles the programs of a test marked ``optimized`` with all optimizations, as for users."""
    if request.node.get_closest_marker("optimized") is None:
        yield
        return
    import jax

    jax.clear_caches()  # which know programs by what they compute, not by how they were compiled
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.clear_caches()
    jax.config.update("jax_disable_most_optimizations", True)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference vectors and minute prices, which lies beside the checkout in development."""
    if not (SHARED / "golden").is_dir():
        pytest.skip(f"no reference data in {SHARED}")
    return SHARED
