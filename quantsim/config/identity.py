"""Each key of a study declares what it decides. Identities and differences of studies are derived from this."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, get_origin

from quantsim.config.paths import without_places
from quantsim.discovery import by_content
from quantsim.settings.decides import GRADIENTS, HYBRID, SEARCH, Decides, leaves

if TYPE_CHECKING:
    from quantsim.settings.base import Section

__all__ = [
    "GRADIENTS",
    "HYBRID",
    "SEARCH",
    "Decides",
    "content",
    "decided",
    "differences",
    "differing_leaves",
    "digest",
    "leaves",
    "part_of",
]


def content(
    study: type[Section],
    config: Mapping[str, Any],
    purpose: Decides,
    rule_sources: Mapping[str, str | None],
    *,
    changed: bool = False,
) -> dict[str, Any]:
    """Returns the keys of a study that count for ``purpose``, as comparable JSON values.

    Missing keys, such as those that an older version did not have, have their defaults. Keys that this version does not know
    count like their section. Users' rules are represented by the hash of their files; no file is run. For series, only the
    existence of a file counts here; the identity of the data covers its content.

    Args:
        study: the class ``Experiment``.
        config: configuration as JSON values, such as a stored one.
        purpose: what the keys decide, such as ``Decides.VALUE`` or ``SEARCH``.
        rule_sources: name of a user's rule → SHA-256 of its file.
        changed: whether to leave out keys at their defaults.
    """
    found = _counting(study, config, purpose, changed)
    objective = found.get("objective")
    if isinstance(objective, Mapping) and objective.get("n_random_periods"):
        found.setdefault("seed", config.get("seed", 0))  # which draws them
    plain: dict[str, Any] = by_content(without_places(found), rule_sources)
    return plain


def digest(values: Any) -> str:
    """Returns the SHA-256 of JSON values in canonical form, in hexadecimal."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@functools.cache
def decided(section: type[Section], key: str) -> Decides:
    """Returns what a key of a section decides."""
    field = section.model_fields.get(key)
    own = [mark for mark in field.metadata if isinstance(mark, Decides)] if field else []
    return own[-1] if own else section.decides


@functools.cache
def part_of(section: type[Section], key: str) -> tuple[type[Section], bool] | None:
    """Returns the section of a key, and whether the key holds a table of sections; None for a plain value."""
    field = section.model_fields.get(key)
    if field is None or any(isinstance(mark, Decides) for mark in field.metadata):
        return None
    parts = [leaf for leaf in leaves(field.annotation) if hasattr(leaf, "decides")]
    return (parts[0], get_origin(field.annotation) is tuple) if parts else None


def _counting(section: type[Section], values: Any, purpose: Decides, changed: bool) -> Any:
    if not isinstance(values, Mapping):
        return values  # not a table, from another version
    section, values = section.read_as(values)
    defaults, found = _defaults(section), {}
    for key in dict.fromkeys((*section.model_fields, *values)):
        default = defaults.get(key)
        value, part = values.get(key, default), part_of(section, key)
        if part is None or not isinstance(value, Mapping):
            if decided(section, key) & purpose and not (changed and value == default):
                found[key] = value
            continue
        inner, several = part
        if several:
            tables = {name: _counting(inner, table, purpose, changed) for name, table in value.items()}
            table = {name: one for name, one in tables.items() if one}
        else:
            table = _counting(inner, value, purpose, changed)
        # The presence of an optional table counts, even if all its keys are at their defaults.
        if table or (default is None and inner.decides & purpose):
            found[key] = table
    return found


@functools.cache
def _defaults(section: type[Section]) -> Mapping[str, Any]:
    """Returns the defaults of a section, as JSON values."""
    return section.model_construct().model_dump(mode="json")


def differences(
    stored: Mapping[str, Any], given: Mapping[str, Any], words: str = "{key}: {stored} → {given}"
) -> tuple[str, ...]:
    """Lists the differences between two results of :func:`content`, formatted with ``words``."""
    return tuple(
        words.format(key=key, stored=_text(one), given=_text(other))
        for key, one, other in differing_leaves(stored, given)
    )


def differing_leaves(one: Any, other: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yields dotted key and both values of every differing leaf of nested tables; None stands for a missing one."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in sorted(one.keys() | other.keys()):
            yield from differing_leaves(one.get(name), other.get(name), f"{key}.{name}" if key else name)
    elif one != other:
        yield key, one, other


_DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")


def _text(value: Any) -> str:
    return "not set" if value is None else _DIGEST.sub(r"\1…", str(value))
