"""The page of all keys of a study: types, defaults and ranges from the models, meanings from the docstrings of fields."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from quantsim.config import Experiment
from quantsim.config.driver_sections import Hybrid, Search, Sgd
from quantsim.config.identity import Decides, decided, part_of
from quantsim.config.pool_tables import Pool, Subsidiary
from quantsim.config.ranges import Range
from quantsim.config.sections import Data, Periods, Series
from quantsim.objective.settings import Objective
from quantsim.pools.registry import get_pool, pool_names
from quantsim.pools.settings import Fees, PoolSettings, Update
from quantsim.prices.synthetic.source import KINDS
from quantsim.settings.base import Section
from quantsim.settings.docstrings import docstrings

__all__ = ["TABLES", "docstrings", "keys_of", "page"]

TABLES: dict[str, tuple[type[Section], str]] = {
    "data": (Data, "[Prices](../prices.md)"),
    "periods": (Periods, "[Studies](../studies.md)"),
    "pool": (Pool, "[Pools](../pools.md)"),
    "subsidiaries.NAME": (Subsidiary, "[Pools of pools](../pools.md)"),
    "update": (Update, "[Mathematics](../mathematics.md)"),
    "fees": (Fees, "[Mathematics](../mathematics.md)"),
    "series": (Series, "[Series that vary over time](../studies.md#series-that-vary-over-time)"),
    "objective": (Objective, "[Objectives](../objectives.md)"),
    "sgd": (Sgd, "[Training](../training.md)"),
    "hybrid": (Hybrid, "[Hybrid](../hybrid.md)"),
    "search": (Search, "[Search](../search.md)"),
    "search.ranges.PARAMETER": (Range, "[The search space](../search.md#the-search-space)"),
}
"""Table → its model, and the page that explains it."""

EFFECTS = {
    Decides.VALUE: "metrics",
    Decides.PERIODS: "periods",
    Decides.OBJECTIVE: "objective",
    Decides.TRIALS: "trials",
    Decides.STEPS: "gradient steps",
    Decides.ROUNDS: "rounds",
}

HEAD = """# Keys of a study

Every table of a study file, with all its keys. [Studies](../studies.md) shows a whole file. This page is generated from the
models that check a study, so it is complete.

*Decides* says which results change with a key. A run is only resumed with the same values of the keys that decide its results
([what counts](../studies.md#what-counts)). Keys that decide nothing may change at any time.
"""


def page() -> str:
    """The text of the page, in Markdown."""
    parts = [HEAD, "## Top level\n", _table(Experiment, [key for key, field in _plain(Experiment)])]
    for name, (model, where) in TABLES.items():
        parts.append(f"## `[{name}]`\n\nExplained in {where}.\n")
        parts.append(_table(model, list(model.model_fields)))
        if name == "pool":
            parts.append(_mechanisms())
        if name == "data":
            parts.append(_synthetic())
        if name == "series":
            parts.append(_PARAMETERS)
    return "\n".join(parts)


_PARAMETERS = """## `[parameters]`

One key per parameter of the rule, the fee rule or the pool, by its human-readable or its raw name: a number for all tokens, or
a list of one number per token. Groups, such as `[parameters.fee]`, are tables. [Parameters](../parameters.md) lists names and
units, [rules](../rules.md) which rule has which. They decide gradient steps and trials.
"""


def _plain(model: type[Section]) -> Iterator[tuple[str, Any]]:
    """The keys of a model that are not tables of their own."""
    for key, field in model.model_fields.items():
        if part_of(model, key) is None and key != "parameters":
            yield key, field


def _mechanisms() -> str:
    """The further keys of `[pool]` and of subsidiaries, by mechanism."""
    common = PoolSettings.model_fields.keys()
    by_keys: dict[str, list[str]] = {}
    models: dict[str, type[PoolSettings]] = {}
    for name in pool_names():
        settings = get_pool(name).settings
        for key in settings.model_fields.keys() - common:
            by_keys.setdefault(key, []).append(name)
            models.setdefault(key, settings)
    parts = ["Further keys of `[pool]` and of subsidiaries, by the type of the pool:\n"]
    for names in dict.fromkeys(map(tuple, by_keys.values())):
        model = max((models[key] for key in by_keys if tuple(by_keys[key]) == names), key=lambda m: len(m.model_fields))
        keys = [key for key in model.model_fields if tuple(by_keys.get(key, ())) == names]
        title = " or ".join(f'`type = "{name}"`' for name in names)
        parts.append(f"### {title}\n\n{_table(model, keys)}")
    return "\n".join(parts)


def _synthetic() -> str:
    parts = []
    for kind, made in KINDS.items():
        rows = "\n".join(
            f"| `{field.name}` | {_shown(None if field.default is dataclasses.MISSING else field.default)} |"
            for field in dataclasses.fields(made)
        )
        parts.append(
            f'### `[data.synthetic]` with `source = "synthetic:{kind}"`\n\n'
            f"Explained in [synthetic prices](../prices.md#synthetic-prices).\n\n| key | default |\n|---|---|\n{rows}\n"
        )
    return "\n".join(parts)


def _table(model: type[Section], keys: list[str]) -> str:
    rows = [f"| `{key}` | {' | '.join(cells)} |" for key, *cells in keys_of(model) if key in keys]
    return "| key | meaning | values | default | decides |\n|---|---|---|---|---|\n" + "\n".join(rows) + "\n"


def keys_of(model: type[Section]) -> Iterator[tuple[str, str, str, str, str]]:
    """Yields key, meaning, values, default and what it decides, as Markdown, for each key of a table.

    Raises:
        KeyError: a field has no docstring.
    """
    schema = model.model_json_schema()
    meanings = docstrings(model)
    for key, field in model.model_fields.items():
        values = schema["properties"][key]
        default = "required" if field.is_required() else _shown(values.get("default"))
        decides = Decides.TRIALS if model is Range else decided(model, key)  # ranges count by their content
        effects = [name for flag, name in EFFECTS.items() if flag & decides]
        yield (
            key,
            _cell(meanings[key].replace("``", "`")),
            _cell(_values(values, schema.get("$defs", {}))),
            _cell(default),
            ", ".join(effects) or "nothing",
        )


_TYPES = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "null": "",
    "object": "table",
    "array": "list",
}


def _values(schema: dict[str, Any], models: dict[str, Any]) -> str:
    """The type and the range of a JSON schema, in words."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(filter(None, (_values(one, models) for one in schema["anyOf"]))))
    if "$ref" in schema or "allOf" in schema:
        return "table"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    kind = _TYPES[schema.get("type", "string")]
    if schema.get("format") == "date-time":
        return "date or time, UTC"
    if schema.get("type") == "array":
        inner = _values(schema["items"], models) if "items" in schema else ""
        inner = "pairs" if "prefixItems" in schema else inner
        return f"list of {inner}" if inner else kind
    limits = [
        f"{sign} {_number(schema[name])}"
        for name, sign in (("exclusiveMinimum", ">"), ("minimum", "≥"), ("exclusiveMaximum", "<"), ("maximum", "≤"))
        if name in schema
    ]
    return f"{kind} {', '.join(limits)}".rstrip()


def _number(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ") if float(value).is_integer() and abs(value) < 1e9 else f"{value:g}"


def _shown(default: Any) -> str:
    if default is None or default in ([], {}, (), ""):
        return "not set"
    return f"`{json.dumps(default)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
