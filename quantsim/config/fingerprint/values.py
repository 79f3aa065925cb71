"""Flat values of a fingerprint, checked against the table of keys, and notes on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from quantsim.config.fingerprint.keys import BY_PATH, KEYS, REQUIRED, TABLES, Key
from quantsim.errors import ConfigError, nearest

__all__ = ["Notes", "Values"]

_LARGEST = 1e15
_WORDS: dict[type, str] = {
    float: "a number, at most 1e15",
    int: "a whole number, at most 1e15",
    bool: "true or false",
    str: "a text",
    list: "a list",
}


class Values:
    """The values of a fingerprint by path. Missing values and None have quantammsim's default."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = dict(given)

    @classmethod
    def of(cls, fingerprint: Mapping[str, Any]) -> Values:
        """Reads a dictionary.

        Raises:
            ConfigError: a key is unknown (the nearest is suggested), a required key is missing, or a value has the wrong type
                or is not supported.
        """
        if not isinstance(fingerprint, Mapping):
            raise ConfigError(f"a fingerprint is a dictionary of keys and values, not {type(fingerprint).__name__}")
        given = dict(_leaves(fingerprint))
        for key in REQUIRED:
            if key not in given:
                raise ConfigError(f"the fingerprint has no {key!r}, which is required")
        if not all(isinstance(token, str) and token for token in given["tokens"]):
            raise ConfigError(f"tokens = {given['tokens']!r} must be a list of names")
        if len(set(given["tokens"])) < len(given["tokens"]):
            raise ConfigError(f"tokens = {given['tokens']!r} has a name twice: give each token once")
        return cls(given)

    def __getitem__(self, path: str) -> Any:
        return self._given[path] if path in self._given else BY_PATH[path].default

    def is_given(self, path: str) -> bool:
        """Whether the dictionary has the key, with a value other than None."""
        return path in self._given

    @property
    def paths(self) -> frozenset[str]:
        """The keys that the dictionary has."""
        return frozenset(self._given)

    def any_in(self, table: str) -> bool:
        """Whether the dictionary has any key of a table."""
        return any(path.startswith(f"{table}.") for path in self._given)

    def changed(self) -> Iterator[Key]:
        """Yields the keys whose value is not the default, in the order of the table."""
        for key in KEYS:
            if key.path in self._given and self._given[key.path] != key.default:
                yield key

    def with_default(self, path: str) -> Values:
        """Returns the values with the default in place of this one; without the key if the default is None."""
        default = BY_PATH[path].default
        rest = {name: value for name, value in self._given.items() if name != path}
        return Values(rest if default is None else {**rest, path: default})


class Notes:
    """Notes on keys, in the order in which they were added; at most one per key."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def add(self, path: str, text: str) -> None:
        """Adds a note, unless the key has one."""
        self._texts.setdefault(path, text)

    def __contains__(self, path: str) -> bool:
        return path in self._texts

    def items(self) -> tuple[tuple[str, str], ...]:
        """Returns pairs (path, text)."""
        return tuple(self._texts.items())


def _leaves(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        path = f"{prefix}{name}"
        if path not in TABLES and path not in BY_PATH:
            known = {known.removeprefix(prefix).partition(".")[0] for known in BY_PATH if known.startswith(prefix)}
            raise ConfigError(f"unknown fingerprint key {prefix}{name!r}: {nearest(str(name), known)}")
        if value is None:
            continue
        if path not in TABLES:
            yield path, _checked(BY_PATH[path], value)
        elif isinstance(value, Mapping):
            yield from _leaves(value, f"{path}.")
        else:
            raise ConfigError(f"{path} = {value!r} must be a table")


def _checked(key: Key, value: Any) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()  # a number or an array of numpy
    if key.handling == "refused" and value not in key.allowed:
        remedy = f"; set {key.to}" if key.to else ""
        raise ConfigError(
            f"{key.path} = {value!r} is not supported; the only supported value is {key.allowed[0]!r}. "
            f"{key.note[0].upper()}{key.note[1:]}{remedy}"
        )
    if key.kind is None:
        return value
    if isinstance(value, tuple):
        value = list(value)
    # A comparison, not a conversion, because integers in JSON may have any number of digits. nan fails the comparison.
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and -_LARGEST <= value <= _LARGEST
    fits = {
        float: is_number,
        int: is_number and float(value).is_integer(),
        bool: isinstance(value, bool),
        str: isinstance(value, str),
        list: isinstance(value, list),
    }[key.kind]
    if not fits:
        raise ConfigError(f"{key.path} = {value!r} must be {_WORDS[key.kind]}")
    return key.kind(value)
