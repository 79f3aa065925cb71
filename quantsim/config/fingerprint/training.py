"""Translates the training: driver, objective, windows, and settings of gradient training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from quantsim.config.fingerprint.parameters import INITIAL_KINDS
from quantsim.config.fingerprint.pool import is_multi_period, split
from quantsim.config.fingerprint.values import Notes, Values
from quantsim.errors import ConfigError, nearest

__all__ = ["DRIVERS", "method_of", "training_tables"]

_OPT = "optimisation_settings."

DRIVERS = {"gradient_descent": "sgd", "optuna": "search", "bfgs": "sgd", "cma_es": "search", "multi_period": "sgd"}
"""Method of quantammsim → our driver. The last one is a separate function in quantammsim."""

_MINUTES_A_DAY = 1440
_REPORT_EVERY = 25
_HESSIAN_WEIGHT = 1e-4  # weight of the trace in quantammsim
_HESSIAN_SAMPLES = 4
_NO_CLIPPING = 1e12  # larger than any gradient, because a study file cannot turn off the limit
_NO_FLOOR = 1e-12  # of a learning rate, relative to the first
_PLATEAU_TOLERANCE = 1e-4  # of quantammsim, absolute
_NOISE_SEARCH = "is only for gradient training here: a search uses the prices without noise"
_NOISE_SGD = "the rule and the arbitrageurs see the noise here; in quantammsim only the value of the reserves has noise"
_SAMPLING = ("uniform", "stratified", "exponential")
_OPTIMISERS = ("adam", "adamw", "sgd")
_SCHEDULES = ("constant", "cosine", "warmup_cosine", "exponential")
_AGGREGATES = ("mean", "softmin", "min", "sum")
_OF_PERIODS = {"return": "returns", "sharpe": "daily_sharpe"}
"""Metrics whose names in quantammsim's metric tables differ from those in ``return_val``."""


def method_of(values: Values, notes: Notes) -> str:
    """Returns the method: the given one, or multi-period training if its arguments are given.

    Raises:
        ConfigError: the method is unknown.
    """
    path, inner = f"{_OPT}method", f"{_OPT}optuna_settings.method"
    known = [name for name in DRIVERS if name != "multi_period"]
    method = values[path]
    if values.is_given(inner) and not values.is_given(path):
        method = values[inner]
        notes.add(inner, f"has no effect in quantammsim; read as {path}")
    if method not in known:
        raise ConfigError(f"{path} = {method!r}: {nearest(method, known)}")
    return "multi_period" if is_multi_period(values) else method


def training_tables(values: Values, notes: Notes) -> dict[str, Any]:
    """Returns the tables ``objective`` and ``sgd``, without copied keys."""
    return {"objective": _objective(values, notes), "sgd": _sgd(values, notes)}


def _windows_of_search(values: Values, notes: Notes) -> int:
    """Returns the number of evenly placed windows of a search, L-BFGS or CMA-ES (and of random ones); 0 for other methods."""
    method = method_of(values, notes)
    if method not in ("optuna", "bfgs", "cma_es"):
        return 0
    path = f"{_OPT}{method}_settings.n_evaluation_points"
    return 20 if method == "optuna" else int(values[path])


def _objective(values: Values, notes: Notes) -> dict[str, Any]:
    objective: dict[str, Any] = {"metric": values["return_val"]}
    if (penalty := values["turnover_penalty"]) < 0.0:
        raise ConfigError(f"turnover_penalty = {penalty} must be at least 0: a negative one would reward turnover")
    if penalty:
        # In quantammsim it is the mean of Σ|Δw| per minute; our metric is minus half of that per day.
        objective["weights"] = {"turnover": penalty / (_MINUTES_A_DAY / 2)}
        if (
            method_of(values, notes) in ("optuna", "multi_period")
            and not values[f"{_OPT}optuna_settings.multi_objective"]
        ):
            notes.add("turnover_penalty", "counts here; search and multi-period training of quantammsim ignore it")
    offset, n_windows = values["bout_offset"], _windows_of_search(values, notes)
    if is_multi_period(values):
        aggregate = _chosen(values, "multi_period.aggregation", _AGGREGATES)
        objective |= {"n_periods": values["multi_period.n_periods"], "aggregate": aggregate}
        if overlap := values["multi_period.overlap_fraction"]:
            objective["period_overlap"] = overlap
            notes.add(
                "multi_period.overlap_fraction",
                "the periods cover all of training here; in quantammsim each has 1/n_periods of it, and they end earlier",
            )
        if aggregate == "softmin":
            objective["softmin_temperature"] = values["multi_period.softmin_temperature"]
            notes.add(
                "multi_period.aggregation",
                "softmin is -τ log mean exp(-v/τ) here, and Σ v softmax(-v/τ) in quantammsim",
            )
    elif not n_windows:
        objective["bout_offset_days"] = offset / _MINUTES_A_DAY
    elif offset and n_windows > 1:
        objective |= {
            "n_periods": n_windows,
            "period_overlap": _overlap(values, n_windows),
            "n_random_periods": n_windows,
        }
    return objective


