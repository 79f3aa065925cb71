"""Finds named objects: those of a package's modules, and those of files that users write.

A user's object is named ``path/to/file.py:name``. When the user names it, the file is read once, hashed, and those very bytes
are run. A name in a stored study runs nothing: the user must name the file again, and its hash must be the stored one.
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

__all__ = [
    "Registry",
    "SourceName",
    "by_content",
    "exception_text",
    "is_in_file",
    "is_loadable",
    "names_in_file",
    "naming_users_files",
    "short_name",
    "stored_names",
]

_SUFFIX = ".py"

T = TypeVar("T")


class SourceName(str):
    """``path/to/file.py:name``, together with the content of the file that it stands for.

    Compares, hashes and serialises as the plain text.

    Attributes:
        digest: SHA-256 of the file; None where a stored study was written without it.
        loadable: whether the file may be run. Not so for a name that was read from a stored study, unless the user has named
            the file.
    """

    digest: str | None
    loadable: bool

    def __new__(cls, text: str, digest: str | None = None, *, loadable: bool = True) -> Self:
        """Ties a name to the content of its file."""
        name = super().__new__(cls, text)
        name.digest, name.loadable = digest, loadable
        return name


@dataclass(frozen=True)
class Registry(Generic[T]):
    """All objects of a kind: one per module of a package, and those of users' files.

    Attributes:
        package: name of the package.
        attribute: what a module calls its object.
        kind: of the objects; for those of files alone, a union of several kinds.
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

    def checked(self, name: str, known: Mapping[str, SourceName] | None = None) -> str:
        """The name, once it is sure that there is such an object; that of a user's file together with the file's content.

        Args:
            name: as a study has it.
            known: names that are taken as they are, without a look at their files; see :func:`stored_names`.

        Raises:
            ConfigError: as :meth:`get`.
        """
        if known and name in known:
            return known[name]
        if is_in_file(name):
            path, _ = _split(name)
            name = SourceName(name, _digest(_read(path)))
        self.get(name)
        return name

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


def names_in_file(path: str | os.PathLike[str], kind: Any) -> tuple[str, ...]:
    """The objects of a kind, or of a union of kinds, in a user's file, which is run: ``path/to/file.py:name`` of each.

    Raises:
        ConfigError: the file cannot be read, or running it fails.
    """
    file = Path(os.path.expanduser(path))
    return tuple(f"{path}:{name}" for name in _objects_in(_module(file, _digest(_read(file))), kind))


def is_in_file(name: str) -> bool:
    """Whether a name is of the form ``path/to/file.py:name``."""
    return name.rpartition(":")[0].endswith(_SUFFIX)


def short_name(name: str) -> str:
    """The name without the folder of a user's file."""
    path, attribute = _split(name)
    return f"{path.name}:{attribute}" if is_in_file(name) else name


def is_loadable(name: str) -> bool:
    """Whether the object of that name may be had; not so for one of a user's file that only a stored study names."""
    return not isinstance(name, SourceName) or name.loadable


def stored_names(
    values: Any,
    digests: Mapping[str, str],
    files: Iterable[str | os.PathLike[str]] = (),
    source: str = "the stored study",
) -> dict[str, SourceName]:
    """The names of users' objects in a stored configuration, none of whose files is run by being named there.

    Args:
        values: nested JSON values.
        digests: name → SHA-256 of its file, as stored with the configuration.
        files: that the user allows to be run, wherever they lie now; each must have one of the stored hashes.
        source: what was stored, for messages.

    Returns:
        Stored name → the name to use: with the path of the user's file where one was given.

    Raises:
        ConfigError: a file cannot be read, or is not one that was stored.
    """
    given = {_digest(_read(path)): path for path in map(Path, files)}
    names = {}
    for text in sorted(set(_names_in(values))):
        digest = digests.get(text)
        path = None if digest is None else given.get(digest)
        shown = text if path is None else f"{os.path.abspath(os.path.expanduser(path))}:{_split(text)[1]}"
        names[text] = SourceName(shown, digest, loadable=path is not None)
    used = {name.digest for name in names.values()}
    for digest, path in given.items():
        if digest not in used:
            raise ConfigError(f"rule file {path} is not of {source}: {_why_not(digest, names)}")
    return names


