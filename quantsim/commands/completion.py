"""What the shell completes: studies, selection methods, metrics, rules and parameters. Nothing here loads JAX."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import typer

from quantsim.bundled_files import SUFFIX, bundled_folder, bundled_names

__all__ = [
    "axes",
    "in_list",
    "methods",
    "metrics",
    "names",
    "parameters",
    "runs",
    "runs_and_methods",
    "settings",
    "spaces",
    "studies",
]

Complete = Callable[[str], list[str]]


def in_list(complete: Complete) -> Complete:
    """Returns the completion of the last name of a list with commas."""

    def last(incomplete: str) -> list[str]:
        before, comma, name = incomplete.rpartition(",")
        return [before + comma + one for one in complete(name)]

    return last


def studies(incomplete: str) -> list[str]:
    """Completes the name of a bundled study, or a file."""
    return [*_matching(bundled_names("studies"), incomplete), *_files(incomplete, (SUFFIX, ".json"))]


def spaces(incomplete: str) -> list[str]:
    """Completes a rule, a type of pool, the name of a bundled search space, or a file."""
    from quantsim.pools import pool_names

    known = {*bundled_names("search_spaces"), *_rules(), *pool_names()}
    return [*_matching(sorted(known), incomplete), *_files(incomplete, (SUFFIX,))]


def methods(incomplete: str) -> list[str]:
    """Completes a selection method."""
    from quantsim.checkpoints.methods import SELECTION_METHODS

    return _matching(("best", *SELECTION_METHODS), incomplete)


def runs(context: typer.Context, incomplete: str) -> list[str]:
    """Completes the key or the name of a stored run; nothing if the store cannot be read."""
    from quantsim.checkpoints import CheckpointStore
    from quantsim.errors import QuantsimError
    from quantsim.project import default_store

    try:
        with CheckpointStore.open(context.params.get("store") or default_store(), read_only=True) as store:
            entries = store.runs()
    except (QuantsimError, OSError):
        return []
    known = [*(entry.title for entry in entries if entry.title), *(entry.key for entry in entries)]
    return _matching(dict.fromkeys(known), incomplete)


def runs_and_methods(context: typer.Context, incomplete: str) -> list[str]:
    """Completes a stored run or a selection method."""
    return [*runs(context, incomplete), *methods(incomplete)]


def metrics(incomplete: str) -> list[str]:
    """Completes the name of a metric."""
    from quantsim.metrics import metric_names

    return _matching(metric_names(), incomplete)


def names(incomplete: str) -> list[str]:
    """Completes what ``quantsim check`` takes: a rule, fee rule, metric or pool, or a file."""
    from quantsim.fee_rules import fee_rule_names
    from quantsim.pools import pool_names

    known = [*_rules(), *fee_rule_names(), *pool_names()]
    return [*_matching(known, incomplete), *metrics(incomplete), *_files(incomplete, (".py",))]


def parameters(context: typer.Context, incomplete: str) -> list[str]:
    """Completes ``NAME=`` of a parameter of the study, or of any rule if its rule is not one of quantsim."""
    return [f"{name}=" for name in _matching(_parameters(context), incomplete)]


def axes(context: typer.Context, incomplete: str) -> list[str]:
    """Completes the names of parameters in a list of axes."""
    return in_list(lambda last: parameters(context, last))(incomplete)


def settings(incomplete: str) -> list[str]:
    """Completes a key of a study, or the value of a key that names a rule or a metric."""
    key, equals, value = incomplete.partition("=")
    if equals:
        values = _rules() if key == "pool.rule" else metrics("") if key == "objective.metric" else ()
        return [f"{key}={one}" for one in _matching(values, value)]
    return _matching(_keys(), incomplete)


def _matching(known: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in known if name.startswith(incomplete)]


def _files(incomplete: str, suffixes: tuple[str, ...]) -> list[str]:
    """Completes a path: folders, and files with one of the suffixes."""
    folder, _, start = incomplete.rpartition("/")
    place = Path(os.path.expanduser(folder or ("/" if incomplete.startswith("/") else ".")))
    try:
        found = sorted(place.iterdir())
    except OSError:
        return []
    shown = incomplete.removesuffix(start)
    return [
        f"{shown}{path.name}" + ("/" if path.is_dir() else "")
        for path in found
        if path.name.startswith(start)
        and (path.is_dir() or path.suffix in suffixes)
        and (start or path.name[0] not in "._")
    ]


def _rules() -> tuple[str, ...]:
    from quantsim.rules import rule_names

    return rule_names()


def _parameters(context: typer.Context) -> list[str]:
    """Returns the names of the parameters of the study's rule, without running a user's file."""
    from quantsim.rules import get_rule

    chosen: tuple[str, ...] = (_rule_of(context.params.get("study") or _default_study(context)),)
    if chosen[0] not in _rules():
        chosen = _rules()
    return list(dict.fromkeys(spec.human_name for name in chosen for spec in get_rule(name).parameters))


def _default_study(context: typer.Context) -> str:
    return "momentum_fees" if context.info_name in ("optuna", "robust") else "momentum_zero_fee"


def _rule_of(study: str) -> str:
    file = bundled_folder("studies") / f"{study}{SUFFIX}"
    path = file if study in bundled_names("studies") else Path(os.path.expanduser(study))
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    pool = tables.get("pool")
    return str(pool.get("rule", "")) if isinstance(pool, dict) else ""


def _keys() -> list[str]:
    from quantsim.config import Experiment

    return sorted(_keys_of(Experiment))


def _keys_of(section: Any, before: str = "") -> Iterator[str]:
    from quantsim.settings.base import Section
    from quantsim.settings.decides import leaves

    for name, field in section.model_fields.items():
        inner = next(
            (one for one in leaves(field.annotation) if isinstance(one, type) and issubclass(one, Section)), None
        )
        if inner is None:
            yield f"{before}{name}="
        elif not before:
            yield from _keys_of(inner, f"{name}.")