def _overlap(values: Values, n_windows: int) -> float:
    """Returns the overlap of ``n_windows`` periods that cover training and are shorter than it by ``bout_offset``."""
    start, end, _ = split(values)
    minutes, offset = (end - start) / timedelta(minutes=1), values["bout_offset"]
    if not 0 < offset < minutes:
        raise ConfigError(
            f"bout_offset = {offset} minutes must be shorter than training, {minutes:g} minutes: lower it"
        )
    step: float = offset / ((minutes - offset) * (n_windows - 1))
    return max(0.0, 1.0 - step)


def _sgd(values: Values, notes: Notes) -> dict[str, Any]:
    method, multi_period = method_of(values, notes), is_multi_period(values)
    if DRIVERS[method] == "sgd" and values[f"{_OPT}force_scalar"]:
        notes.add(
            f"{_OPT}force_scalar", "gradients change the value of each token; only a search has one value for all"
        )
    if values["price_noise_sigma"]:
        notes.add("price_noise_sigma", _NOISE_SEARCH if DRIVERS[method] == "search" else _NOISE_SGD)
    steps = {"bfgs": f"{_OPT}bfgs_settings.maxiter", "multi_period": "multi_period.max_epochs"}
    through = {"ste_max_change": "maximum_change", "ste_min_max_weight": "weight_bounds"}
    sgd: dict[str, Any] = {
        "steps": values[steps.get(method, f"{_OPT}n_iterations")],
        "batch_size": 1 if multi_period else values[f"{_OPT}batch_size"],
        "n_parameter_sets": 1 if multi_period else values[f"{_OPT}n_parameter_sets"],
        "sampling": _chosen(values, f"{_OPT}sample_method", _SAMPLING),
        "initial": _initial(values, notes),
        "clip_norm": _clip_norm(values, method),
        "price_noise": values["price_noise_sigma"],
        "time_reversed": values[f"{_OPT}include_flipped_training_data"],
        "straight_through": [name for path, name in through.items() if values[path]],
        "report_every": _REPORT_EVERY,
    }
    if values[f"{_OPT}track_checkpoints"]:
        sgd["report_every"] = values[f"{_OPT}checkpoint_interval"]
    if method == "bfgs":
        sgd |= {"optimiser": "lbfgs"}
    else:
        sgd |= _optimiser(values, notes, method)
    if values[f"{_OPT}use_swa"] and method not in ("bfgs", "multi_period"):
        use = (
            "are not used if there is validation data"
            if values[f"{_OPT}val_fraction"]
            else "are the result of training"
        )
        notes.add(
            f"{_OPT}use_swa",
            f"averages are stored as additional sets here, and selected if they are best; in quantammsim they {use}",
        )
        begin = int(values[f"{_OPT}n_iterations"] * values[f"{_OPT}swa_start_frac"])
        sgd |= {"average_from_step": max(begin, 1), "average_every": values[f"{_OPT}swa_freq"]}
    if values[f"{_OPT}train_on_hessian_trace"]:
        sgd |= {"hessian_samples": _HESSIAN_SAMPLES, "hessian_penalty": _HESSIAN_WEIGHT}
        notes.add(
            f"{_OPT}train_on_hessian_trace", f"the trace is estimated from {_HESSIAN_SAMPLES} directions per step"
        )
    return sgd | _early_stopping(values, notes, method, sgd["report_every"])


