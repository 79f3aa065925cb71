"""Writes a study file that explains itself: every key with its default and its meaning, from the models that check studies."""

from __future__ import annotations

import functools
import json
import math
import os
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from quantsim.config.driver_sections import Hybrid, Search, Sgd
from quantsim.config.experiment import Experiment
from quantsim.config.identity import part_of
from quantsim.config.sections import Data, Periods, Series
from quantsim.config.toml_text import toml_text
from quantsim.discovery import is_in_file
from quantsim.errors import ConfigError, nearest, reason_of
from quantsim.objective.settings import Objective
from quantsim.parameters import Parameter
from quantsim.pools.settings import Fees, Update
from quantsim.settings.base import Section
from quantsim.settings.docstrings import docstrings

__all__ = ["study_template", "write_study_template"]

_WIDTH = 112
_COMMENT_AT = 34
_SHARES = {"train_end": 0.6, "validation_end": 0.8, "test_end": 1.0}
_LEAST_DAYS = 30

_TABLES: dict[str, tuple[type[Section], str, bool]] = {
    "data": (Data, "The prices (docs/prices.md).", True),
    "periods": (Periods, "In UTC, half open; each begins at the end of the one before.", True),
    "pool": (Section, "The pool (docs/pools.md) and its rule (docs/rules.md).", True),
    "update": (Update, "When and how fast the weights move.", True),
    "fees": (Fees, "Costs, as shares of the traded value.", True),
    "parameters": (Section, "A number for all tokens, or a list of one per token (docs/parameters.md).", True),
    "series": (Series, "Files of values that vary over time, instead of numbers (docs/studies.md).", False),
    "objective": (Objective, "What is maximised (docs/objectives.md).", True),
    "search": (Search, "`quantsim optuna` (docs/search.md).", True),
    "sgd": (Sgd, "`quantsim sgd` (docs/training.md).", True),
    "hybrid": (Hybrid, "`quantsim hybrid` (docs/hybrid.md).", True),
}
"""Table → its model, what it is about, and whether a study has it without any key."""


_SUBSIDIARIES = (
    "# [subsidiaries.NAME]",
    "# A pool whose shares the pool holds as a token: keys of [pool], and [subsidiaries.NAME.fees] (docs/pools.md).",
    "# tokens =                         # What it holds.",
)


def study_template(
    *,
    tokens: Sequence[str] = ("BTC", "ETH"),
    rule: str = "momentum",
    fees: float = 0.0,
    prices: str = "bundled",
    bar_minutes: int | None = None,
    folder: str | os.PathLike[str] = ".",
) -> str:
    """Returns a study as TOML, with a comment on every key.

    Keys that must be set have values; periods are 60, 20 and 20 % of what the prices cover after the warm-up. All other keys
    are commented out, with their defaults. A key without a value has none by default.

    Args:
        tokens: tokens of the pool, in order.
        rule: a rule by name, or ``"path/to/file.py:name"``.
        fees: the swap fee, as a share of the traded value.
        prices: the price source: "bundled", a folder, a file, or synthetic prices.
        bar_minutes: length of the bars; None for that of the files.
        folder: folder of the study file; paths in it are relative to this folder.

    Raises:
        ConfigError: a value is not valid, or the prices cover too few days.
        PriceError: there are no such prices.

    Example:
        >>> text = study_template(tokens=["ETH", "BTC"], fees=0.003)
        >>> "swap_fee = 0.003" in text
        True
    """
    if not all(tokens):
        raise ConfigError(f"tokens = {list(tokens)}: the name of a token is empty")
    given: dict[str, dict[str, Any]] = {
        "data": {"source": prices, "tokens": list(tokens), "bar_minutes": bar_minutes},
        "pool": {"rule": rule},
        "fees": {"swap_fee": fees},
    }
    given["periods"], warm_up = _periods(prices, tokens)
    if warm_up is not None:
        given["update"] = {"max_memory_days": warm_up}
    study = Experiment.from_dict(given, "the study to write")
    given["data"]["source"], given["pool"]["rule"] = (_from(folder, name) for name in (prices, rule))
    blocks = [*_head(study)]
    for name, (_, about, always) in _TABLES.items():
        if name == "series":
            blocks += ["", *_SUBSIDIARIES]
        blocks += ["", f"[{name}]" if always else f"# [{name}]", f"# {about}"]
        blocks += _parameters(study) if name == "parameters" else _keys(study, name, given.get(name, {}))
    return "\n".join(blocks) + "\n"


