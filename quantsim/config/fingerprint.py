"""Translates configuration dictionaries ("run fingerprints") of the published implementation, quantammsim."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from quantsim.errors import ConfigError, ParameterError, nearest
from quantsim.parameters import bind, to_raw
from quantsim.parameters.initial import gaussian_sets
from quantsim.parameters.parameter import in_group
from quantsim.rules import get_rule

__all__ = ["tables_from_fingerprint"]

# What a fingerprint that leaves a key out means there.
_DEFAULTS: dict[str, Any] = {
    "chunk_period": 1440,
    "weight_interpolation_period": 1440,
    "weight_interpolation_method": "linear",
    "initial_pool_value": 1_000_000.0,
    "fees": 0.0,
    "arb_fees": 0.0,
    "gas_cost": 0.0,
    "maximum_change": 3e-4,
    "minimum_weight": None,
    "max_memory_days": 365.0,
    "use_alt_lamb": False,
    "arb_frequency": 1,
    "do_arb": True,
    "arb_quality": 1.0,
    "noise_trader_ratio": 0.0,
    "protocol_fee_split": 0.0,
    "bout_offset": 0,  # seven days there; here a study trains on what it says
    "return_val": "sharpe",
    "endTestDateString": None,
    "optimisation_settings": {},
    "initial_memory_length": 10.0,
    "initial_memory_length_delta": 0.0,
    "initial_k_per_day": 20.0,
    "initial_weights_logits": None,
    "use_pre_exp_scaling": True,
    "initial_log_amplitude": 0.0,
    "initial_raw_width": 0.0,
    "initial_raw_exponents": 0.0,
    "initial_pre_exp_scaling": 0.5,
    "n_ensemble_members": 1,
    "ensemble_init_scale": 0.5,
    "ensemble_init_seed": 42,
}

_REQUIRED = ("tokens", "rule", "startDateString", "endDateString")

# Keys of which one value is translated, and any other refused: docs/studies.md says which keys of a study to give instead.
_ONLY_VALUE: dict[str, tuple[Any, ...]] = {
    "freq": ("minute",),
    "numeraire": (None,),
    "subsidary_pools": ([], ()),
    "do_trades": (False,),
    "ste_max_change": (False,),
    "ste_min_max_weight": (False,),
}
_WITHOUT_EFFECT = frozenset(
    {
        "n_assets",
        "weight_calculation_method",
        "ensemble_init_method",
        "learnable_bounds_settings",
    }
)

_ENSEMBLE = "ensemble__"  # before a rule's name there; the number of members says it, too
_LOOKS_AHEAD = frozenset({"min_variance"})
_INTERPOLATIONS = {"linear": "linear", "approx_optimal": "published_optimal", "optimal": "published_optimal"}

# key of the fingerprint's optimisation_settings → (table, key, conversion)
_OPTIMISATION: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "base_lr": ("sgd", "learning_rate", float),
    "optimiser": ("sgd", "optimiser", str),
    "weight_decay": ("sgd", "weight_decay", float),
    "batch_size": ("sgd", "batch_size", int),
    "n_iterations": ("sgd", "steps", int),
    "n_parameter_sets": ("sgd", "n_parameter_sets", int),
    "lr_schedule_type": ("sgd", "schedule", str),
    "warmup_steps": ("sgd", "warmup_steps", int),
    "clip_norm": ("sgd", "clip_norm", float),
    "initial_random_key": ("", "seed", int),
}
_OPTUNA: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "n_trials": ("search", "trials", int),
    "n_jobs": ("search", "jobs", int),
    "n_startup_trials": ("search", "n_startup_trials", int),
}
# Further optimisation keys of that implementation. They steer its own training loop; a study says what steers the one here.
_OPTIMISATION_WITHOUT_EFFECT = frozenset(
    {
        "decay_lr_ratio",
        "decay_lr_plateau",
        "min_lr",
        "n_cycles",
        "sample_method",
        "max_mc_version",
        "force_scalar",
        "use_plateau_decay",
        "use_gradient_clipping",
        "early_stopping",
        "early_stopping_patience",
        "early_stopping_metric",
        "swa_start_frac",
        "swa_freq",
        "method",
        "optuna_settings",
        "val_fraction",
    }
)
_OPTUNA_WITHOUT_EFFECT = frozenset(
    {
        "study_name",
        "storage",
        "timeout",
        "early_stopping",
        "multi_objective",
        "make_scalar",
        "expand_around",
        "overfitting_penalty",
        "parameter_config",
    }
)
_OPTIMISATION_ONLY_VALUE: dict[str, tuple[Any, ...]] = {
    "train_on_hessian_trace": (False,),
    "include_flipped_training_data": (False,),
    "use_swa": (False,),
    "training_data_kind": ("historic",),
}


def tables_from_fingerprint(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the tables of a study that mean what the fingerprint means.

    There, bars are minutes, ``fees`` and the like are shares, ``bout_offset`` is in minutes, and ``val_fraction`` takes the
    end of the training period for validation.

    Raises:
        ConfigError: a required key is missing, a key is unknown (the nearest is suggested), or a value is not translated.
    """
    _check_keys(fingerprint)
    values = {**_DEFAULTS, **fingerprint}
    values["rule"] = str(values["rule"]).removeprefix(_ENSEMBLE)
    optimisation = values["optimisation_settings"] or {}
    _check_optimisation(optimisation)
    tables: dict[str, Any] = {
        "name": str(values["rule"]),
        "data": {"tokens": list(values["tokens"])},
        "periods": _periods(values, float(optimisation.get("val_fraction") or 0.0)),
        "pool": {
            **_strategy(values),
            "initial_value_usd": values["initial_pool_value"],
            "minimum_weight": values["minimum_weight"],
            "do_arb": values["do_arb"],
            "arb_frequency": values["arb_frequency"],
            "arb_quality": values["arb_quality"],
            # There, a lone arbitrageur of a batch trades inside the no-trade band, too, at the pool's expense.
            "published_band_trades": values["rule"] == "cow" and values["arb_quality"] != 1.0,
        },
        "update": _update(values),
        "fees": {
            "swap_fee": values["fees"],
            "arb_fee": values["arb_fees"],
            "gas_cost_usd": values["gas_cost"],
            "noise_trader_ratio": values["noise_trader_ratio"],
            "protocol_fee_split": values["protocol_fee_split"],
        },
        "objective": {
            "metric": values["return_val"],
            "bout_offset_days": values["bout_offset"] / 1440,
        },
        "parameters": _parameters(values),
        "sgd": {},
        "search": {},
    }
    _apply(tables, optimisation, _OPTIMISATION)
    _apply(tables, optimisation.get("optuna_settings") or {}, _OPTUNA)
    sgd = tables["sgd"]
    if sgd.get("optimiser") != "adamw":
        sgd.pop("weight_decay", None)
    if sgd.get("schedule", "constant") == "constant":
        sgd.pop("warmup_steps", None)
    return tables


