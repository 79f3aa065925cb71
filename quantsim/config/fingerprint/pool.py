"""What the pool is: tokens, rule or ensemble, bounds, subsidiaries; its periods, and when its weights move."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from quantsim.config.fingerprint.keys import BY_PATH
from quantsim.config.fingerprint.tokens import in_order
from quantsim.config.fingerprint.values import Notes, Values
from quantsim.errors import ConfigError, nearest

__all__ = ["holdings", "is_multi_period", "member_names", "pool_tables", "rule_of", "split", "subsidiary_values"]

_MOST_MEMBERS = 1000
_A_CENTURY = 100 * 366 * 1440  # in minutes: no chunk is so long
_ENSEMBLE, _BOUNDED = "ensemble__", "bounded__"

_LOOKS_AHEAD = frozenset({"min_variance"})
_INTERPOLATIONS = {"linear": "linear", "approx_optimal": "published_optimal", "optimal": "published_optimal"}

_OTHER_SHAPES = {
    "reclamm": "a reCLAMM pool",
    "gyroscope": "a Gyroscope E-CLP pool",
    "hodling_index": "an index pool",
    "trad_hodling_index": "an index pool",
}
_NOT_BUILT = "is {}, and pools of that shape are not simulated here"

_SUBSIDIARY_KEYS = (
    *("tokens", "rule", "chunk_period", "weight_interpolation_period", "weight_interpolation_method", "maximum_change"),
    *("max_memory_days", "use_alt_lamb", "use_pre_exp_scaling", "minimum_weight", "fees", "arb_fees", "gas_cost"),
    *("noise_trader_ratio", "protocol_fee_split", "do_arb", "arb_frequency", "arb_quality"),
    *("initial_memory_length", "initial_memory_length_delta", "initial_k_per_day", "initial_weights_logits"),
    *("initial_log_amplitude", "initial_raw_width", "initial_raw_exponents", "initial_pre_exp_scaling"),
)
"""Keys of a pool among ``subsidary_pools``: what it does not say, it has from the pool that holds it."""


def pool_tables(values: Values, notes: Notes) -> dict[str, Any]:
    """The tables ``data``, ``periods``, ``pool``, ``subsidiaries`` and ``update``, as far as they are not copied."""
    tokens, subsidiaries = values["tokens"], subsidiary_values(values)
    if values.is_given("n_assets") and values["n_assets"] != len(tokens):
        raise ConfigError(f"n_assets = {values['n_assets']} must be the number of tokens, {len(tokens)}")
    known = list(dict.fromkeys([*tokens, *(token for part in subsidiaries.values() for token in part["tokens"])]))
    tables: dict[str, Any] = {
        "data": {"tokens": known},
        "periods": _periods(values, notes),
        "pool": _pool(values, notes),
        "update": _update(values, notes),
    }
    if subsidiaries:
        tables["pool"]["tokens"] = holdings(values)
        tables["subsidiaries"] = {name: _subsidiary(part, notes) for name, part in subsidiaries.items()}
    return tables


def rule_of(values: Values) -> str:
    """The rule's name, without what says that it is an ensemble or bounded.

    Raises:
        ConfigError: it is a pool of a shape that is not simulated.
    """
    rule: str = values["rule"]
    for prefix in (_ENSEMBLE, _BOUNDED, _ENSEMBLE):
        rule = rule.removeprefix(prefix)
    for name, shape in _OTHER_SHAPES.items():
        if rule == name or rule.startswith(f"{name}_"):
            raise ConfigError(f"rule = {values['rule']!r} {_NOT_BUILT.format(shape)}")
    return rule


def is_multi_period(values: Values) -> bool:
    """Whether it holds arguments of multi-period training, which has rules of its own."""
    return values.any_in("multi_period")


def member_names(values: Values) -> tuple[str, ...]:
    """The members of the ensemble; none where it is one rule."""
    n_members = values["n_ensemble_members"]
    if not 1 <= n_members <= _MOST_MEMBERS:
        raise ConfigError(
            f"n_ensemble_members = {n_members} must be a whole number, at least 1 and at most {_MOST_MEMBERS}"
        )
    return tuple(f"member{number}" for number in range(1, n_members + 1)) if n_members > 1 else ()


def holdings(values: Values) -> list[str]:
    """What the pool holds: tokens in the order given, then subsidiaries."""
    return [*values["tokens"], *subsidiary_values(values)]


def subsidiary_values(values: Values) -> dict[str, Values]:
    """Name → values of each pool that the pool holds shares of, with those of that pool where it has none of its own."""
    found = {}
    for number, table in enumerate(values["subsidary_pools"], start=1):
        where = f"subsidary_pools[{number - 1}]"
        if not isinstance(table, Mapping):
            raise ConfigError(f"{where} = {table!r} must be a table")
        table = {"rule" if key == "update_rule" else key: value for key, value in table.items() if value is not None}
        for key in table:
            if key not in _SUBSIDIARY_KEYS:
                raise ConfigError(f"{where}: unknown key {key!r}: {nearest(str(key), _SUBSIDIARY_KEYS)}")
        for key in ("tokens", "rule"):
            if key not in table:
                raise ConfigError(f"{where} has no {key!r}, and it is required")
        inherited = (key for key in _SUBSIDIARY_KEYS if values.is_given(key) and not isinstance(values[key], list))
        own = {key: values[key] for key in inherited if key != "initial_weights_logits"}
        dates = {key: values[key] for key in ("startDateString", "endDateString")}
        try:
            found[f"subsidiary{number}"] = Values.of({**own, **dates, **table})
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error
    return found


def _pool(values: Values, notes: Notes) -> dict[str, Any]:
    rule, members = rule_of(values), member_names(values)
    if members and _ENSEMBLE not in values["rule"]:
        notes.add("n_ensemble_members", "makes an ensemble here; in quantammsim only with `ensemble__` before the rule")
    pool: dict[str, Any] = {"ensemble": dict.fromkeys(members, rule)} if members else {"rule": rule}
    if values.is_given("minimum_weight"):
        pool["minimum_weight"] = values["minimum_weight"]
    pool["arb_quality"] = values["arb_quality"]
    if rule == "cow" and values["arb_quality"] != 1.0:
        # There, a lone arbitrageur of a batch trades inside the no-trade band, too, at the pool's expense.
        pool["published_band_trades"] = True
    if _BOUNDED in values["rule"]:
        low, high = (
            _bounds(values, f"learnable_bounds_settings.{end}_weights_per_asset", notes) for end in ("min", "max")
        )
        if values["learnable_bounds_settings.freeze_bounds"]:
            floor = values["minimum_weight"] or 0.1 / len(low)
            pool |= {"minimum_weight": [max(one, floor) for one in low], "maximum_weight": high}
    return pool


def _bounds(values: Values, path: str, notes: Notes) -> list[float]:
    if not values.is_given(path):
        raise ConfigError(f"rule = {values['rule']!r} needs {path}, one number per token")
    return in_order(values, path, values[path], notes).tolist()  # type: ignore[no-any-return]


def _subsidiary(values: Values, notes: Notes) -> dict[str, Any]:
    copied = {
        table: {
            key.to.rpartition(".")[2]: values[key.path]
            for key in BY_PATH.values()
            if key.fate == "copied" and key.to.startswith(f"{table}.") and key.path != "initial_pool_value"
        }
        for table in ("pool", "update", "fees")
    }
    return {
        "tokens": list(values["tokens"]),
        **copied["pool"],
        **_pool(values, notes),
        "update": copied["update"] | _update(values, notes),
        "fees": copied["fees"],
    }


def _moment(key: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{key} = {text!r} must be a date such as '2023-01-31 00:00:00'") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def split(values: Values) -> tuple[datetime, datetime, datetime]:
    """Where training begins and ends, and where validation does: at the same moment as training where there is none."""
    start, end = (_moment(key, values[key]) for key in ("startDateString", "endDateString"))
    path = "optimisation_settings.val_fraction"
    fraction = 0.0 if is_multi_period(values) else values[path]
    if not 0.0 <= fraction < 1.0:
        raise ConfigError(f"{path} = {fraction} must be at least 0 and below 1")
    if not fraction or end <= start:
        return start, end, end
    chunk = timedelta(minutes=min(max(values["chunk_period"], 1), _A_CENTURY))
    train_end = start + chunk * int((end - start) * (1 - fraction) / chunk)
    if not start < train_end < end:
        raise ConfigError(
            f"{path} = {fraction} of {end - start} must leave at least one chunk to training, and take one: "
            "give 0 for no validation"
        )
    return start, train_end, end


def _periods(values: Values, notes: Notes) -> dict[str, Any]:
    start, train_end, end = split(values)
    periods = {"train_start": start, "train_end": train_end}
    if train_end < end:
        periods["validation_end"] = end
        path, minute = "optimisation_settings.val_fraction", timedelta(minutes=1)
        there = start + minute * int((end - start) * (1 - values[path]) / minute)
        if there != train_end:
            notes.add(
                path,
                f"validation begins with a chunk, {train_end:%Y-%m-%d %H:%M}, and in quantammsim at {there:%Y-%m-%d %H:%M}, "
                "so that train metrics differ: on minute bars periods.train_end can have that",
            )
    if values.is_given("endTestDateString"):
        periods["test_end"] = _moment("endTestDateString", values["endTestDateString"])
    return periods


def _update(values: Values, notes: Notes) -> dict[str, Any]:
    path = "weight_interpolation_period"
    minutes = values[path] if values.is_given(path) else min(values[path], values["chunk_period"])
    method = values["weight_interpolation_method"]
    if method not in _INTERPOLATIONS:
        raise ConfigError(f"weight_interpolation_method = {method!r}: {nearest(method, _INTERPOLATIONS)}")
    update: dict[str, Any] = {
        "interpolation_minutes": minutes,
        "interpolation": _INTERPOLATIONS[method],
        "pre_exp_scaling": "log2" if values["use_pre_exp_scaling"] else "off",
    }
    if rule_of(values) in _LOOKS_AHEAD:
        # There, output j of a rule that outputs weights knows the price at the end of the chunk that it steers. A
        # translated configuration is to give the figures it gave; docs/rules.md says what that is worth.
        update["published_look_ahead"] = True
        notes.add(
            "rule",
            f"{values['rule']} knows the price at the end of the chunk that it steers, as in quantammsim, and no pool can: set "
            "update.published_look_ahead = false to see what it is worth",
        )
    return update
