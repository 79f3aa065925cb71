"""What JAX is told before it is imported."""

from __future__ import annotations

import functools
import gc
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from quantsim.environment import collect_less_often, compilation_cache, prepare_environment, xla_flags
from quantsim.errors import ConfigError


def test_environment_for_jax():
    environment = {"XDG_CACHE_HOME": "/caches"}
    prepare_environment(environment)
    assert environment["JAX_ENABLE_X64"] == "1"
    assert Path(environment["JAX_COMPILATION_CACHE_DIR"]) == Path("/caches/quantsim/xla")
    assert environment["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] == "0"
    assert environment["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] == "-1"


def test_variables_that_are_set_are_kept():
    environment = {"JAX_COMPILATION_CACHE_DIR": "/mine", "XLA_FLAGS": "--xla_mine"}
    prepare_environment(environment)
    assert environment["JAX_COMPILATION_CACHE_DIR"] == "/mine"
    assert environment["XLA_FLAGS"] == "--xla_mine"


def test_versions_of_xla_that_were_not_tested_get_no_flag_that_they_may_not_know():
    tested, later = xla_flags((0, 7, 0)), xla_flags((0, 11, 0))
    assert tested.split()[0] == later
    assert "xla_cpu_use_fusion_emitters=false" in tested
    assert "ynn" not in tested
    assert "ynn" in xla_flags((0, 10, 2))
    environment: dict[str, str] = {}
    prepare_environment(environment)
    assert environment["XLA_FLAGS"] == xla_flags()


def test_the_number_of_threads_limits_compiled_programs():
    environment = {"QUANTSIM_THREADS": "3"}
    prepare_environment(environment)
    assert environment["PJRT_NPROC"] == "3"
    unlimited: dict[str, str] = {}
    prepare_environment(unlimited)
    assert "PJRT_NPROC" not in unlimited
    with pytest.raises(ConfigError, match="QUANTSIM_THREADS = 'all'"):
        prepare_environment({"QUANTSIM_THREADS": "all"})


def test_cycles_are_looked_for_less_often_unless_the_user_decides():
    before = gc.get_threshold()
    try:
        gc.set_threshold(700, *before[1:])
        collect_less_often()
        assert gc.get_threshold() == (100_000, *before[1:])
        gc.set_threshold(50)
        collect_less_often()
        assert gc.get_threshold()[0] == 50
    finally:
        gc.set_threshold(*before)


def test_cache_folder_of_each_platform():
    home = Path.home()
    assert compilation_cache({}, "linux") == home / ".cache" / "quantsim" / "xla"
    assert compilation_cache({}, "darwin") == home / "Library" / "Caches" / "quantsim" / "xla"
    assert compilation_cache({"LOCALAPPDATA": "/local"}, "win32") == Path("/local/quantsim/xla")


_FAULTS = """
import resource, sys, threading
import numpy as np
from quantsim.environment import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def count(size):
    np.ones(size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        np.ones(size)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
count(2**23)
thread = threading.Thread(target=count, args=(2**22,))  # has an arena of its own
thread.start()
thread.join()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator of glibc")
def test_freed_memory_is_used_again_without_page_faults():
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    environment["NUMPY_MADVISE_HUGEPAGE"] = "0"  # huge pages have few faults either way
    run = functools.partial(subprocess.run, capture_output=True, check=True, env=environment)
    faults = {how: run([sys.executable, "-c", _FAULTS, how]).stdout.split() for how in ("keep", "default")}
    for kept, default in zip(faults["keep"], faults["default"], strict=True):  # of the first thread, and of another
        assert int(kept) < 0.05 * int(default)
