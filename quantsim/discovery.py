"""Finds objects by name, in the modules of a package and in users' files.

An object in a user's file is named ``path/to/file.py:name``. When the user names it, the file is read once, hashed, and
exactly these bytes are run. A name in a stored study runs nothing: the user must name the file again, and its hash must match.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import importlib
import importlib.abc
import importlib.util
import operator
import os
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Generic, Self, TypeVar, cast, get_args

from quantsim.errors import ConfigError, QuantsimError, nearest, reason_of
from quantsim.objects import given_object, is_object, object_digest, object_name

__all__ = [
    "Registry",
    "SourceName",
    "by_content",
    "exception_text",
    "is_in_file",
    "is_loadable",
    "is_own",
    "names_in_file",
    "naming_users_files",
    "short_name",
    "stored_names",
]

_SUFFIX = ".py"

T = TypeVar("T")


class SourceName(str):
    """The name ``path/to/file.py:name``, with the hash of the file.

    Compares, hashes and serialises like the plain text.

    Attributes:
        digest: SHA-256 of the file; None if a stored study does not have it.
        loadable: whether the file may be run. False for a name from a stored study, unless the user has named the file.
    """

    digest: str | None
    loadable: bool

    def __new__(cls, text: str, digest: str | None = None, *, loadable: bool = True) -> Self:
        """Makes a name with the hash of its file."""
        name = super().__new__(cls, text)
        name.digest, name.loadable = digest, loadable
        return name


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
            path, _ = _split(name)
            name = SourceName(name, _digest(_read(path)))
        self.get(name)
        return name

    def get(self, name: str) -> T:
        """Returns the object with this name, or the one at ``path/to/file.py:name``.

        Raises:
            ConfigError: there is no such object; the message suggests the nearest name.
        """
        if is_in_file(name):
            return _from_file(name, self.kind)
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


def names_in_file(path: str | os.PathLike[str], kind: Any) -> tuple[str, ...]:
    """Runs a user's file, and returns the names of its objects of a kind: ``path/to/file.py:name``.

    Raises:
        ConfigError: the file cannot be read, or running it fails.
    """
    file = Path(os.path.expanduser(path))
    return tuple(f"{path}:{name}" for name in _objects_in(_module(file, _digest(_read(file))), kind))


def is_in_file(name: str) -> bool:
    """Whether a name has the form ``path/to/file.py:name``."""
    return name.rpartition(":")[0].endswith(_SUFFIX)


def is_own(name: str) -> bool:
    """Whether a name is that of a user's object: in a file, or given in Python."""
    return is_in_file(name) or is_object(name)


def short_name(name: str) -> str:
    """Returns the name without the folder of a user's file, or without the hash of an object."""
    path, attribute = _split(name)
    if is_object(name):
        return attribute.partition("@")[0]
    return f"{path.name}:{attribute}" if is_in_file(name) else name


def is_loadable(name: str) -> bool:
    """Whether the object with this name may be loaded; False for one in a user's file that only a stored study names."""
    return not isinstance(name, SourceName) or name.loadable


def stored_names(
    values: Any,
    digests: Mapping[str, str],
    files: Iterable[str | os.PathLike[str] | object] = (),
    source: str = "the stored study",
) -> dict[str, SourceName]:
    """Returns the names of users' objects in a stored configuration. No file is run.

    Args:
        values: nested JSON values.
        digests: name → SHA-256 of its file, as stored with the configuration.
        files: files that the user allows to run, at any location, and objects; each must have one of the stored hashes.
        source: name of the configuration, for messages.

    Returns:
        Stored name → name to use, with the path of the given file if there is one.

    Raises:
        ConfigError: a file cannot be read, or its hash is not a stored one.
    """
    files = tuple(files)
    given = {
        _digest(_read(path)): path for path in (Path(file) for file in files if isinstance(file, str | os.PathLike))
    }
    objects = [object_name(one) for one in files if not isinstance(one, str | os.PathLike)]
    names = {}
    for text in sorted(set(_names_in(values))):
        digest = digests.get(text)
        if is_object(text):
            names[text] = SourceName(text, digest, loadable=digest is not None and object_digest(text) == digest)
            continue
        path = None if digest is None else given.get(digest)
        shown = text if path is None else f"{os.path.abspath(os.path.expanduser(path))}:{_split(text)[1]}"
        names[text] = SourceName(shown, digest, loadable=path is not None)
    if others := [name for name in objects if name not in names]:
        there = ", ".join(filter(is_object, names)) or "none"
        raise ConfigError(f"{others[0]} is not of {source}, which has {there}: give the object as it was then")
    used = {name.digest for name in names.values()}
    for digest, path in given.items():
        if digest not in used:
            raise ConfigError(f"rule file {path} is not of {source}: {_why_not(digest, names)}")
    return names