def _check_keys(fingerprint: Mapping[str, Any]) -> None:
    known = {*_DEFAULTS, *_REQUIRED, *_ONLY_VALUE, *_WITHOUT_EFFECT}
    for key, value in fingerprint.items():
        if key not in known:
            raise ConfigError(f"unknown fingerprint key {key!r}: {nearest(key, known)}")
        _check_only_value(key, value, _ONLY_VALUE.get(key))
    for key in _REQUIRED:
        if key not in fingerprint:
            raise ConfigError(f"the fingerprint has no {key!r}, and it is required")


def _check_optimisation(settings: Mapping[str, Any]) -> None:
    known = {*_OPTIMISATION, *_OPTIMISATION_WITHOUT_EFFECT, *_OPTIMISATION_ONLY_VALUE}
    for key, value in settings.items():
        if key not in known:
            raise ConfigError(f"unknown fingerprint key optimisation_settings.{key!r}: {nearest(key, known)}")
        _check_only_value(f"optimisation_settings.{key}", value, _OPTIMISATION_ONLY_VALUE.get(key))
    known = {*_OPTUNA, *_OPTUNA_WITHOUT_EFFECT}
    for key in settings.get("optuna_settings") or {}:
        if key not in known:
            raise ConfigError(
                f"unknown fingerprint key optimisation_settings.optuna_settings.{key!r}: {nearest(key, known)}"
            )


def _check_only_value(key: str, value: Any, allowed: tuple[Any, ...] | None) -> None:
    if allowed is not None and value not in allowed:
        raise ConfigError(f"{key} = {value!r} is not supported; the only value that is: {allowed[0]!r}")


