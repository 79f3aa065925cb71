"""Wrong studies: every key with wrong values that its schema tells, and what is wrong of texts that fit it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from bad_inputs import LONG, Case

from quantsim import Experiment
from quantsim.config.pool_tables import Pool, Subsidiary
from quantsim.pools import pool_names

Schema = dict[str, Any]
Tables = dict[str, Any]

STUDY: Tables = {
    "name": '"right"',
    "data": {"tokens": '["BTC", "ETH", "LTC"]'},
    "periods": {
        "train_start": "2018-01-01",
        "train_end": "2018-06-01",
        "validation_end": "2018-07-01",
        "test_end": "2018-08-01",
    },
    "pool": {"rule": '"momentum"', "tokens": '["BTC", "lp"]'},
    "subsidiaries": {"lp": {"tokens": '["ETH", "LTC"]', "rule": '"momentum"', "update": {}, "fees": {}}},
    "parameters": {"memory_days": "10.0", "k_per_day": "[20.0, 10.0]"},
}
"""A study that is right, as TOML's own texts; it has a table of every kind."""

FREE_TEXT: dict[str, tuple[str, ...]] = {
    "name": ('""', f'"{LONG}"', '"two\\nlines"'),
    "description": (),
    "data.source": ('"no/such/folder"', '"prices.xlsx"', '"~nobody_here/prices"', '"http://ann:s3cret@host/prices"'),
    "data.sha256": ('""', '"abc"', f'"{"0" * 63}g"'),
    "data.synthetic": ('{ kind = "gbm" }', '"gbm"', "{ volatility = 1.0 }"),
    "data.tokens": ('["BTC", "BTC"]', '["BTC", "XYZ"]', '["BTC", ""]', '["BTC"]'),
    "pool.type": ('"nonsense"', '"no_file.py:pool"', '"batch"'),
    "subsidiaries.lp.type": ('"nonsense"',),
    "pool.rule": ('"nonsense"', '"no_file.py:rule"', '"momentum.py"'),
    "pool.tokens": ('["BTC", "XYZ"]', '["BTC", "BTC"]', '["lp"]'),
    "pool.ensemble": ('{ a = "nonsense", b = "momentum" }', '{ "no name" = "momentum", b = "momentum" }'),
    "subsidiaries.lp.tokens": ('["BTC", "XYZ"]', '["ETH"]'),
    "subsidiaries.lp.rule": ('"nonsense"',),
    "subsidiaries.lp.ensemble": ('{ a = "nonsense", b = "momentum" }',),
    "subsidiaries.lp.fees.rule": ('"nonsense"',),
    "fees.rule": ('"nonsense"', '"no_file.py:fee"'),
    "series.swap_fee": ('"missing.csv"', '"fees.txt"', '"."'),
    "series.arb_fee": ('"missing.csv"',),
    "series.gas_cost_usd": ('"missing.csv"',),
    "series.oracle": ('"missing.csv"',),
    "series.trades": ('"missing.csv"', '"."'),
    "series.supply": ('"missing.csv"', '"."'),
    "series.weights": ('"missing.csv"', '"."'),
    "objective.metric": ('"nonsense"',),
    "objective.weights": ("{ nonsense = 1.0 }",),
    "objective.constraints": ("{ nonsense = 1.0 }",),
    "objective.report": ('["nonsense"]',),
    "sgd.train": ('["nonsense"]',),
    "search.space": ('"nonsense"', '"."'),
    "search.objectives": ('["returns"]', '["nonsense", "returns"]', '["returns", "returns"]'),
}
"""Keys whose values are any text as far as their type goes → what is wrong all the same. Of a description nothing is."""

_SECTIONS = {"sgd": "sgd", "hybrid": "hybrid", "fees": "simulate", "update": "simulate", "series": "simulate"}
"""Section → the command that is given the study; the others go to the search."""


def study_cases() -> Iterator[Case]:
    """Every key with all values out of its bounds, a third of those of another type, and those of :data:`FREE_TEXT`."""
    schema = _schema()
    seen: Counter[tuple[str, ...]] = Counter()
    for number, (path, literal) in enumerate(_wrong_values(schema, schema["$defs"])):
        seen[path] += 1
        if path[0] == "subsidiaries":
            is_case = seen[path] % 5 == 1  # the tables of those are the pool's again
        else:
            is_case = literal not in _OTHER_TYPES or seen[path] == 1 or number % 3 == 0
        if is_case:
            yield _study_case(path, literal)
    for key, literals in FREE_TEXT.items():
        for literal in literals:
            yield _study_case(tuple(key.split(".")), literal)
    for name in ("memory_days", "k_per_day"):
        for literal in (*_NEVER_NUMBERS, *_NEVER_MEMORIES):
            yield _study_case(("parameters", name), literal)
    yield _study_case(("parameters", "nonsense"), "1.0")


def _schema() -> Schema:
    """The schema of a study, whose tables of pools have the keys of all mechanisms."""
    schema = Experiment.model_json_schema()
    for table in (Pool, Subsidiary):
        for name in pool_names():
            found = table.read_as({"type": name})[0].model_json_schema()
            schema["$defs"] = {**found.pop("$defs", {}), **schema["$defs"]}
            schema["$defs"][table.__name__]["properties"] |= found["properties"]
    return schema


_OTHER_TYPES = ('"several"', '""', '"5 minutes"', "true", "2018-01-01", "[]", "{ surplus = 1 }")
"""What one check refuses, whatever the key: each key gets a third of them. Its bounds are its own."""