def _why_not(digest: str, names: Mapping[str, SourceName]) -> str:
    if not names:
        return "the study has no rule, fee rule or pool from a file of your own; leave the rule file out"
    if unknown := [text for text, name in names.items() if name.digest is None]:
        return (
            f"an older version stored it without the hash of {unknown[0]}. Name a study with the rule with --study, and use "
            "the parameters in it with --as-study"
        )
    stored = ", ".join(f"{text} with SHA-256 {name.digest}" for text, name in names.items())
    return f"that has {stored}, and the file given has {digest}. Restore the file as it was then"


def _names_in(values: Any) -> Iterable[str]:
    if isinstance(values, str):
        if is_own(values):
            yield values
    elif isinstance(values, Mapping | list | tuple):
        for value in values.values() if isinstance(values, Mapping) else values:
            yield from _names_in(value)


def by_content(values: Any, digests: Mapping[str, str | None]) -> Any:
    """Returns nested JSON values in which the path in every name of a user's object is replaced by the file's hash, if known.

    The result does not depend on the location of files, only on their content.
    """
    if isinstance(values, Mapping):
        return {key: by_content(value, digests) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [by_content(value, digests) for value in values]
    digest = digests.get(values) if isinstance(values, str) else None
    return values if digest is None else f"{digest}:{_split(values)[1]}"


def _from_file(name: str, kind: type[T]) -> T:
    """Returns the object at ``path/to/file.py:name``; the same object as long as the file does not change.

    Raises:
        ConfigError: the file does not exist, has changed, may not be run, fails when it is run, or has no such object of this
            kind.
    """
    path, attribute = _split(name)
    if not isinstance(name, SourceName):
        name = SourceName(name, _digest(_read(path)))
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
    return cast(T, _guarded_objects.setdefault((path, digest, attribute), _guarded(found, path.resolve(), attribute)))


def _objects_in(module: ModuleType, kind: type) -> list[str]:
    return [name for name, value in vars(module).items() if isinstance(value, kind) and not name.startswith("_")]


_guarded_objects: dict[tuple[Path, str, str], object] = {}
"""(file, hash, name) → the object. There is one object each, so that comparison by identity works."""


def _guarded(found: Any, path: Path, attribute: str) -> object:
    """Wraps the functions of an object so that exceptions, including ``sys.exit``, become a ConfigError that names the file.

    Transforms of its parameters may raise ValueError for an invalid value.
    """

    def guard(function: Callable[..., Any], passing: type[Exception]) -> Callable[..., Any]:
        @functools.wraps(function)
        def called(*arguments: Any, **named: Any) -> Any:
            try:
                return function(*arguments, **named)
            except passing:
                raise
            except (Exception, SystemExit) as error:
                raise ConfigError(f"{_place(error, path)}: {attribute} fails with {exception_text(error)}") from error

        return called

    def within(value: Any) -> Any:
        """Wraps a part of the object. Parts that are not from the user's file stay the same object."""
        if isinstance(value, tuple):
            parts = tuple(map(within, value))
            return value if all(map(operator.is_, parts, value)) else parts
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            changed = {name: part for name, one in fields.items() if (part := within(one)) is not one}
            return dataclasses.replace(value, **changed) if changed else value
        code = getattr(value, "__code__", None)
        return guard(value, ValueError) if code is not None and code.co_filename == str(path) else value

    values = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    parts = {
        name: guard(one, QuantsimError) if callable(one) and not isinstance(one, type) else within(one)
        for name, one in values.items()
    }
    return dataclasses.replace(found, **parts)


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
        raise ConfigError(f"{_place(error, path)} fails with {exception_text(error)}") from error


def _place(error: BaseException, path: Path) -> str:
    """Returns the file, and its line where an exception was raised."""
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)]
    return f"{path}, line {lines[-1]}" if lines else str(path)


def exception_text(error: BaseException) -> str:
    """Returns the type of an exception and the first line of its message."""
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _split(name: str) -> tuple[Path, str]:
    file, _, attribute = name.rpartition(":")
    return Path(os.path.expanduser(file)), attribute


def _read(path: Path) -> bytes:
    try:
        return Path(os.path.expanduser(path)).read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {reason_of(error)}") from error


def _digest(source: bytes) -> str:
    return hashlib.sha256(source).hexdigest()


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
    source = _read(path)
    if _digest(source) != digest:
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
        raise ConfigError(f"{_place(error, path.resolve())} cannot be run: {exception_text(error)}") from error
    return _modules.setdefault((path, digest), module)