def _moment(key: str, text: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise ConfigError(f"{key} = {text!r} must be a date such as '2023-01-31 00:00:00'") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _periods(values: Mapping[str, Any], validation_fraction: float) -> dict[str, Any]:
    start, end = (_moment(key, values[key]) for key in ("startDateString", "endDateString"))
    if not 0.0 <= validation_fraction < 1.0:
        raise ConfigError(f"optimisation_settings.val_fraction = {validation_fraction} must be at least 0 and below 1")
    periods: dict[str, Any] = {"train_start": start, "train_end": end}
    if validation_fraction:
        chunk = timedelta(minutes=values["chunk_period"])
        periods["train_end"] = start + chunk * int((end - start) * (1 - validation_fraction) / chunk)
        periods["validation_end"] = end
    if values["endTestDateString"] is not None:
        periods["test_end"] = _moment("endTestDateString", values["endTestDateString"])
    return periods


def _update(values: Mapping[str, Any]) -> dict[str, Any]:
    method = values["weight_interpolation_method"]
    if method not in _INTERPOLATIONS:
        raise ConfigError(f"weight_interpolation_method = {method!r}: {nearest(str(method), _INTERPOLATIONS)}")
    return {
        "chunk_minutes": values["chunk_period"],
        "interpolation_minutes": values["weight_interpolation_period"],
        "interpolation": _INTERPOLATIONS[method],
        "maximum_change_per_minute": values["maximum_change"],
        "max_memory_days": values["max_memory_days"],
        "use_alt_lamb": values["use_alt_lamb"],
        "pre_exp_scaling": _pre_exp_scaling(values),
        # There, output j of a rule that outputs weights knows the price at the end of the chunk that it steers. A
        # translated configuration is to give the figures it gave; docs/rules.md says what that is worth.
        "published_look_ahead": values["rule"] in _LOOKS_AHEAD,
    }


def _pre_exp_scaling(values: Mapping[str, Any]) -> str:
    return "log2" if values["use_pre_exp_scaling"] else "off"


def _strategy(values: Mapping[str, Any]) -> dict[str, Any]:
    rule, n_members = values["rule"], values["n_ensemble_members"]
    if not isinstance(n_members, int) or n_members < 1:
        raise ConfigError(f"n_ensemble_members = {n_members!r} must be a whole number, at least 1")
    if n_members == 1:
        return {"rule": rule}
    return {"ensemble": {f"member{number}": rule for number in range(1, n_members + 1)}}


def _parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """Initial values, for the rule or for every member of its ensemble; those that the rule lacks are left out.

    The first member has them as they are, the others with noise of ``ensemble_init_scale`` on raw values: members that start
    alike have equal gradients, and training would keep them alike. The draws are not those of that implementation.
    """
    memory = values["initial_memory_length"]
    given = {
        "memory_days": memory,
        "k_per_day": values["initial_k_per_day"],
        "alt_memory_days": memory + values["initial_memory_length_delta"],
        "weight_memory_days": memory + values["initial_memory_length_delta"],
        "log_amplitude": values["initial_log_amplitude"],
        "raw_width": values["initial_raw_width"],
        "raw_exponents": values["initial_raw_exponents"],
        "pre_exp_scaling": values["initial_pre_exp_scaling"],
    }
    settings = {"use_alt_lamb": values["use_alt_lamb"], "pre_exp_scaling": _pre_exp_scaling(values)}
    specs = [spec for spec in get_rule(values["rule"]).parameters if spec.matters(settings)]
    own = {name: given[name] for spec in specs for name in (spec.raw_name, spec.human_name) if name in given}
    parameters = {**own}
    if members := _strategy(values).get("ensemble"):
        try:
            raw = to_raw(bind(specs, tuple(values["tokens"]), values["chunk_period"]), own)
        except ParameterError as error:
            raise ConfigError(f"the fingerprint's initial values: {error}") from error
        scale, seed = values["ensemble_init_scale"], values["ensemble_init_seed"]
        sets = gaussian_sets(raw, len(members), moved=set(raw), spread=scale, seed=seed)
        parameters = {in_group(next(iter(members)), name): value for name, value in own.items()}
        for index, member in list(enumerate(members))[1:]:
            parameters |= {in_group(member, name): rows[index].tolist() for name, rows in sets.items()}
    if values["initial_weights_logits"] is not None:
        parameters["initial_weights_logits"] = values["initial_weights_logits"]
    return parameters


def _apply(
    tables: dict[str, Any], settings: Mapping[str, Any], known: Mapping[str, tuple[str, str, Callable[[Any], Any]]]
) -> None:
    for key, (table, name, convert) in known.items():
        if settings.get(key) is not None:
            (tables[table] if table else tables)[name] = convert(settings[key])
