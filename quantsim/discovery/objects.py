"""Objects that a study is given in Python instead of a name, and the hash of their source.

A rule, fee rule or pool object has the name ``object:NAME@HASH`` in the study. A stored study has only this name. To use it
again, a program must give the object again, with the same hash.
"""

from __future__ import annotations

import dataclasses
import dis
import enum
import functools
import hashlib
import inspect
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from quantsim.errors import ConfigError

__all__ = ["digest_of_object", "given_object", "is_object", "object_digest", "object_name"]

_PREFIX = "object:"
_SHOWN = 12  # characters of the hash in a name

_given: dict[str, tuple[str, object]] = {}
"""Name → hash and object, of all objects that this process was given."""


def is_object(name: str) -> bool:
    """Whether a name stands for an object that was given in Python."""
    return name.startswith(_PREFIX)


def object_name(found: Any) -> str:
    """Registers a rule, fee rule or pool object, and returns its name ``object:NAME@HASH``.

    Raises:
        ConfigError: its source cannot be hashed.
    """
    digest = digest_of_object(found)
    name = f"{_PREFIX}{found.name}@{digest[:_SHOWN]}"
    _given.setdefault(name, (digest, found))  # one object per source, and so one compiled program
    return name


def object_digest(name: str) -> str | None:
    """Returns the hash of an object that this process was given; None for any other name."""
    return _given[name][0] if name in _given else None


def given_object(name: str) -> object:
    """Returns the object with this name.

    Raises:
        ConfigError: this process was not given it.
    """
    if name not in _given:
        raise ConfigError(
            f"{name} is an object of Python, of which a study stores only the name and a hash of its source: give the object "
            "again, in Python as the rule or pool of a study or in rule_files. For the command line, put it into a file and "
            "name it as file.py:name"
        )
    return _given[name][1]


def digest_of_object(found: Any) -> str:
    """Returns a SHA-256, in hexadecimal, of an object's values and of the source of its functions.

    Functions count with their source, defaults, and the values that they use from outside, recursively. Those of the standard
    library and of installed packages count by name.

    Raises:
        ConfigError: the source of a function is not available, or it uses a value that has no hash.
    """
    digest = hashlib.sha256(b"quantsim object 1\n")
    for part in _parts(found, found, set()):
        digest.update(part.encode() + b"\n")
    return digest.hexdigest()


def _parts(value: Any, whole: Any, seen: set[int]) -> Iterator[str]:
    """Yields text that decides what a value does. ``seen`` are the functions and classes on the way, which may be recursive."""
    yield type(value).__qualname__
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | enum.Enum):
        yield repr(value)
    elif isinstance(value, FunctionType | type | ModuleType):
        if _is_installed(value.__name__ if isinstance(value, ModuleType) else str(value.__module__)):
            yield f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', value.__name__)}"
        elif id(value) not in seen:
            seen.add(id(value))
            yield _source(value, whole)
            if isinstance(value, FunctionType):
                yield _place(value.__code__)
                yield from _parts([value.__defaults__, value.__kwdefaults__, _used(value)], whole, seen)
            if isinstance(value, type):
                methods = [getattr(one, "__func__", one) for one in vars(value).values()]
                own = [one for one in methods if isinstance(one, FunctionType) and one.__module__ == value.__module__]
                yield from _parts([value.__bases__, own], whole, seen)
    else:
        for name, part in _inside(value, whole):
            yield name
            yield from _parts(part, whole, seen)
        yield "end"  # or ((1,), 2) would be ((1, 2),)


def _inside(value: Any, whole: Any) -> Iterator[tuple[str, Any]]:
    """Yields the parts of a value, with a name each."""
    if isinstance(value, Mapping):
        yield from ((str(key), value[key]) for key in sorted(value, key=str))
    elif isinstance(value, set | frozenset):
        yield from (("", part) for part in sorted(value, key=repr))
    elif isinstance(value, tuple | list):
        yield from (("", part) for part in value)
    elif isinstance(value, functools.partial):
        yield from (("", part) for part in (value.func, value.args, value.keywords))
    elif dataclasses.is_dataclass(value):
        yield from ((one.name, getattr(value, one.name)) for one in dataclasses.fields(value))
    elif hasattr(value, "__array__"):
        array = np.asarray(value)
        yield f"{array.dtype} {array.shape}", hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    elif callable(getattr(value, "__wrapped__", None)):  # such as what jit returns
        yield "", value.__wrapped__
    elif callable(value) and _is_installed(str(getattr(value, "__module__", ""))):
        yield "", f"{value.__module__}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    else:
        raise ConfigError(
            f"{whole.name!r} uses a value of type {type(value).__name__}, which has no hash, so a run could not say what it "
            "ran: use numbers, text, tuples, arrays and functions, or put the object into a file and name it as file.py:name"
        )


_sources: dict[Any, str] = {}
"""Source of functions, by file and code, and of classes, as it was when they were hashed first.

A file that was edited after its import has the source of other functions than those that run.
"""


def _source(value: Any, whole: Any) -> str:
    key = (value.__code__.co_filename, value.__code__) if isinstance(value, FunctionType) else value
    try:
        if key not in _sources or isinstance(value, ModuleType):
            _sources[key] = inspect.getsource(value)
        return _sources[key]
    except (OSError, TypeError) as error:
        raise ConfigError(
            f"the source of {value.__name__} of {whole.name!r} is not available, so a run could not say what it ran: "
            "define it in a module that is imported from a file; functions may be in a cell of a notebook, too"
        ) from error


def _place(code: CodeType) -> str:
    """Says which one of several functions on the same lines code is, by its first column; empty unless it is a lambda."""
    if code.co_name != "<lambda>":
        return ""
    places = [(line, column) for line, _, column, _ in code.co_positions() if line and column]
    line, column = min(places, default=(code.co_firstlineno, 0))
    return f"{line - code.co_firstlineno}:{column}"


def _used(function: FunctionType) -> dict[str, Any]:
    """Returns the values that a function uses from outside: name → value."""
    names = set(_names(function.__code__))
    used = {name: function.__globals__[name] for name in names if name in function.__globals__}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            used[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            used[name] = None
    return used


_LOADS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
"""Instructions that read global variables; ``co_names`` also has the names of attributes, such as ``observed.prices``."""


def _names(code: CodeType) -> Iterator[str]:
    """Yields the names of the global variables that code reads."""
    yield from (one.argval for one in dis.get_instructions(code) if one.opname in _LOADS)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _is_installed(module: str) -> bool:
    """Whether a module is of quantsim, the standard library, or an installed package."""
    if module.partition(".")[0] in ("quantsim", *sys.stdlib_module_names):
        return module != "__main__"
    file = getattr(sys.modules.get(module), "__file__", None)
    return file is not None and any(Path(file).is_relative_to(folder) for folder in _folders())


@functools.cache
def _folders() -> tuple[str, ...]:
    return tuple(sysconfig.get_paths()[name] for name in ("purelib", "platlib"))
