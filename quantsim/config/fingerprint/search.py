"""Translates the search: trials, time, ranges, objectives."""

from __future__ import annotations

import math
from typing import Any

from quantsim.config.fingerprint.keys import RANGES, Range
from quantsim.config.fingerprint.parameters import own_specs
from quantsim.config.fingerprint.pool import is_multi_period, member_names, subsidiary_values
from quantsim.config.fingerprint.training import method_of
from quantsim.config.fingerprint.values import Notes, Values
from quantsim.errors import ConfigError
from quantsim.parameters.parameter import in_group

__all__ = ["search_table"]

_OPT = "optimisation_settings."
_OPTUNA = f"{_OPT}optuna_settings."
_CONFIG = f"{_OPTUNA}parameter_config."
_CMA = f"{_OPT}cma_es_settings."
_AROUND = 0.1  # of quantammsim, in raw units
_AROUND_SOME = (
    f"parameters without a range in parameter_config are searched within ± {_AROUND} of their initial values, in raw units, "
    "as in quantammsim: set it to False to search their default ranges"
)
_AROUND_NONE = (
    "parameter_config has ranges for all parameters. These are searched, not the neighbourhood of initial values"
)
_RANGE = ("low", "high", "log_scale")


def search_table(values: Values, notes: Notes) -> dict[str, Any]:
    """Returns the table ``search``, without copied keys, and ``name`` if the search has one."""
    ranges = _all_ranges(values)
    search: dict[str, Any] = {
        "trials": values[f"{_OPTUNA}n_trials"],
        "max_minutes": values[f"{_OPTUNA}timeout"] / 60.0,
        "ranges": ranges,
    }
    if method_of(values, notes) == "cma_es":
        search |= _generations(values, ranges)
    if values[f"{_OPTUNA}multi_objective"]:
        search["objectives"] = _objectives(values, notes)
    else:
        search |= _one_objective(values, notes)
    if method_of(values, notes) == "optuna" and values[f"{_OPTUNA}expand_around"] and ranges:
        is_around = any("expand_around" in table for table in ranges.values())
        notes.add(f"{_OPTUNA}expand_around", _AROUND_SOME if is_around else _AROUND_NONE)
    tables: dict[str, Any] = {"search": search}
    if values.is_given(f"{_OPTUNA}study_name"):
        tables["name"] = values[f"{_OPTUNA}study_name"]
    return tables


def _generations(values: Values, ranges: dict[str, Any]) -> dict[str, Any]:
    """Returns the number of trials in all generations. The default population size is that of arXiv:1604.00772."""
    n_tokens = len(values["tokens"])
    n_numbers = max(sum(1 if table.get("scalar") else n_tokens for table in ranges.values()), 1)
    size = values[f"{_CMA}population_size"] or 4 + int(3 * math.log(n_numbers))
    return {"sampler": "cmaes", "trials": values[f"{_CMA}n_generations"] * int(size)}


def _objectives(values: Values, notes: Notes) -> list[str]:
    path, metric = f"{_OPTUNA}multi_objective", values["return_val"]
    if is_multi_period(values) or method_of(values, notes) != "optuna":
        raise ConfigError(f"{path} = True is for {_OPT}method = 'optuna'")
    if not values["bout_offset"]:
        raise ConfigError(
            f"{path} = True uses windows that are shorter than training by bout_offset. With bout_offset = 0 there is only "
            "one, which has no deviation: set bout_offset"
        )
    if values["turnover_penalty"]:
        notes.add("turnover_penalty", "does not count among several objectives")
    if values[f"{_OPTUNA}early_stopping.enabled"]:
        text = "a search with several objectives has no patience: set search.max_minutes to end it"
        notes.add(f"{_OPTUNA}early_stopping.enabled", text)
    return [f"{metric}.mean", f"{metric}.worst", f"-{metric}.std"]


def _one_objective(values: Values, notes: Notes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if values[f"{_OPTUNA}early_stopping.enabled"]:
        found |= {
            "patience": values[f"{_OPTUNA}early_stopping.patience"],
            "min_gain": values[f"{_OPTUNA}early_stopping.min_improvement"],
        }
        notes.add(
            f"{_OPTUNA}early_stopping.min_improvement",
            "in units of the objective here; in quantammsim relative to the best validation value",
        )
    path = f"{_OPTUNA}overfitting_penalty"
    if values[f"{_OPT}val_fraction"] and not is_multi_period(values):
        found["overfitting_penalty"] = values[path]
    elif values.is_given(path) and values[path]:
        notes.add(
            path,
            f"needs validation data ({_OPT}val_fraction), so it is left out; quantammsim uses test data for the penalty",
        )
    return found


def _all_ranges(values: Values) -> dict[str, Any]:
    """Returns the tables of ``search.ranges`` for every group of parameters."""
    own = _ranges(values)
    groups = member_names(values) or ("",)
    found = {in_group(group, name): dict(table) for group in groups for name, table in own.items()}
    for name, part in subsidiary_values(values).items():
        own = _ranges(values, part)
        found |= {in_group(name, parameter): table for parameter, table in own.items()}
    return found


def _ranges(values: Values, pool: Values | None = None) -> dict[str, Any]:
    """Returns parameter → its table: the given range, else around the initial value, else the default range."""
    always = values[f"{_OPTUNA}make_scalar"] or values[f"{_OPT}force_scalar"]
    found: dict[str, Any] = {}
    for spec in own_specs(pool or values):
        names = [one for one in RANGES if spec.human_name in one.parameters]
        if not names or not spec.searchable:
            continue
        given = [one for one in names if any(values.is_given(f"{_CONFIG}{one.name}.{key}") for key in _RANGE)]
        changed = [one for one in given if not _is_default(values, one)]
        if len(changed) > 1:
            both = " and ".join(f"parameter_config.{one.name}" for one in changed)
            raise ConfigError(f"{both} both set the range of {spec.human_name}: give one of them")
        one = (changed or given or names)[0]
        scalar = always or any(values[f"{_CONFIG}{each.name}.scalar"] for each in names)
        if not given and values[f"{_OPTUNA}expand_around"]:
            table: dict[str, Any] = {"expand_around": _AROUND, "units": "raw"}
        else:
            table = _table(values, one)
        found[spec.human_name] = {**table, "scalar": scalar}
    return found


def _table(values: Values, one: Range) -> dict[str, Any]:
    low, high, log = (values[f"{_CONFIG}{one.name}.{key}"] for key in _RANGE)
    if not low < high or (low <= 0.0 and not one.raw and log):
        wanted = "low must be below high" if low > 0.0 or not log else "low must be positive with log_scale"
        raise ConfigError(f"{_CONFIG}{one.name}: {wanted}, but low = {low:g} and high = {high:g}")
    # A uniform draw in the logarithm is uniform in raw units, which is the scale of the parameter.
    return {"low": low, "high": high, "units": "raw"} if one.raw else {"low": low, "high": high, "log": log}


def _is_default(values: Values, one: Range) -> bool:
    return [values[f"{_CONFIG}{one.name}.{key}"] for key in _RANGE] == [one.low, one.high, one.log]
