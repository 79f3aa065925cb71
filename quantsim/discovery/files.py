"""Runs users' files. A file is read once, hashed, and exactly these bytes are run."""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, TypeVar, cast, get_args

from quantsim.discovery.guarded import exception_text, guarded, place_of
from quantsim.discovery.names import SourceName, file_digest, read_file, split_name
from quantsim.errors import ConfigError, QuantsimError

__all__ = ["names_in_file", "naming_users_files", "object_in_file"]

T = TypeVar("T")


def names_in_file(path: str | os.PathLike[str], kind: Any) -> tuple[str, ...]:
    """Runs a user's file, and returns the names of its objects of a kind: ``path/to/file.py:name``.

    Raises:
        ConfigError: the file cannot be read, or running it fails.
    """
    file = Path(os.path.expanduser(path))
    return tuple(f"{path}:{name}" for name in _objects_in(_module(file, file_digest(read_file(file))), kind))


def object_in_file(name: str, kind: type[T]) -> T:
    """Returns the object at ``path/to/file.py:name``; the same object as long as the file does not change.

    Raises:
        ConfigError: the file does not exist, has changed, may not be run, fails when it is run, or has no such object of this
            kind.
    """
    path, attribute = split_name(name)
    if not isinstance(name, SourceName):
        name = SourceName(name, file_digest(read_file(path)))
    if not name.loadable:
        raise ConfigError(
            f"{name} is of a user's file, which a stored study names, and reading a study runs no file: name the file "
            "with --rule-file, in Python with rule_files, or name a study file that has it with --study"
        )
    digest = str(name.digest)
    known = _guarded_objects.get((path, digest, attribute))
    if known is not None and isinstance(known, kind):
        return known
    module = _module(path, digest)
    found = getattr(module, attribute, None)
    if not isinstance(found, kind):
        kinds = " or ".join(one.__name__ for one in get_args(kind) or (kind,))
        problem = f"has no {attribute!r}" if found is None else f"has a {attribute!r} that is not a {kinds}"
        there = ", ".join(sorted(_objects_in(module, kind)))
        listed = f"it has {there}" if there else f"it has none: make one with the class {kinds} of quantsim"
        raise ConfigError(f"{path} {problem}; {listed}")
    return cast(T, _guarded_objects.setdefault((path, digest, attribute), guarded(found, path.resolve(), attribute)))


@contextlib.contextmanager
def naming_users_files() -> Iterator[None]:
    """Converts exceptions of a user's code to ConfigError also if JAX calls the code, as in backward passes."""
    try:
        yield
    except QuantsimError:
        raise
    except (Exception, SystemExit) as error:
        passed = {frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)}
        path = next((path.resolve() for path, _ in _modules if str(path.resolve()) in passed), None)
        if path is None:
            raise
        raise ConfigError(f"{place_of(error, path)} fails with {exception_text(error)}") from error


def _objects_in(module: ModuleType, kind: type) -> list[str]:
    return [name for name, value in vars(module).items() if isinstance(value, kind) and not name.startswith("_")]


_guarded_objects: dict[tuple[Path, str, str], object] = {}
"""(file, hash, name) → the object. There is one object each, so that comparison by identity works."""


class _Source(importlib.abc.InspectLoader):
    """Runs the bytes that were hashed. Python's own loader would read the file again, or use old byte code."""

    def __init__(self, source: bytes, path: Path) -> None:
        self._source, self._path = source, path

    def get_source(self, fullname: str) -> str:
        return importlib.util.decode_source(self._source)

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self._source, str(self._path))


_modules: dict[tuple[Path, str], ModuleType] = {}
"""(file, hash) → the module. There is one program per rule, even if the file changes later."""


def _module(path: Path, digest: str) -> ModuleType:
    if (path, digest) in _modules:
        return _modules[path, digest]
    source = read_file(path)
    if file_digest(source) != digest:
        raise ConfigError(
            f"{path} has changed since it was first read for this study: start again with the current file"
        )
    name = f"quantsim_user_{path.stem}_{digest[:12]}"
    spec = importlib.util.spec_from_file_location(name, path.resolve(), loader=_Source(source, path.resolve()))
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look up their module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ConfigError(f"{place_of(error, path.resolve())} cannot be run: {exception_text(error)}") from error
    return _modules.setdefault((path, digest), module)