_NEVER_MEMORIES = ("0.0", "-1.0", "1e308", "-1e308", "1" + "0" * 30, "[1.0, 2.0, 3.0]", "[]", "{}", '["a", 1.0]')
_NEVER_NUMBERS = ('"several"', '"5 minutes"', '""', "true", "nan", "inf", "-inf", "2018-01-01")


def free_texts() -> set[str]:
    """The keys that any text fits, as far as the schema tells."""
    schema = _schema()
    return {
        ".".join(path) for path, one in _properties(schema, schema["$defs"]) if _takes_any_text(one, schema["$defs"])
    }


def _study_case(path: tuple[str, ...], literal: str) -> Case:
    command = _SECTIONS.get(path[0], "optuna")
    label = f"{'.'.join(path)} = {literal if len(literal) < 60 else literal[:60] + '...'}"
    return Case(label, (command, "--study", "{study}"), (path[-1],), _toml(_with(STUDY, path, literal)))


def _properties(schema: Schema, defs: Schema, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Schema]]:
    """Every key below a table, tables of tables included, with its schema."""
    for name, one in schema["properties"].items():
        yield (*path, name), one
        for part in _alternatives(one, defs):
            inside = next(iter(part.get("patternProperties", {}).values()), part.get("additionalProperties"))
            if "properties" in part:
                yield from _properties(part, defs, (*path, name))
            elif isinstance(inside, dict) and "$ref" in inside:
                known = {"subsidiaries": "lp", "ranges": "memory_days"}[name]
                yield from _properties(_alternatives(inside, defs)[0], defs, (*path, name, known))


def _wrong_values(schema: Schema, defs: Schema) -> Iterator[tuple[tuple[str, ...], str]]:
    yield ("surplus",), "1"
    for path, one in _properties(schema, defs):
        for literal in _wrong(one, defs):
            yield path, literal
        if any("properties" in part for part in _alternatives(one, defs)):
            yield (*path, "surplus"), "1"


def _alternatives(schema: Schema, defs: Schema) -> list[Schema]:
    """What a value may be, without null, which TOML has not."""
    found = []
    for one in schema.get("anyOf", [schema]):
        part = defs[one["$ref"].rpartition("/")[2]] if "$ref" in one else one
        if part.get("type") != "null":
            found.append(part)
    return found


def _takes_any_text(schema: Schema, defs: Schema) -> bool:
    """Whether a text, or one in a list or table, is only bound by what it stands for."""
    for part in _alternatives(schema, defs):
        inside = [part.get("items"), part.get("additionalProperties"), *part.get("patternProperties", {}).values()]
        if part.get("type") == "string" and not part.keys() & {"enum", "format", "const"}:
            return True
        if any(isinstance(one, dict) and "$ref" not in one and _takes_any_text(one, defs) for one in inside):
            return True
    return False


def _wrong(schema: Schema, defs: Schema) -> Iterator[str]:
    """TOML texts of values that a schema does not admit."""
    parts = _alternatives(schema, defs)
    kinds = {part.get("type") for part in parts}
    numbers = [part for part in parts if part.get("type") in ("integer", "number")]
    texts = [part for part in parts if part.get("type") == "string"]
    lists = [part for part in parts if part.get("type") == "array"]
    free = any(not part.keys() & {"enum", "format", "const"} for part in texts)
    if not free:
        yield '"several"'
        yield '""'
        if numbers:
            yield '"5 minutes"'
    elif any(part.get("minLength") for part in texts):
        yield '""'
    if "boolean" not in kinds:
        yield "true"
    yield from ("nan", "inf", "-inf")
    if not numbers:
        yield from ("3", "1e308")
    if not any(part.get("format") == "date-time" for part in texts):
        yield "2018-01-01"
    else:
        yield from ('"2018-13-01"', '"1514764800"', "2018", "0001-01-01", "9999-12-31")
    for part in numbers:
        yield from _out_of_range(part)
    if not lists or any(part.get("minItems") for part in lists):
        yield "[]"
    if "object" not in kinds:
        yield "{ surplus = 1 }"
    for part in lists:
        items = part.get("items") or {}
        if isinstance(items, dict) and items and len(parts) == 1:
            yield from (f"[{literal}, {literal}]" for literal in list(_wrong(items, defs))[:5])
    for part in parts:
        inside = part.get("additionalProperties")
        if isinstance(inside, dict) and "$ref" not in inside:
            yield from (f"{{ returns = {literal} }}" for literal in list(_wrong(inside, defs))[:8])


def _out_of_range(part: Schema) -> Iterator[str]:
    if part["type"] == "integer":
        yield "1.5"
    if "minimum" in part:
        yield from (repr(part["minimum"] - 1), "-1e308")
    if "exclusiveMinimum" in part:
        yield from (repr(part["exclusiveMinimum"]), repr(part["exclusiveMinimum"] - 1))
    if "maximum" in part:
        yield from (repr(part["maximum"] * 2), "1e308", "1" + "0" * 30)
    if "exclusiveMaximum" in part:
        yield from (repr(part["exclusiveMaximum"]), "1e308", "1" + "0" * 30)


def _with(tables: Tables, path: tuple[str, ...], literal: str) -> Tables:
    """The tables with one key in another way."""
    name, *rest = path
    inside = tables.get(name)
    if not rest:
        return {**tables, name: literal}
    return {**tables, name: _with(inside if isinstance(inside, dict) else {}, tuple(rest), literal)}


def _toml(tables: Tables, heading: str = "") -> str:
    lines = [f"{name} = {value}" for name, value in tables.items() if isinstance(value, str)]
    for name, value in tables.items():
        if isinstance(value, Mapping):
            inside = f"{heading}.{name}" if heading else name
            lines += [f"[{inside}]", _toml(dict(value), inside)]
    return "\n".join(lines)