def _initial(values: Values, notes: Notes) -> str:
    path = f"{_OPT}parameter_init_method"
    kind = INITIAL_KINDS[_chosen(values, path, [name for name in INITIAL_KINDS if name != "grid"])]
    if kind != "gaussian":
        notes.add(
            path, "uses the ranges of the parameters here; in quantammsim the neighbourhood of the initial values"
        )
    return kind


def _is_plain_ascent(values: Values, method: str) -> bool:
    """Whether steps are the plain gradient times the learning rate: quantammsim's ``sgd``, without clipping or schedule."""
    return values[f"{_OPT}optimiser"] == "sgd" and method != "multi_period"


def _clip_norm(values: Values, method: str) -> float:
    clips: bool = values[f"{_OPT}use_gradient_clipping"] and not _is_plain_ascent(values, method)
    norm: float = values[f"{_OPT}clip_norm"]
    return norm if clips else _NO_CLIPPING


def _optimiser(values: Values, notes: Notes, method: str) -> dict[str, Any]:
    name = _chosen(values, f"{_OPT}optimiser", _OPTIMISERS)
    schedule = _chosen(values, f"{_OPT}lr_schedule_type", _SCHEDULES)
    found: dict[str, Any] = {"optimiser": name, "schedule": schedule}
    if name == "adamw":
        found["weight_decay"] = values[f"{_OPT}weight_decay"]
    if _is_plain_ascent(values, method):
        lowest = _share(values, f"{_OPT}min_lr", _ratio(values[f"{_OPT}min_lr"], values[f"{_OPT}base_lr"]))
        return found | _plateau(values, lowest)
    if schedule == "constant":
        return found | _plateau(values, _NO_FLOOR) if values[f"{_OPT}use_plateau_decay"] else found
    path = f"{_OPT}lr_decay_ratio"
    found["final_fraction"] = _share(values, path, _ratio(1.0, values[path]))
    if schedule == "warmup_cosine":
        found["warmup_steps"] = values[f"{_OPT}warmup_steps"]
        notes.add(f"{_OPT}warmup_steps", "the rate rises from 0 here, but in quantammsim from base_lr / lr_decay_ratio")
    if method == "multi_period":
        notes.add(
            f"{_OPT}lr_schedule_type", "decays over multi_period.max_epochs here, but in quantammsim over n_iterations"
        )
    return found


def _plateau(values: Values, lowest: float) -> dict[str, Any]:
    """Returns the settings of a rate that is reduced on a plateau, to at least ``lowest`` times the first rate."""
    return {
        "schedule": "plateau",
        "plateau_patience": values[f"{_OPT}decay_lr_plateau"],
        "plateau_factor": values[f"{_OPT}decay_lr_ratio"],
        "plateau_tolerance": _PLATEAU_TOLERANCE,
        "plateau_steps": 1,
        "final_fraction": lowest,
    }


def _ratio(value: float, of: float) -> float:
    return value / of if of > 0 else math.nan  # nan fails the check of a share


def _share(values: Values, path: str, share: float) -> float:
    if not 0.0 < share <= 1.0:
        raise ConfigError(
            f"{path} = {values[path]} must keep the learning rate positive and at most "
            f"{_OPT}base_lr = {values[f'{_OPT}base_lr']}"
        )
    return share


def _early_stopping(values: Values, notes: Notes, method: str, report_every: int) -> dict[str, Any]:
    path, metric = f"{_OPT}early_stopping", f"{_OPT}early_stopping_metric"
    if not values[path] or method in ("bfgs", "multi_period"):
        return {}
    if not values[f"{_OPT}val_fraction"]:
        if method == "gradient_descent":
            notes.add(
                path,
                f"needs validation data ({_OPT}val_fraction), so it is left out; quantammsim uses test data to stop",
            )
        return {}
    if method == "gradient_descent" and _OF_PERIODS.get(values[metric], values[metric]) != values["return_val"]:
        whose = "" if values.is_given(metric) else ", the default of quantammsim,"
        notes.add(metric, f"{values[metric]}{whose} is not used here: return_val = {values['return_val']} is")
    return {"early_stopping_reports": max(1, math.ceil(values[f"{path}_patience"] / max(report_every, 1)))}


def _chosen(values: Values, path: str, known: Sequence[str]) -> str:
    """Returns the value of a key with the same meaning here, after checking that it is known."""
    if values[path] not in known:
        raise ConfigError(f"{path} = {values[path]!r}: {nearest(values[path], known)}")
    name: str = values[path]
    return name
