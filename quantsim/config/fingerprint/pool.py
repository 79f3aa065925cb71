"""Translates the pool: tokens, rule or ensemble, bounds and subsidiaries; periods; updates of the weights."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from quantsim.config.fingerprint.keys import BY_PATH
from quantsim.config.fingerprint.tokens import in_order
from quantsim.config.fingerprint.values import Notes, Values
from quantsim.errors import ConfigError, nearest

__all__ = [
    "GYROSCOPE",
    "INDICES",
    "RECLAMM",
    "holdings",
    "is_multi_period",
    "member_names",
    "ordered_tokens",
    "pool_tables",
    "rule_of",
    "split",
    "subsidiary_values",
]

_MOST_MEMBERS = 1000
_A_CENTURY = 100 * 366 * 1440  # in minutes; upper limit of a chunk
_ENSEMBLE, _BOUNDED = "ensemble__", "bounded__"
_REBALANCINGS = ("lvr__", "rvr__")

_HODLING, _TRADITIONAL = "hodling_index_market_cap", "trad_hodling_index_market_cap"
INDICES = ("index_market_cap", _HODLING, _TRADITIONAL)
"""Index pools of quantammsim; their rule here is ``index_supply``."""

_HODL = "hodl"
_UNSTEERED = (_HODL, "cow", "gyroscope", "reclamm")
"""Pools that are not rebalanced to weights."""

_CONSTANT = ("balancer", "cow", _HODL)
"""Pools whose weights do not move, so that they need no bounds."""

RECLAMM, GYROSCOPE = "reclamm", "gyroscope"
_WITHOUT_RULES = {RECLAMM: "a reCLAMM pool", GYROSCOPE: "a Gyroscope pool"}

_LOOKS_AHEAD = frozenset({"min_variance"})
_INTERPOLATIONS = {"linear": "linear", "approx_optimal": "published_optimal", "optimal": "published_optimal"}

_RANGE_SHIFTS = {"geometric": "decay", "constant_arc_length": "constant_arc_length"}
_ARC_KEYS = ("reclamm_arc_length_speed", "reclamm_learn_arc_length_speed")

_NO_RULE = "a rule of quantammsim that is to be written as a rule of your own (docs/rules.md)"
_OTHER_SHAPES = {
    "reclamm_": "a pool with fees that follow a price",
    "gyroscope_": "another kind of Gyroscope pool",
    "hypersurge": "a pool with fees that follow a price",
    "flexible_channel": _NO_RULE,
    "sinusoid": _NO_RULE,
}
_NOT_BUILT = "is {}, which is not supported here"

_NO_COSTS = ("arb_fee", "gas_cost_usd", "noise_trader_ratio", "protocol_fee_split")
"""Costs of arbitrage, which a portfolio that is rebalanced off the chain does not have."""

_SUBSIDIARY_KEYS = (
    *("tokens", "rule", "chunk_period", "weight_interpolation_period", "weight_interpolation_method", "maximum_change"),
    *("max_memory_days", "use_alt_lamb", "use_pre_exp_scaling", "minimum_weight", "fees", "arb_fees", "gas_cost"),
    *("noise_trader_ratio", "protocol_fee_split", "do_arb", "arb_frequency", "arb_quality"),
    *("initial_memory_length", "initial_memory_length_delta", "initial_k_per_day", "initial_weights_logits"),
    *("initial_log_amplitude", "initial_raw_width", "initial_raw_exponents", "initial_pre_exp_scaling"),
    *("reclamm_interpolation_method", "reclamm_centeredness_scaling", "reclamm_use_shift_exponent"),
    *("initial_price_ratio", "initial_centeredness_margin", "initial_shift_exponent", "initial_daily_price_shift_base"),
    *("alpha", "beta", "rotation_angle", "phi", "lam", "numeraire"),
)
"""Keys of a pool in ``subsidary_pools``. Missing ones are those of the pool that holds it, except :data:`_OF_MAIN_POOL`."""

_OF_MAIN_POOL = ("initial_weights_logits", "gas_cost")
"""Keys that a subsidiary does not inherit: weights are of the pool's own tokens, and gas needs a size in USD."""


def pool_tables(values: Values, notes: Notes) -> dict[str, Any]:
    """Returns the tables ``data``, ``periods``, ``pool``, ``subsidiaries`` and ``update``, without copied keys."""
    tokens, subsidiaries = ordered_tokens(values), subsidiary_values(values)
    if values.is_given("n_assets") and values["n_assets"] != len(tokens):
        raise ConfigError(f"n_assets = {values['n_assets']} must be the number of tokens, {len(tokens)}")
    known = list(dict.fromkeys([*tokens, *(token for part in subsidiaries.values() for token in part["tokens"])]))
    tables: dict[str, Any] = {
        "data": {"tokens": known},
        "periods": _periods(values, notes),
        "pool": _pool(values, notes),
        "update": _update(values, notes),
    }
    if rule_of(values) == RECLAMM and values["reclamm_learn_fees"]:
        tables["fees"] = {"swap_fee": 0.0}  # it is a parameter
    if free := _free_of_costs(values):
        tables["fees"] = dict.fromkeys(free, 0.0)
    if subsidiaries:
        if values["gas_cost"]:
            notes.add(
                "gas_cost",
                "is that of the main pool: a subsidiary has no size in USD, so its arbitrage has no gas here",
            )
        tables["pool"]["tokens"] = holdings(values)
        tables["subsidiaries"] = {name: _subsidiary(part, notes) for name, part in subsidiaries.items()}
    return tables


