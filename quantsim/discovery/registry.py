"""All objects of a kind, by name: one per module of a package, and those in users' files."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from quantsim.discovery.files import object_in_file
from quantsim.discovery.names import SourceName, file_digest, is_in_file, read_file, split_name
from quantsim.discovery.objects import given_object, is_object, object_digest, object_name
from quantsim.errors import ConfigError, nearest

__all__ = ["Registry"]

T = TypeVar("T")


@dataclass(frozen=True)
class Registry(Generic[T]):
    """All objects of a kind: one per module of a package, and those in users' files.

    Attributes:
        package: name of the package.
        attribute: name of the object in a module.
        kind: class of the objects; for users' files, it may be a union.
        called: name of the kind, for messages.
        others: modules of the package without an object.
    """

    package: str
    attribute: str
    kind: type[T]
    called: str
    others: frozenset[str]

    def names(self) -> tuple[str, ...]:
        """Returns the names of all objects of quantsim, sorted. Only imports the package, not its modules."""
        return tuple(name for name in _module_names(self.package) if name not in self.others)

    def checked(self, name: str, known: Mapping[str, SourceName] | None = None) -> str:
        """Returns the name after checking that the object exists; a name in a user's file gets the hash of the file.

        Args:
            name: name in a study.
            known: names that are not checked; see :func:`stored_names`.

        Raises:
            ConfigError: as in :meth:`get`.
        """
        if known and name in known:
            return known[name]
        if is_object(name):
            name = SourceName(name, object_digest(name))
        if is_in_file(name):
            path, _ = split_name(name)
            name = SourceName(name, file_digest(read_file(path)))
        self.get(name)
        return name

    def get(self, name: str) -> T:
        """Returns the object with this name, or the one at ``path/to/file.py:name``.

        Raises:
            ConfigError: there is no such object; the message suggests the nearest name.
        """
        if is_in_file(name):
            return object_in_file(name, self.kind)
        if is_object(name):
            return self._given(name)
        names = self.names()
        if name not in names:
            remedy = f"{nearest(name, names)}, or path/to/file.py:name for your own"
            raise ConfigError(f"unknown {self.called} {name!r}: {remedy}")
        found: T = getattr(importlib.import_module(f"{self.package}.{name}"), self.attribute)
        return found

    def name_of(self, found: T) -> str:
        """Returns the name of an object of this kind: that of quantsim, or one that stands for a given object."""
        own = str(getattr(found, "name", ""))
        if own in self.names() and self.get(own) is found:
            return own
        name = object_name(found)
        return SourceName(name, object_digest(name))

    def _given(self, name: str) -> T:
        found = given_object(name)
        if not isinstance(found, self.kind):
            raise ConfigError(f"{name} is a {type(found).__name__}, and not a {self.called}")
        return found


@functools.cache
def _module_names(package: str) -> tuple[str, ...]:
    """Returns the names of the modules of a package, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(importlib.import_module(package).__path__)))
