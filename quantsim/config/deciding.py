"""Which keys of a study decide what a parameter set is worth, and where two studies differ in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from quantsim.config.base import Section
from quantsim.config.experiment import Experiment
from quantsim.config.paths import without_places
from quantsim.config.sections import Data, Fees, Periods, Pool, Series, Subsidiary, Update
from quantsim.discovery import by_content, stored_names

__all__ = ["deciding_tables", "differences", "differing_leaves", "tables_of"]

_TABLES: dict[str, type[Section]] = {
    "data": Data,
    "periods": Periods,
    "pool": Pool,
    "update": Update,
    "fees": Fees,
    "series": Series,
}
"""With ``subsidiaries``, the tables that decide what a parameter set is worth. The rest is how it was looked for."""

_DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")


def deciding_tables(config: Mapping[str, Any], rule_sources: Mapping[str, str | None]) -> dict[str, Any]:
    """The tables of a study that decide what a parameter set is worth, in a form that compares.

    Keys that an older version did not know have their defaults. Users' rules stand as the content of their files, none of which
    is run. Where prices and series lie does not count: the identity of the data tells what they hold.

    Args:
        config: as JSON values, such as a stored one.
        rule_sources: name → SHA-256 of its file, of the users' rules in it.
    """
    names = stored_names(config, {name: digest for name, digest in rule_sources.items() if digest})

    def plain(section: type[Section], table: Any) -> Any:
        try:
            return section.model_validate(table, context=names).model_dump(mode="json")
        except ValidationError:
            return table  # of another version: it is compared as it is

    tables = {name: plain(section, config.get(name, {})) for name, section in _TABLES.items()}
    parts = config.get("subsidiaries", {})
    tables["subsidiaries"] = {name: plain(Subsidiary, part) for name, part in parts.items()}
    found: dict[str, Any] = by_content(without_places(tables), rule_sources)
    return found


def tables_of(experiment: Experiment) -> dict[str, Any]:
    """:func:`deciding_tables` of an experiment."""
    return deciding_tables(experiment.model_dump(mode="json"), experiment.rule_sources)


def differences(
    stored: Mapping[str, Any], given: Mapping[str, Any], words: str = "{key}: {stored} → {given}"
) -> tuple[str, ...]:
    """Where two results of :func:`deciding_tables` differ, each in these words."""
    return tuple(
        words.format(key=key, stored=_text(one), given=_text(other))
        for key, one, other in differing_leaves(stored, given)
    )


def differing_leaves(one: Any, other: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The dotted key and both values of every leaf of nested tables that differs; None for what is not there."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in sorted(one.keys() | other.keys()):
            yield from differing_leaves(one.get(name), other.get(name), f"{key}.{name}" if key else name)
    elif one != other:
        yield key, one, other


def _text(value: Any) -> str:
    return "not set" if value is None else _DIGEST.sub(r"\1…", str(value))