def rule_of(values: Values) -> str:
    """Returns the name of the rule, without prefixes such as ``ensemble__``, and without the mechanism of an index pool.

    Raises:
        ConfigError: this kind of pool is not supported.
    """
    rule = _base(values)
    if rule in _WITHOUT_RULES and rule != values["rule"] and not _is_rebalanced(values):
        raise ConfigError(f"rule = {values['rule']!r}: {_WITHOUT_RULES[rule]} has no rule; set rule = {rule!r}")
    for name, shape in _OTHER_SHAPES.items():
        if rule == name or rule.startswith(f"{name.removesuffix('_')}_"):
            raise ConfigError(f"rule = {values['rule']!r} {_NOT_BUILT.format(shape)}")
    if _is_rebalanced(values) and rule in _UNSTEERED:
        raise ConfigError(
            f"rule = {values['rule']!r}: {rule!r} has no weights that a portfolio could be rebalanced to; name a rule of a "
            "weighted pool after lvr__ or rvr__, such as 'balancer'"
        )
    return "index_supply" if rule in INDICES else rule


def _base(values: Values) -> str:
    """Returns the name of the pool in quantammsim, without prefixes."""
    rule: str = values["rule"]
    while prefix := next((one for one in (_ENSEMBLE, _BOUNDED, *_REBALANCINGS) if rule.startswith(one)), ""):
        rule = rule.removeprefix(prefix)
    return rule


def _is_rebalanced(values: Values) -> bool:
    """Whether the pool of the fingerprint is a portfolio that is rebalanced off the chain."""
    return _base(values) == _TRADITIONAL or any(prefix in values["rule"] for prefix in _REBALANCINGS)


def _free_of_costs(values: Values) -> tuple[str, ...]:
    """Returns the costs that the pool of the fingerprint does not have."""
    if _is_rebalanced(values):
        return _NO_COSTS
    return ("swap_fee", *_NO_COSTS) if rule_of(values) == _HODL else ()


def _mechanism(values: Values, notes: Notes) -> dict[str, Any]:
    """Returns how a pool trades that is not always open, or not on the chain; nothing for other pools."""
    base, rule = _base(values), values["rule"]
    versus = next((prefix for prefix in _REBALANCINGS if prefix in rule), "")
    hours = {"trading_minutes": _ramp_minutes(values)} if base in (_HODLING, _TRADITIONAL) and not versus else {}
    told = []
    if versus:
        told.append(
            f"{versus} is the portfolio that is rebalanced to the pool's weights, not the pool: `fees` are the exchange's, on "
            f"what is sold; for a comparison with such a portfolio use the metric {versus.removesuffix('__')!r}"
        )
    if base in INDICES:
        told.append("supplies are not those of quantammsim: name a file of circulating supplies, series.oracle")
    if told:
        notes.add("rule", "; ".join(told))
    if base == _HODL:
        return {"arb_frequency": 1}  # it is never visited
    if not _is_rebalanced(values):
        return hours
    if versus != "lvr__":
        notes.add("fees", "quantammsim adds half of each token's spread, from a table of its own: set pool.spread")
    if versus:  # at every bar, whatever the pool's own visits
        return {"type": "rebalanced", "do_arb": True, "arb_frequency": 1}
    return {"type": "rebalanced", "annual_fee": values["annual_streaming_fee"], **hours}


def ordered_tokens(values: Values) -> list[str]:
    """Returns the tokens in the study's order: as given, but for a Gyroscope pool, whose second token is the numeraire.

    Raises:
        ConfigError: another pool has a numeraire, or it is none of the tokens.
    """
    tokens, numeraire = list(values["tokens"]), values["numeraire"]
    if rule_of(values) != GYROSCOPE:
        if numeraire is not None:
            raise ConfigError(
                f"numeraire = {numeraire!r} is not supported: all prices and values are in one currency; leave it out"
            )
        return tokens
    last = sorted(tokens)[-1] if numeraire is None else numeraire
    if last not in tokens:
        raise ConfigError(f"numeraire = {numeraire!r} must be one of the tokens, {', '.join(tokens)}")
    return [*(token for token in tokens if token != last), last]


def is_multi_period(values: Values) -> bool:
    """Whether the fingerprint has arguments of multi-period training, which is handled differently."""
    return values.any_in("multi_period")


def member_names(values: Values) -> tuple[str, ...]:
    """Returns the names of the ensemble's members; empty for a single rule."""
    n_members = values["n_ensemble_members"]
    if not 1 <= n_members <= _MOST_MEMBERS:
        raise ConfigError(
            f"n_ensemble_members = {n_members} must be a whole number, at least 1 and at most {_MOST_MEMBERS}"
        )
    return tuple(f"member{number}" for number in range(1, n_members + 1)) if n_members > 1 else ()


