"""Names of users' objects in studies: ``path/to/file.py:name`` with the hash of the file. No file is run here."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from quantsim.discovery.objects import is_object, object_digest, object_name
from quantsim.errors import ConfigError, reason_of

__all__ = [
    "SourceName",
    "by_content",
    "file_digest",
    "is_in_file",
    "is_loadable",
    "is_own",
    "read_file",
    "short_name",
    "split_name",
    "stored_names",
]

_SUFFIX = ".py"


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


def is_in_file(name: str) -> bool:
    """Whether a name has the form ``path/to/file.py:name``."""
    return name.rpartition(":")[0].endswith(_SUFFIX)


def is_own(name: str) -> bool:
    """Whether a name is that of a user's object: in a file, or given in Python."""
    return is_in_file(name) or is_object(name)


def short_name(name: str) -> str:
    """Returns the name without the folder of a user's file, or without the hash of an object."""
    path, attribute = split_name(name)
    if is_object(name):
        return attribute.partition("@")[0]
    return f"{path.name}:{attribute}" if is_in_file(name) else name


def is_loadable(name: str) -> bool:
    """Whether the object with this name may be loaded; False for one in a user's file that only a stored study names."""
    return not isinstance(name, SourceName) or name.loadable


def split_name(name: str) -> tuple[Path, str]:
    file, _, attribute = name.rpartition(":")
    return Path(os.path.expanduser(file)), attribute


def read_file(path: Path) -> bytes:
    try:
        return Path(os.path.expanduser(path)).read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {reason_of(error)}") from error


def file_digest(source: bytes) -> str:
    return hashlib.sha256(source).hexdigest()


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
        file_digest(read_file(path)): path
        for path in (Path(file) for file in files if isinstance(file, str | os.PathLike))
    }
    objects = [object_name(one) for one in files if not isinstance(one, str | os.PathLike)]
    names = {}
    for text in sorted(set(_names_in(values))):
        digest = digests.get(text)
        if is_object(text):
            names[text] = SourceName(text, digest, loadable=digest is not None and object_digest(text) == digest)
            continue
        path = None if digest is None else given.get(digest)
        shown = text if path is None else f"{os.path.abspath(os.path.expanduser(path))}:{split_name(text)[1]}"
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
    return values if digest is None else f"{digest}:{split_name(values)[1]}"
