"""Machine code of compiled functions, kept in the user's cache.

numba compiles a function to code of LLVM, and LLVM makes machine code of it. A process loads that from the cache with llvmlite,
and does not import numba, which would take longer than compiling most programs. Code that is not in the cache is compiled in
this process, or, after :func:`compile_ahead`, in another one.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import importlib.metadata
import os
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite
from llvmlite import binding

from quantsim.environment import kernel_cache

__all__ = ["Function", "address_of", "compile_ahead", "compile_missing", "is_pending"]

Function = tuple[str, str]
"""Module and name of a function from a word to a word, which numba can compile and which does not raise."""

_SIGNATURE = "int64(int64)"
_BETWEEN_LOOKS, _PATIENCE = 0.01, 60.0  # seconds between looks into the cache, and until this process compiles itself
_loaded: dict[Function, tuple[Any, int]] = {}  # engines, whose code XLA has the addresses of
_ahead: dict[Function, threading.Thread] = {}
_loading = threading.Lock()


class _Code(NamedTuple):
    symbol: str
    machine_code: bytes


def address_of(function: Function) -> int:
    """Returns the address of a function's machine code in this process."""
    code = None if function in _loaded else _stored(function) or _awaited(function)
    with _loading:
        if function not in _loaded:
            if code is None:
                code = _compiled(function)
                _store(function, code)
            _loaded[function] = _load(code)
    return _loaded[function][1]


def is_pending(function: Function) -> bool:
    """Whether :func:`address_of` would wait for another process."""
    thread = _ahead.get(function)
    return function not in _loaded and thread is not None and thread.is_alive() and _stored(function) is None


def compile_ahead(functions: Iterable[Function]) -> None:
    """Starts a process that compiles the functions that the cache does not have, in this order, and returns at once.

    :func:`address_of` waits for them. If the process fails, or cannot write to the cache, :func:`address_of` compiles.
    """
    missing = [one for one in functions if one not in _loaded and one not in _ahead and _stored(one) is None]
    if not missing:
        return
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-P", "-m", "quantsim.kernels", *map(":".join, missing)]  # -P: no modules of this folder

    def run() -> None:
        with contextlib.suppress(OSError):
            subprocess.run(  # noqa: S603 - this package
                command,
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )

    thread = threading.Thread(target=run, name="quantsim-kernels", daemon=True)
    thread.start()
    _ahead.update(dict.fromkeys(missing, thread))


def compile_missing(function: Function) -> None:
    """Compiles a function into the cache if it is not there."""
    if _stored(function) is None:
        _store(function, _compiled(function))


def _awaited(function: Function) -> _Code | None:
    """Returns the code that another process compiles for this one, as soon as it is stored; None if there is none."""
    thread, end = _ahead.get(function), time.monotonic() + _PATIENCE
    while thread is not None and thread.is_alive() and time.monotonic() < end:
        if (code := _stored(function)) is not None:
            return code
        time.sleep(_BETWEEN_LOOKS)
    return _stored(function)


def _compiled(function: Function) -> _Code:
    import numba

    source = getattr(importlib.import_module(function[0]), function[1])
    made = numba.cfunc(_SIGNATURE, error_model="numpy")(source)
    module = binding.parse_assembly(made.inspect_llvm())
    _trap_errors(module)
    module.verify()
    return _Code(made.native_name, _target_machine().emit_object(module))


def _trap_errors(module: binding.ModuleRef) -> None:
    """Lets what numba calls to raise an exception end the process: processes that load the code need not have numba."""
    raising = [each for each in module.functions if each.is_declaration and each.name.startswith(("numba_", "NRT_"))]
    for each in raising:
        head = str(each).strip().splitlines()[-1].replace("declare ", "define linkonce_odr ", 1)
        body = f"declare void @llvm.trap()\n{head} {{\n  call void @llvm.trap()\n  unreachable\n}}"
        module.link_in(binding.parse_assembly(body))


def _load(code: _Code) -> tuple[Any, int]:
    """Returns an engine with the code, and the address of its function."""
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _target_machine())
    engine.add_object_file(binding.ObjectFileRef.from_data(code.machine_code))
    engine.finalize_object()
    return engine, engine.get_function_address(code.symbol)


def _target_machine() -> binding.TargetMachine:
    """Returns what machine code is made for: this processor, with the options that numba takes."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_triple(binding.get_process_triple())
    relocation = {"x86": "static", "ppc": "pic"}.get(target.name[:3], "default")
    processor, features = _processor()
    return target.create_target_machine(cpu=processor, features=features, opt=3, reloc=relocation, jit=True)


def _processor() -> tuple[str, str]:
    return binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()


def _stored(function: Function) -> _Code | None:
    """Returns the code that the cache has; None if there is none, it is damaged, or another user can have written it."""
    try:
        with _file_of(function).open("rb") as file:
            if not _is_trusted(os.fstat(file.fileno())):
                return None
            digest, symbol, machine_code = file.read().split(b"\n", 2)
    except (OSError, ValueError):
        return None
    code = _Code(symbol.decode("ascii", "replace"), machine_code)
    return code if digest == _digest(function, code) else None


def _is_trusted(file: os.stat_result) -> bool:
    """Whether only this user, or root, can have written a file: this process will run its machine code."""
    if not hasattr(os, "geteuid"):  # Windows, where the cache is in the profile of the user
        return True
    return file.st_uid in (os.geteuid(), 0) and not file.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _store(function: Function, code: _Code) -> None:
    """Writes to the cache, as a whole or not at all; does nothing where that is not possible."""
    file = _file_of(function)
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as new:
            new.write(b"\n".join((_digest(function, code), code.symbol.encode(), code.machine_code)))
        os.replace(new.name, file)


def _digest(function: Function, code: _Code) -> bytes:
    """Returns a hash of the code, of what it is the code of, and of what it was made for, so that no other file fits."""
    named = "\n".join((_fingerprint(), *function, code.symbol, ""))
    return hashlib.sha256(named.encode() + code.machine_code).hexdigest().encode()


def _file_of(function: Function) -> Path:
    return kernel_cache() / _fingerprint() / f"{'.'.join(function)}.o"


@functools.cache
def _fingerprint() -> str:
    """Returns a hash of all that machine code depends on: the code of all kernels, versions, and the processor."""
    root = Path(__file__).parents[1]
    files = [*sorted(root.glob("kernels/*.py")), *sorted(root.rglob("*_lanes.py"))]
    versions = sys.version, importlib.metadata.version("numba"), llvmlite.__version__, *_processor()
    found = hashlib.sha256("\n".join(versions).encode())
    for file in files:
        found.update(file.read_bytes())
    return found.hexdigest()[:16]
