"""Translates a configuration dictionary of quantammsim to the tables of a study."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quantsim.config.fingerprint.keys import KEYS
from quantsim.config.fingerprint.parameters import parameter_tables
from quantsim.config.fingerprint.pool import pool_tables
from quantsim.config.fingerprint.search import search_table
from quantsim.config.fingerprint.training import DRIVERS, method_of, training_tables
from quantsim.config.fingerprint.values import Notes, Values
from quantsim.errors import ConfigError, FingerprintWarning, QuantsimError

__all__ = ["Translation", "translate"]

_UNNAMED = "the fingerprint"

_ORDER = (
    *("name", "driver", "seed", "data", "periods", "pool", "subsidiaries", "update", "fees"),
    *("objective", "parameters", "sgd", "search"),
)


@dataclass(frozen=True)
class Translation:
    """The study for a fingerprint.

    Attributes:
        tables: tables of the study, for :meth:`quantsim.Experiment.from_dict`.
        notes: pairs (key, text) for keys whose meaning differs, or that have no effect.
        given: keys of the fingerprint.
        source: name of the source, for messages.
    """

    tables: dict[str, Any]
    notes: tuple[tuple[str, str], ...]
    given: frozenset[str] = frozenset()
    source: str = _UNNAMED

    def warn(self) -> None:
        """Issues one :class:`~quantsim.FingerprintWarning` with all notes, if there are any."""
        if self.notes:
            lines = "".join(f"\n  {path}: {text}" for path, text in self.notes)
            warnings.warn(
                f"some keys of {self.source} have another meaning here:{lines}", FingerprintWarning, stacklevel=3
            )

    def explained(self, error: ConfigError) -> ConfigError:
        """Returns an error of the translated study with the keys of the fingerprint added."""
        text = str(error)
        there = [
            f"\n  {name} is {key.path} of the fingerprint"
            for key in KEYS
            for name in key.to.split(", ")
            if key.path in self.given and _names(text, name)
        ]
        return ConfigError(text + "".join(there))


def _names(message: str, key: str) -> bool:
    """Whether a message names a key of the study: in full, or table and key separately, or a parameter by its name."""
    table, _, name = key.rpartition(".")
    if table == "parameters":
        return re.search(rf"(?<!\w){re.escape(name)}\b", message) is not None
    words = [key] if not table or re.search(rf"(?<![\w.]){re.escape(key)}\b", message) else [table, name]
    return bool(key) and all(re.search(rf"(?<![\w.]){re.escape(word)}\b", message) for word in words)


def translate(fingerprint: Mapping[str, Any], source: str = _UNNAMED) -> Translation:
    """Translates a fingerprint. docs/fingerprints.md lists all keys.

    Args:
        fingerprint: keys and values.
        source: name of the source, for messages.

    Raises:
        ConfigError: a required key is missing, a key is unknown (the nearest is suggested), or a value is not supported.
    """
    notes = Notes()
    try:
        values = Values.of(fingerprint)
        tables = _tables(values, notes)
    except ConfigError as error:
        raise (error if source == _UNNAMED else ConfigError(f"{source}: {error}")) from error
    meaning = (tables, notes.items())
    for key in values.changed():
        if key.handling == "internal":
            notes.add(key.path, key.note)
        # No key is ignored silently: a key that changes nothing gets a note.
        elif key.handling != "checked" and key.path not in notes and _means_with_default(key.path, values) == meaning:
            notes.add(key.path, f"has no effect here ({key.note})" if key.note else "has no effect here")
    return Translation(tables, notes.items(), values.paths, source)


def _tables(values: Values, notes: Notes) -> dict[str, Any]:
    tables: dict[str, Any] = {"driver": DRIVERS[method_of(values, notes)]}
    for key in KEYS:
        if key.handling == "copied":
            table, _, name = key.to.rpartition(".")
            (tables.setdefault(table, {}) if table else tables)[name] = values[key.path]
    for part in (pool_tables, training_tables, search_table, parameter_tables):
        for name, table in part(values, notes).items():
            tables[name] = {**tables.get(name, {}), **table} if isinstance(table, dict) else table
    return {name: tables[name] for name in _ORDER if name in tables}


def _means_with_default(path: str, values: Values) -> tuple[dict[str, Any], tuple[tuple[str, str], ...]] | None:
    """Returns tables and notes with one key at its default; None if the fingerprint is invalid then."""
    notes = Notes()
    try:
        return _tables(values.with_default(path), notes), notes.items()
    except QuantsimError:
        return None