def holdings(values: Values) -> list[str]:
    """Returns the holdings of the pool: tokens in the given order, then subsidiaries."""
    return [*values["tokens"], *subsidiary_values(values)]


def subsidiary_values(values: Values) -> dict[str, Values]:
    """Returns subsidiary → its values; missing ones are those of the outer pool."""
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
                raise ConfigError(f"{where} has no {key!r}, which is required")
        inherited = (key for key in _SUBSIDIARY_KEYS if values.is_given(key) and not isinstance(values[key], list))
        own = {key: values[key] for key in inherited if key not in _OF_MAIN_POOL}
        dates = {key: values[key] for key in ("startDateString", "endDateString")}
        try:
            found[f"subsidiary{number}"] = Values.of({**own, **dates, **table})
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error
    return found


def _reclamm(values: Values) -> dict[str, Any]:
    for path in _ARC_KEYS:
        if values[path]:
            raise ConfigError(
                f"{path} = {values[path]!r} is not supported: the arc length is that with which the decay would begin, as in "
                "quantammsim without this key"
            )
    path = "reclamm_interpolation_method"
    if values[path] not in _RANGE_SHIFTS:
        raise ConfigError(f"{path} = {values[path]!r}: {nearest(values[path], _RANGE_SHIFTS)}")
    return {
        "type": RECLAMM,
        "range_shift": _RANGE_SHIFTS[values[path]],
        "centeredness_scaling": values["reclamm_centeredness_scaling"],
    }


def _pool(values: Values, notes: Notes) -> dict[str, Any]:
    rule, members = rule_of(values), member_names(values)
    if rule in _WITHOUT_RULES and members:
        raise ConfigError(
            f"n_ensemble_members = {values['n_ensemble_members']}: {_WITHOUT_RULES[rule]} has no ensemble; leave it out"
        )
    if rule == RECLAMM:
        return _reclamm(values)
    if rule == GYROSCOPE:
        return {"type": "eclp"}
    if members and _ENSEMBLE not in values["rule"]:
        notes.add("n_ensemble_members", "makes an ensemble here; in quantammsim only with `ensemble__` before the rule")
    pool: dict[str, Any] = {"ensemble": dict.fromkeys(members, rule)} if members else {"rule": rule}
    pool |= _mechanism(values, notes)
    if values.is_given("minimum_weight") and rule not in _CONSTANT:
        pool["minimum_weight"] = values["minimum_weight"]
    pool["arb_quality"] = values["arb_quality"]
    if rule == "cow" and values["arb_quality"] != 1.0:
        # In quantammsim, the monopolist arbitrageur also trades inside the no-trade band, at the pool's expense.
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
            if key.handling == "copied" and key.to.startswith(f"{table}.") and key.path != "initial_pool_value"
        }
        for table in ("pool", "update", "fees")
    }
    return {
        "tokens": ordered_tokens(values),
        **copied["pool"],
        **_pool(values, notes),
        "update": copied["update"] | _update(values, notes),
        "fees": copied["fees"] | dict.fromkeys(_free_of_costs(values), 0.0),
    }


def _moment(key: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{key} = {text!r} must be a date such as '2023-01-31 00:00:00'") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def split(values: Values) -> tuple[datetime, datetime, datetime]:
    """Returns the start and end of training, and the end of validation; both ends are equal without validation."""
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
            f"{path} = {fraction} of {end - start}: training and validation need at least one chunk each; "
            "use 0 for no validation"
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
                f"validation starts with a chunk, at {train_end:%Y-%m-%d %H:%M}, but in quantammsim at "
                f"{there:%Y-%m-%d %H:%M}, so train metrics differ: on minute bars periods.train_end can be set to that time",
            )
    if values.is_given("endTestDateString"):
        periods["test_end"] = _moment("endTestDateString", values["endTestDateString"])
    return periods


def _ramp_minutes(values: Values) -> int:
    path = "weight_interpolation_period"
    minutes: int = values[path]
    return minutes if values.is_given(path) else min(minutes, values["chunk_period"])


def _update(values: Values, notes: Notes) -> dict[str, Any]:
    method = values["weight_interpolation_method"]
    if method not in _INTERPOLATIONS:
        raise ConfigError(f"weight_interpolation_method = {method!r}: {nearest(method, _INTERPOLATIONS)}")
    update: dict[str, Any] = {
        "interpolation_minutes": _ramp_minutes(values),
        "interpolation": _INTERPOLATIONS[method],
        "pre_exp_scaling": "log2" if values["use_pre_exp_scaling"] else "off",
    }
    if rule_of(values) in _LOOKS_AHEAD:
        # In quantammsim, output j of a rule that outputs weights uses the price at the end of the chunk that it controls. A
        # translated configuration reproduces these results; see docs/rules.md.
        update["published_look_ahead"] = True
        notes.add(
            "rule",
            f"{values['rule']} looks ahead, as in quantammsim: it uses the price at the end of the chunk that it controls. Set "
            "update.published_look_ahead = false for realistic results",
        )
    return update
