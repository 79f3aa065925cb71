"""Finds named objects: those of a package's modules, and those of files that users write.

A user's object is named ``path/to/file.py:name``. Naming it runs the file, as importing any module does.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import pkgutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from quantsim.errors import ConfigError

__all__ = ["from_file", "is_in_file", "module_names", "source_digest"]

_SUFFIX = ".py"


def module_names(package: ModuleType, *, without: frozenset[str]) -> tuple[str, ...]:
    """The names of a package's modules, sorted; nothing is imported to find them."""
    return tuple(sorted({module.name for module in pkgutil.iter_modules(package.__path__)} - without))


def is_in_file(name: str) -> bool:
    """Whether a name is of the form ``path/to/file.py:name``."""
    return name.rpartition(":")[0].endswith(_SUFFIX)


def from_file(name: str, kind: type[Any]) -> Any:
    """The object that ``path/to/file.py:name`` stands for; the same one as long as the file is the same.

    Raises:
        ConfigError: there is no such file, running it fails, or it has no such object of that kind.
    """
    path, attribute = _split(name)
    module = _module(path, _digest(path))
    found = getattr(module, attribute, None)
    if not isinstance(found, kind):
        there = [key for key, value in vars(module).items() if isinstance(value, kind) and not key.startswith("_")]
        problem = f"has no {attribute!r}" if found is None else f"has a {attribute!r} that is no {kind.__name__}"
        listed = (
            f"it has {', '.join(sorted(there))}" if there else f"it has none: make one with quantsim's {kind.__name__}"
        )
        raise ConfigError(f"{path} {problem}; {listed}")
    return found


def source_digest(name: str) -> str:
    """SHA-256 of the file in ``path/to/file.py:name``.

    Raises:
        ConfigError: there is no such file.
    """
    return _digest(_split(name)[0])


def _split(name: str) -> tuple[Path, str]:
    file, _, attribute = name.rpartition(":")
    return Path(file).expanduser(), attribute


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}; paths count from where the command runs"
        ) from error


@functools.cache
def _module(path: Path, digest: str) -> ModuleType:
    name = f"quantsim_user_{path.stem}_{digest[:12]}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and the like look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    return module
