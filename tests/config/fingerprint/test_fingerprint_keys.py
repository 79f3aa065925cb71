"""The table of keys: every key is translated, refused or warned about."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from quantsim import Experiment, FingerprintWarning
from quantsim.config.fingerprint import translate
from quantsim.config.fingerprint.keys import BY_PATH, KEYS, Key
from quantsim.errors import ConfigError, QuantsimError

BASE: dict[str, Any] = {
    "tokens": ["BTC", "ETH"],
    "rule": "mean_reversion_channel",
    "startDateString": "2018-01-01 00:00:00",
    "endDateString": "2018-06-30 00:00:00",
}
OPT = "optimisation_settings."

OTHERS: dict[str, Any] = {
    "tokens": ["ETH", "LTC"],
    "rule": "momentum",
    "startDateString": "2018-02-01 00:00:00",
    "endDateString": "2018-08-01 00:00:00",
    "endTestDateString": "2018-12-01 00:00:00",
    "return_val": "sharpe",
    "weight_interpolation_method": "approx_optimal",
    "minimum_weight": 0.07,
    "n_assets": 3,
    "initial_weights_logits": [0.0, 1.0],
    "ensemble_init_method": "lhs",
    "subsidary_pools": [{"tokens": ["LTC", "XRP"], "rule": "momentum"}],
    "learnable_bounds_settings.min_weights_per_asset": [0.1, 0.2],
    "learnable_bounds_settings.max_weights_per_asset": [0.8, 0.75],
    "freq": "hour",
    "numeraire": "ETH",
    "evaluation_starts": [1, 2],
    "alphabetic": False,
    f"{OPT}method": "optuna",
    f"{OPT}optimiser": "adam",
    f"{OPT}sample_method": "stratified",
    f"{OPT}parameter_init_method": "sobol",
    f"{OPT}training_data_kind": "mc",
    f"{OPT}lr_schedule_type": "cosine",
    f"{OPT}early_stopping_metric": "sharpe",
    f"{OPT}optuna_settings.method": "optuna",
    f"{OPT}optuna_settings.study_name": "mine",
    f"{OPT}optuna_settings.storage.url": "sqlite:///mine.db",
    f"{OPT}cma_es_settings.memory_budget": 1e9,
    "multi_period.aggregation": "min",
}
"""A value other than the default, for keys whose defaults do not suggest one."""

COMPANIONS: dict[str, dict[str, Any]] = {
    "learnable_bounds_settings": {
        "rule": "bounded__momentum",
        "learnable_bounds_settings.min_weights_per_asset": [0.05, 0.05],
        "learnable_bounds_settings.max_weights_per_asset": [0.7, 0.7],
    },
    "multi_period": {"multi_period.n_periods": 3},
}
"""What else is given with the keys of a table, so that these mean something."""


def other_than(key: Key) -> Any:
    if key.path in OTHERS:
        return OTHERS[key.path]
    if isinstance(key.default, bool):
        return not key.default
    if isinstance(key.default, int | float):
        return key.default + 1 if key.kind is int else key.default * 0.5 or 0.01
    return 1.5 if key.kind is float else f"other than {key.default}" if key.kind is str else 0.3


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for path, value in flat.items():
        *names, last = path.split(".")
        table = tables
        for name in names:
            table = table.setdefault(name, {})
        table[last] = value
    return tables


def flattened(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def translated(flat: Mapping[str, Any]) -> tuple[Experiment, str]:
    """Returns the translated study and the text of its warning."""
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        experiment = Experiment.from_fingerprint(nested(flat))
    assert len(raised) <= 1, "one warning names all keys"
    assert all(one.category is FingerprintWarning for one in raised)
    return experiment, str(raised[0].message) if raised else ""


def counts(path: str, value: Any) -> str:
    """Returns how a key is handled: "translated", "refused" or "warned about"; fails if it is ignored."""
    base = {**BASE, **COMPANIONS.get(path.partition(".")[0], {})}
    before, _ = translated(base)
    try:
        after, warning = translated({**base, path: value})
    except ConfigError as error:
        if path not in str(error):
            pytest.fail(f"{path}: the message names another key: {error}")
        return "refused"
    if path in warning:
        return "warned about"
    assert after != before, f"{path} = {value!r} is ignored"
    return "translated"


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.path)
def test_no_key_is_ignored(key: Key) -> None:
    value = other_than(key)
    assert value not in (key.default, BASE.get(key.path))
    found = counts(key.path, value)
    if key.handling == "copied":
        assert found == "translated"
    elif key.handling == "refused":
        assert found == "refused"
    elif key.handling == "internal":
        assert found == "warned about"


def test_the_number_of_assets_is_that_of_the_tokens() -> None:
    assert translated({**BASE, "n_assets": 2}) == translated(BASE)
    assert counts("n_assets", 3) == "refused"


def test_an_error_of_the_study_names_the_keys_of_the_fingerprint() -> None:
    with pytest.raises(ConfigError) as caught:
        translated({**BASE, "multi_period.overlap_fraction": 1.5})
    assert "objective.period_overlap: " in str(caught.value)
    assert "objective.period_overlap is multi_period.overlap_fraction of the fingerprint" in str(caught.value)


def test_explicit_defaults_equal_missing_keys() -> None:
    spelt = {
        key.path: key.default for key in KEYS if "parameter_config" not in key.path and "multi_period" not in key.path
    }
    left_out, warning = translated(BASE)
    assert not warning
    written, warning = translated({**spelt, **BASE, "n_assets": None})
    assert written == left_out
    assert not warning


def test_keys_and_defaults_are_those_of_quantammsim(shared: Path) -> None:
    published = json.loads((shared / "golden" / "fingerprint_defaults.json").read_text())
    for path, default in flattened(published["defaults"]):
        assert BY_PATH[path].default == default, path
    for tables in published["guide"].values():
        for path, _ in flattened(tables):
            assert path in BY_PATH or path.startswith("call."), path
    for path, default in flattened({"optuna_settings": published["optuna_settings"]}, OPT):
        assert BY_PATH[path].default == default, path


def test_the_configurations_in_result_files_are_fingerprints(shared: Path) -> None:
    drivers = set()
    for path in sorted((shared / "golden" / "results").glob("run_*.json")):
        configuration = json.loads(json.loads(path.read_text()))[0]
        translation = translate(configuration)
        drivers.add(translation.tables["driver"])
        assert {name for name, _ in translation.notes} <= {"evaluation_starts", "training_method", f"{OPT}val_fraction"}
    assert drivers == {"sgd", "search"}


def test_a_key_without_effect_is_named_with_the_reason() -> None:
    _, warning = translated(
        {**BASE, f"{OPT}decay_lr_plateau": 50, "use_fused_reserves": False, "reclamm_learn_fees": True}
    )
    assert "optimisation_settings.decay_lr_plateau: has no effect here (only with use_plateau_decay" in warning
    assert "use_fused_reserves: " in warning
    assert "reclamm_learn_fees: has no effect here (for `reclamm`" in warning


@pytest.mark.parametrize("rule", ["hodl", "balancer"])
def test_keys_that_a_pool_without_trades_or_moves_does_not_read_are_told(rule: str) -> None:
    given = {
        "fees": 0.003,
        "gas_cost": 5.0,
        "arb_frequency": 15,
        "minimum_weight": 0.2,
        "initial_weights_logits": [0.0, 4.0],
    }
    study, warning = translated({**BASE, "rule": rule, "tokens": ["BTC", "ETH"], **given})
    assert "minimum_weight: has no effect here" in warning
    assert study.pool.minimum_weight is None
    held = rule == "hodl"
    assert (study.fees.swap_fee, study.fees.gas_cost_usd, study.pool.arb_frequency) == (
        (0, 0, 1) if held else (0.003, 5, 15)
    )
    assert ("fees: has no effect here" in warning) == held


def test_reclamm_pools() -> None:
    pool = {"rule": "reclamm", "tokens": ["ETH", "BTC"], "fees": 0.003, "initial_price_ratio": 2.5}
    study, _ = translated({**BASE, **pool})
    assert study.pool.type == "reclamm"
    assert study.pool.range_shift == "decay"
    own = {"price_ratio": 2.5, "centeredness_margin": 0.2, "daily_price_shift_base": 0.999991935483871}
    assert dict(study.parameters) == own
    assert study.fees.swap_fee == 0.003
    arc = {"reclamm_interpolation_method": "constant_arc_length", "reclamm_centeredness_scaling": True}
    more = {**arc, "reclamm_use_shift_exponent": True, "initial_shift_exponent": 0.3, "reclamm_learn_fees": True}
    study, _ = translated({**BASE, **pool, **more})
    assert (study.pool.range_shift, study.pool.centeredness_scaling) == ("constant_arc_length", True)
    assert dict(study.parameters) == {
        "price_ratio": 2.5, "centeredness_margin": 0.2, "shift_exponent": 0.3, "swap_fee": 0.003,
    }  # fmt: skip
    for key, value in (
        ("reclamm_arc_length_speed", 1e-3),
        ("reclamm_interpolation_method", "geo"),
        ("n_ensemble_members", 3),
    ):
        with pytest.raises(ConfigError, match=key):
            translate({**BASE, **pool, key: value})


def test_index_pools() -> None:
    keys = {**BASE, "cap_weights": 0.6, "weight_interpolation_period": 60, "fees": 0.001, "gas_cost": 2.0}
    series = {"series": {"oracle": "supplies.csv"}}

    def tables(rule: str, **more: Any) -> tuple[dict[str, Any], dict[str, str]]:
        found = translate({**keys, "rule": rule, **more})
        Experiment.from_dict({**found.tables, **series})
        return found.tables, dict(found.notes)

    index, notes = tables("index_market_cap")
    assert (index["pool"]["rule"], index["parameters"]["cap"]) == ("index_supply", 0.6)
    assert "series.oracle" in notes["rule"]
    with pytest.raises(ConfigError, match=r"needs an oracle series: set series\.oracle"):
        Experiment.from_dict(index)
    hodling, _ = tables("hodling_index_market_cap")
    assert hodling["pool"]["trading_minutes"] == 60
    assert hodling["fees"]["gas_cost_usd"] == 2.0
    traditional, notes = tables("trad_hodling_index_market_cap", annual_streaming_fee=0.02)
    own = {key: traditional["pool"][key] for key in ("type", "trading_minutes", "annual_fee")}
    assert own == {"type": "rebalanced", "trading_minutes": 60, "annual_fee": 0.02}
    assert {**traditional["fees"]} == {**hodling["fees"], "gas_cost_usd": 0.0}
    assert "no effect" in notes["gas_cost"]
    assert "pool.spread" in notes["fees"]
    versus, notes = tables("lvr__hodling_index_market_cap", arb_frequency=5)
    assert "trading_minutes" not in versus["pool"]
    assert (versus["pool"]["type"], versus["pool"]["arb_frequency"]) == ("rebalanced", 1)
    assert "metric 'lvr'" in notes["rule"]
    assert "no effect" in dict(translate({**BASE, "cap_weights": 0.6}).notes)["cap_weights"]


def test_gyroscope_pools() -> None:
    pool = {"rule": "gyroscope", "tokens": ["ETH", "BTC"], "fees": 0.003}
    ellipse = {"alpha": 0.03, "beta": 0.09, "rotation_angle": 0.05, "lam": 20.0}
    study, _ = translated({**BASE, **pool, **ellipse, "numeraire": "BTC"})
    assert (study.pool.type, study.data.tokens) == ("eclp", ("ETH", "BTC"))
    assert dict(study.parameters) == {"alpha": 0.03, "beta": 0.09, "phi": 0.05, "lam": 20.0}
    assert study.fees.swap_fee == 0.003
    by_default, warning = translated({**BASE, **pool, "phi": 1.5})
    assert by_default.data.tokens == ("BTC", "ETH"), "the last one in sorted order is the numeraire"
    assert dict(by_default.parameters) == {"phi": 1.5}
    assert (
        "rule: quantammsim has the ellipse beside its configuration: set parameters.alpha, parameters.beta" in warning
    )
    for key, value in (("numeraire", "SUI"), ("n_ensemble_members", 2), ("phi", 0.06)):
        with pytest.raises(ConfigError, match=key):
            translate({**BASE, **pool, **ellipse, key: value})


def test_none_counts_as_missing() -> None:
    assert translate({**BASE, "fees": None, "optimisation_settings": None}) == translate(BASE)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("fees", "0.3%", "fees = '0.3%' must be a number"),
        ("fees", True, "fees = True must be a number"),
        ("chunk_period", 1.5, "chunk_period = 1.5 must be a whole number"),
        ("do_arb", 1, "do_arb = 1 must be true or false"),
        ("rule", 5, "rule = 5 must be a text"),
        ("tokens", "BTC", "tokens = 'BTC' must be a list"),
        ("optimisation_settings", 5, "optimisation_settings = 5 must be a table"),
        (f"{OPT}base_lrr", 5, "unknown fingerprint key optimisation_settings.'base_lrr': did you mean 'base_lr'?"),
        (f"{OPT}optuna_settings.parameter_config.memory_lenght.low", 1, "did you mean 'memory_length'?"),
        ("rule", "gyroscope_3clp", "rule = 'gyroscope_3clp' is another kind of Gyroscope pool"),
        ("rule", "bounded__gyroscope", "a Gyroscope pool has no rule; set rule = 'gyroscope'"),
        ("numeraire", "ETH", "numeraire = 'ETH' is not supported: all prices and values are in one currency"),
        ("rule", "reclamm_hypersurge", "rule = 'reclamm_hypersurge' is a pool with fees that follow a price"),
        ("rule", "flexible_channel", "a rule of quantammsim that is to be written as a rule of your own"),
        ("rule", "lvr__cow", "'cow' has no weights that a portfolio could be rebalanced to"),
        ("rule", "bounded__reclamm", "a reCLAMM pool has no rule; set rule = 'reclamm'"),
    ],
)
def test_wrong_types_and_names_are_refused_by_key(path: str, value: Any, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        translate(nested({**BASE, path: value}))
    assert expected in str(caught.value)


BAD: tuple[Any, ...] = (
    *(math.nan, math.inf, 1e300, 10**400, 10**12, -1, 0, "", "x", True, b"x", object()),
    *([], {}, [1], [1, 2], [[1], [2, 3]], [[1.0, 2.0]] * 4, ["BTC"], {"a": 1}),
)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.path)
def test_bad_values_are_refused_or_warned_about(key: Key) -> None:
    noticed = 0
    for value in BAD:
        flat = {**BASE, **COMPANIONS.get(key.path.partition(".")[0], {}), key.path: value}
        try:
            noticed += key.path in dict(translate(nested(flat)).notes)
        except QuantsimError as error:
            noticed += bool(str(error))
    assert noticed >= 3
