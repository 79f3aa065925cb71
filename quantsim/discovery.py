"""Finds named objects: those of a package's modules, and those of files that users write.

A user's object is named ``path/to/file.py:name``. Naming it runs the file, as importing any module does.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import pkgutil
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeVar

from quantsim.errors import ConfigError, nearest

__all__ = ["Registry", "is_in_file", "source_digest"]

_SUFFIX = ".py"

T = TypeVar("T")


@dataclass(frozen=True)
class Registry(Generic[T]):
    """All objects of a kind: one per module of a package, and those of users' files.

    Attributes:
        package: name of the package.
        attribute: what a module calls its object.
        kind: of the objects.
        called: what users call the kind.
        others: modules of the package that hold none.
    """

    package: str
    attribute: str
    kind: type[T]
    called: str
    others: frozenset[str]

    def names(self) -> tuple[str, ...]:
        """The names of all objects that come with quantsim, sorted; nothing but the package is imported to find them."""
        modules = pkgutil.iter_modules(importlib.import_module(self.package).__path__)
        return tuple(sorted({module.name for module in modules} - self.others))

    def get(self, name: str) -> T:
        """The object of that name, or the one that ``path/to/file.py:name`` stands for.

        Raises:
            ConfigError: there is none; the message suggests the nearest.
        """
        if is_in_file(name):
            return _from_file(name, self.kind)
        names = self.names()
        if name not in names:
            remedy = f"{nearest(name, names)}, or path/to/file.py:name for your own"
            raise ConfigError(f"unknown {self.called} {name!r}: {remedy}")
        found: T = getattr(importlib.import_module(f"{self.package}.{name}"), self.attribute)
        return found


def is_in_file(name: str) -> bool:
    """Whether a name is of the form ``path/to/file.py:name``."""
    return name.rpartition(":")[0].endswith(_SUFFIX)


def _from_file(name: str, kind: type[T]) -> T:
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