def write_study_template(path: str | os.PathLike[str], *, force: bool = False, **options: Any) -> Experiment:
    """Writes a study file with a comment on every key, and returns the study.

    Args:
        path: the file, which ends in ``.toml``.
        force: whether to replace an existing file.
        **options: as for :func:`study_template`.

    Raises:
        ConfigError: the file exists, cannot be written, or has another suffix, or as :func:`study_template`.
    """
    file = Path(path)
    if file.suffix != ".toml":
        raise ConfigError(f"{file}: the name of a study file ends in .toml")
    if os.path.lexists(file) and not force:
        raise ConfigError(f"{file} exists already: name another file, or replace it with force=True (--force)")
    text = study_template(**options, folder=file.parent)
    try:
        with file.open("w" if force else "x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise ConfigError(f"cannot write {file}: {reason_of(error)}") from error
    return Experiment.load(file)


def _from(folder: str | os.PathLike[str], name: str) -> str:
    """Returns a price source or a rule as the file has it: paths are relative to its folder."""
    path, colon, rest = name.partition(":") if is_in_file(name) else (name, "", "")
    if os.path.isabs(path) or not os.path.exists(path) or name == "bundled":
        return name
    return Path(os.path.relpath(path, folder)).as_posix() + colon + rest


def _head(study: Experiment) -> Iterator[str]:
    yield "# A study: everything that decides a result. `quantsim run FILE` runs it; docs/studies.md explains it."
    yield "# Lines that begin with `# key =` are defaults: remove the # to change one."
    yield ""
    meanings = docstrings(Experiment)
    for key in ("description", "driver", "seed"):
        yield from _line(key, getattr(study, key), meanings[key] + _choices(Experiment, key), is_set=False)


def _keys(study: Experiment, name: str, given: Mapping[str, Any]) -> Iterator[str]:
    """Yields the lines of a table."""
    table: Section = getattr(study, name)
    model: type[Section] = type(table)
    values, meanings = table.model_dump(mode="json"), docstrings(model)
    for key in model.model_fields:
        if part_of(model, key) is not None:
            continue
        is_set = given.get(key) is not None
        value = given[key] if is_set else values[key]
        yield from _line(key, value, meanings.get(key, "") + _choices(model, key), is_set=is_set)


def _choices(model: type[Section], key: str) -> str:
    """Returns the values that a key may have, if they are few: `` ("a", "b")``."""
    schema = _schema(model)["properties"][key]
    kinds = [schema, schema.get("items", {}), *schema.get("anyOf", ())]
    found = next((kind["enum"] for kind in kinds if "enum" in kind), ())
    return f" ({', '.join(map(json.dumps, found))})" if found else ""


@functools.cache
def _schema(model: type[Section]) -> dict[str, Any]:
    return model.model_json_schema()


def _parameters(study: Experiment) -> Iterator[str]:
    """Yields a line for each parameter of the pool that has an effect, with the value that it has unless set."""
    human = study.human_parameters(study.initial_parameters())
    for parameter in study.active_parameters:
        values = np.asarray(human[parameter.human_name], np.float64)
        alike = len(values) > 1 and np.all(values == values[0]) and not _is_share(parameter)
        shown = _rounded(values[0]) if alike or len(values) == 1 else [_rounded(value) for value in values]
        yield from _line(parameter.human_name, shown, parameter.spec.unit or "", is_set=False)


def _is_share(parameter: Parameter) -> bool:
    """Whether a parameter is a list in any case: weights, which sum to 1."""
    return parameter.human_name.endswith("initial_weights")


def _rounded(value: float) -> float:
    return float(f"{value:.6g}") if math.isfinite(value) else float(value)


def _line(key: str, value: Any, meaning: str, *, is_set: bool) -> Iterator[str]:
    """Yields a key with its value and its meaning, in one line, or with the meaning above it if that is too long."""
    empty = value is None or value in ({}, "")
    text = f"{key} =" if empty else _unquoted_date(toml_text({key: value}).strip())
    if not is_set:
        text = f"# {text}"
    about = " ".join(meaning.replace("``", "`").split())
    whole = f"{text:<{_COMMENT_AT}} # {about}" if about else text
    if len(whole) <= _WIDTH:
        yield whole
        return
    yield from (f"# {line}" for line in textwrap.wrap(about, _WIDTH - 2))
    yield text


def _unquoted_date(text: str) -> str:
    return re.sub(r'"(\d{4}-\d\d-\d\d)"$', r"\1", text)


def _periods(source: str, tokens: Sequence[str]) -> tuple[dict[str, str], float | None]:
    """Returns the periods of a study on prices, and the length of the warm-up in days if it is not the default."""
    first, last = _covered(source, tokens)
    n_days = (last - first).days
    default = float(Update.model_fields["max_memory_days"].default)
    warm_up = min(default, float(n_days // 4))
    days = n_days - int(warm_up)
    if days < _LEAST_DAYS:
        raise ConfigError(f"the prices cover {n_days} days: a study needs {_LEAST_DAYS} after its warm-up")
    start = first + timedelta(days=int(warm_up))
    ends = {name: start + timedelta(days=int(share * days)) for name, share in _SHARES.items()}
    dates = {name: end.isoformat() for name, end in {"train_start": start, **ends}.items()}
    return dates, None if warm_up == default else warm_up


def _covered(source: str, tokens: Sequence[str]) -> tuple[date, date]:
    """Returns the first and the last whole day that all tokens have prices for."""
    from quantsim.prices import available

    if source.partition(":")[0] == "synthetic":
        return date(2020, 1, 1), date(2024, 1, 1)
    known = {one.token: one for one in available(source)}
    for token in tokens:
        if token not in known:
            raise ConfigError(f"{source} has no prices of {token!r}: {nearest(token, known)}")
    first = max(_moment(known[token].first) for token in tokens)
    last = min(_moment(known[token].last) for token in tokens)
    return first.date() + timedelta(days=1), last.date()


def _moment(stamp: np.datetime64) -> datetime:
    return datetime.fromtimestamp(int(stamp.astype("datetime64[s]").astype(np.int64)), UTC)