def _why_not(digest: str, names: Mapping[str, SourceName]) -> str:
    if not names:
        return "it uses no rule or pool of a user's file; leave the rule file out"
    if unknown := [text for text, name in names.items() if name.digest is None]:
        return (
            f"that was stored without the hash of {unknown[0]}, by an older version. Name a study that has the rule with "
            "--study, and take the parameters into it with --as-study"
        )
    stored = ", ".join(f"{text} with SHA-256 {name.digest}" for text, name in names.items())
    return f"that has {stored}, and the file given has {digest}. Restore the file as it was then"


def _names_in(values: Any) -> Iterable[str]:
    if isinstance(values, str):
        if is_in_file(values):
            yield values
    elif isinstance(values, Mapping | list | tuple):
        for value in values.values() if isinstance(values, Mapping) else values:
            yield from _names_in(value)


def by_content(values: Any, digests: Mapping[str, str | None]) -> Any:
    """Nested JSON values with the path in every name of a user's object replaced by the file's hash, where that is known.

    What is left does not depend on where files lie, and tells files of different content apart.
    """
    if isinstance(values, Mapping):
        return {key: by_content(value, digests) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [by_content(value, digests) for value in values]
    digest = digests.get(values) if isinstance(values, str) else None
    return values if digest is None else f"{digest}:{_split(values)[1]}"


def _from_file(name: str, kind: type[T]) -> T:
    """The object that ``path/to/file.py:name`` stands for; the same one as long as the file is the same.

    Raises:
        ConfigError: there is no such file, it is not the one that was hashed or must not be run, running it fails, or it has
            no such object of that kind.
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
        problem = f"has no {attribute!r}" if found is None else f"has a {attribute!r} that is no {kinds}"
        there = ", ".join(sorted(_objects_in(module, kind)))
        listed = f"it has {there}" if there else f"it has none: make one with quantsim's {kinds}"
        raise ConfigError(f"{path} {problem}; {listed}")
    return cast(T, _guarded_objects.setdefault((path, digest, attribute), _guarded(found, path.resolve(), attribute)))


def _objects_in(module: ModuleType, kind: type) -> list[str]:
    return [name for name, value in vars(module).items() if isinstance(value, kind) and not name.startswith("_")]


_guarded_objects: dict[tuple[Path, str, str], object] = {}
"""(file, hash, name) → the object: one, so that it compares and hashes as itself."""


def _guarded(found: Any, path: Path, attribute: str) -> object:
    """The object with functions whose exceptions, ``sys.exit`` included, end as one ConfigError that names the file.

    Those of its parameters' transforms may raise ValueError, to refuse a value.
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
        """A part of the object: what is not the user's own stays the very object that it is."""
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
    """Has what a user's code raises end as a ConfigError, too, where JAX calls it by itself, as it does backward passes."""
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
    """The file, and the line of it that an exception came from."""
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)]
    return f"{path}, line {lines[-1]}" if lines else str(path)


def exception_text(error: BaseException) -> str:
    """The kind of an exception and the first line of what it says."""
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
    """Runs the bytes that were hashed. Python's own loader would read the file anew, or take old byte code."""

    def __init__(self, source: bytes, path: Path) -> None:
        self._source, self._path = source, path

    def get_source(self, fullname: str) -> str:
        return importlib.util.decode_source(self._source)

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self._source, str(self._path))


_modules: dict[tuple[Path, str], ModuleType] = {}
"""(file, hash) → what running it gave: one program for one rule, whatever becomes of the file."""


def _module(path: Path, digest: str) -> ModuleType:
    if (path, digest) in _modules:
        return _modules[path, digest]
    source = _read(path)
    if _digest(source) != digest:
        raise ConfigError(
            f"{path} was changed since it was first read for this study: start again with the file as it is"
        )
    name = f"quantsim_user_{path.stem}_{digest[:12]}"
    spec = importlib.util.spec_from_file_location(name, path.resolve(), loader=_Source(source, path.resolve()))
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and the like look their module up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ConfigError(f"{_place(error, path.resolve())} cannot be run: {exception_text(error)}") from error
    return _modules.setdefault((path, digest), module)
