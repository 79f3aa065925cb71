"""Machine code in the cache: who compiles it, who waits for it, and what a damaged file does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from quantsim.kernels import machine_code
from quantsim.kernels.machine_code import address_of, compile_ahead

HELPER, MISSING = ("quantsim.kernels.lanes", "help_out"), ("quantsim.kernels.lanes", "no_such_function")
LOAD = f"""
import sys
from quantsim.kernels import table
from quantsim.kernels.machine_code import address_of
assert address_of({HELPER}) > 0
print(*{{"jax", "numba", "scipy"}} & set(sys.modules))
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, of a process that has loaded nothing."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(machine_code, "_loaded", {})
    monkeypatch.setattr(machine_code, "_ahead", {})
    return tmp_path


def never(function: machine_code.Function) -> None:
    raise AssertionError(f"{function} is compiled in this process")


def test_code_is_compiled_ahead_and_loaded_without_numba(cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine_code, "_compiled", never)
    compile_ahead([HELPER])
    assert address_of(HELPER) > 0
    found = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=True).stdout
    assert found.strip() == ""
    compile_ahead([HELPER])
    assert len(machine_code._ahead) == 1, "code of the cache is not compiled again"


def test_where_the_other_process_fails_this_one_compiles(cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "executable", str(cache / "nothing"))
    compile_ahead([MISSING])
    with pytest.raises(AttributeError, match="no_such_function"):
        address_of(MISSING)


def test_a_process_that_hangs_is_not_waited_for_without_end(cache: Path, monkeypatch: pytest.MonkeyPatch):
    hanging = threading.Thread(target=threading.Event().wait, args=(5.0,), daemon=True)
    hanging.start()
    machine_code._ahead[MISSING] = hanging
    monkeypatch.setattr(machine_code, "_PATIENCE", 0.05)
    assert machine_code.is_pending(MISSING)
    with pytest.raises(AttributeError, match="no_such_function"):
        address_of(MISSING)


def test_a_damaged_file_is_compiled_again(cache: Path, monkeypatch: pytest.MonkeyPatch):
    code = machine_code._Code("name", b"\x7fELF\n\n")
    machine_code._store(HELPER, code)
    assert machine_code._stored(HELPER) == code
    (file,) = cache.rglob("*.o")
    file.write_bytes(file.read_bytes()[:-1])
    assert machine_code._stored(HELPER) is None
    monkeypatch.setattr(machine_code, "_compiled", never)
    with pytest.raises(AssertionError, match="help_out"):
        address_of(HELPER)


def test_without_a_folder_to_write_to_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "cache"))
    machine_code._store(HELPER, machine_code._Code("name", b""))
    assert machine_code._stored(HELPER) is None


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="users and modes of POSIX")
@pytest.mark.parametrize("change", ["group", "others", "owner"])
def test_a_file_that_another_user_can_have_written_is_not_loaded(
    cache: Path, monkeypatch: pytest.MonkeyPatch, change: str
):
    code = machine_code._Code("name", b"code")
    machine_code._store(HELPER, code)
    (file,) = cache.rglob("*.o")
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0
    assert machine_code._stored(HELPER) == code
    if change == "owner":
        if os.geteuid() == 0:
            os.chown(file, 12345, -1)
        else:
            other = os.geteuid() + 1
            monkeypatch.setattr(os, "geteuid", lambda: other)
    else:
        file.chmod(0o620 if change == "group" else 0o602)
    assert machine_code._stored(HELPER) is None


def test_code_of_another_function_is_not_loaded(cache: Path):
    machine_code._store(HELPER, machine_code._Code("name", b"code"))
    (file,) = cache.rglob("*.o")
    file.rename(file.with_name(".".join(MISSING) + ".o"))
    assert machine_code._stored(MISSING) is None


def test_the_other_process_imports_nothing_from_the_current_folder(cache: Path, monkeypatch: pytest.MonkeyPatch):
    (cache / "llvmlite.py").write_text("open('imported', 'w').close()")
    monkeypatch.chdir(cache)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    compile_ahead([MISSING])
    machine_code._ahead[MISSING].join()
    assert not (cache / "imported").exists()
