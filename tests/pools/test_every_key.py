"""No key is ignored: for each type of pool, a study that sets a key gets another result, or an error that names the key."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pool_support import HALF_HOURS, TOKENS, bar_by_bar, make_experiment, random_prices

from quantsim.config.sections import Series
from quantsim.errors import ConfigError
from quantsim.pools.registry import get_pool, pool_names
from quantsim.pools.settings import Fees, PoolSettings
from quantsim.prices import Trades
from quantsim.prices.weights import WeightUpdates
from quantsim.simulator.bar_path import BarPath

LAYOUT = replace(HALF_HOURS, history=96, n_bars=96, max_memory_days=2.0)
PRICES = random_prices(LAYOUT, 2, 3)
QUOTE = float(PRICES.prices[96:, 0].mean() / PRICES.prices[96:, 1].mean())
PAIR = TOKENS[:2]

STUDIES: dict[str, dict[str, Any]] = {
    "weighted": {"pool": {"rule": "momentum"}, "parameters": {"k_per_day": 3.0, "memory_days": 0.7}},
    "weighted, constant": {"pool": {"rule": "balancer"}, "parameters": {"initial_weights": [0.6, 0.4]}},
    "rebalanced": {
        "pool": {"rule": "momentum", "type": "rebalanced"},
        "parameters": {"k_per_day": 3.0, "memory_days": 0.7},
    },
    "batch": {"pool": {"type": "batch", "arb_quality": 0.5}, "parameters": {"initial_weights": [0.6, 0.4]}},
    "hold": {"pool": {"type": "hold"}, "parameters": {"initial_weights": [0.6, 0.4]}, "fees": {}},
    "reclamm": {"pool": {"type": "reclamm"}, "parameters": {"price_ratio": 1.2, "centeredness_margin": 0.5}},
    "eclp": {
        "pool": {"type": "eclp"},
        "parameters": {"alpha": 0.7 * QUOTE, "beta": 1.4 * QUOTE, "tan_phi": QUOTE, "lam": 5.0},
    },
}
"""Type, or type and kind → a study that has none of the keys below, but a fee."""

MODEL = {"usd_per_day": 2e5, "tvl_elasticity": 0.5, "fee_elasticity": 1.0}
KEYS: dict[str, Any] = {
    **{f"series.{name}": "given" for name in Series.model_fields},
    "fees.swap_fee": 0.007,
    "fees.rule": "volatility",
    "fees.arb_fee": 0.004,
    "fees.gas_cost_usd": 200.0,
    "fees.noise_trader_ratio": 1.5,
    "fees.protocol_fee_split": 0.5,
    "fees.volume": "elastic",
    "pool.do_arb": False,
    "pool.arb_frequency": 3,
    "pool.initial_value_usd": 5e5,
    "pool.minimum_weight": 0.45,
    "pool.maximum_weight": 0.55,
    "pool.trading_minutes": 60,
    "pool.spread": 0.01,
    "pool.annual_fee": 0.2,
    "pool.arb_quality": 0.3,
    "pool.published_band_trades": True,
    "pool.range_shift": "constant_arc_length",
    "pool.centeredness_scaling": True,
    "pool.real_balances": [1.0, 1.2 * QUOTE],
    "pool.virtual_balances": [3.0, 3.0 * QUOTE],
    "parameters.swap_fee": 0.006,
    "parameters.initial_weights": [0.7, 0.3],
    "parameters.minimum_weights": 0.45,
    "parameters.maximum_weights": 0.55,
}
"""Key → a value that matters."""

ELSEWHERE = {
    "series.supply": "shares of the pool, not what one share is worth: tests/simulator/test_supply_in_time.py",
    "fees.rebalancing_cost": "the metric rvr: tests/simulator/test_rebalancing.py",
    "fees.volume_model": "together with fees.volume",
    "fees.volume_draws": "tests/volume",
    "fees.volume_quantile": "tests/volume",
    "fees.volume_prior_decides": "a permission",
    "pool.type": "the pool itself",
    "pool.rule": "the pool itself",
    "pool.ensemble": "the pool itself",
    "pool.tokens": "the pool itself",
}
SATISFIED = {("hold", "pool.do_arb"): "a pool that arbitrageurs do not visit holds its reserves"}


def given_series() -> dict[str, Any]:
    generator, n_bars = np.random.default_rng(1), PRICES.n_bars
    bars = PRICES.times[96 + np.arange(6, 90, 12)].astype("datetime64[us]")
    amounts = 2e4 / PRICES.prices[96 + np.arange(6, 90, 12), 0]
    swaps = Trades(bars, PAIR[:1] * bars.size, PAIR[1:] * bars.size, amounts, np.full(bars.size, np.nan))
    share = generator.uniform(0.3, 0.7, (n_bars, 1))
    return {
        "swap_fee": generator.uniform(0.001, 0.01, n_bars),
        "arb_fee": generator.uniform(0.001, 0.01, n_bars),
        "gas_cost_usd": generator.uniform(50.0, 500.0, n_bars),
        "oracle": generator.uniform(1.0, 2.0, (n_bars, 2)),
        "trades": swaps,
        "weights": WeightUpdates(
            PRICES.times.astype("datetime64[us]").astype(np.int64), np.hstack([share, 1.0 - share])
        ),
    }


def test_every_key_has_a_value_here() -> None:
    settings = {PoolSettings, *(get_pool(name).settings for name in pool_names())}
    known = {f"pool.{key}" for one in settings for key in one.model_fields}
    known |= {f"fees.{key}" for key in Fees.model_fields} | {f"series.{key}" for key in Series.model_fields}
    assert known <= KEYS.keys() | ELSEWHERE.keys()
    assert {kind.partition(",")[0] for kind in STUDIES} == set(pool_names())


def run(tables: dict[str, dict[str, Any]], series: dict[str, Any]) -> BarPath:
    tables = {"fees": {"swap_fee": 0.002}, **tables}
    experiment = make_experiment(tables["pool"].get("rule"), 2, LAYOUT, **tables)
    return bar_by_bar(experiment, {}, PRICES, series=series)


@functools.cache
def plain(kind: str) -> BarPath:
    return run(STUDIES[kind], {})


@pytest.mark.parametrize("kind", STUDIES)
@pytest.mark.parametrize("key", [key for key in KEYS if key not in ELSEWHERE])
def test_a_key_counts_or_is_refused(kind: str, key: str) -> None:
    table, _, name = key.partition(".")
    study = {where: dict(values) for where, values in STUDIES[kind].items()}
    own = study.setdefault("fees", {"swap_fee": 0.002})
    if "swap_fee" in key or key == "fees.rule":
        own.clear()  # one of them sets the fee
    if key.endswith("_balances"):
        study["pool"] |= {one: KEYS[f"pool.{one}"] for one in ("real_balances", "virtual_balances")}
    if key == "fees.volume":
        own["volume_model"] = MODEL
    study.setdefault(table, {})[name] = KEYS[key]
    series = {name: given_series()[name]} if table == "series" else {}
    found, said = outcome(study, series)
    if found is None:
        assert name in said or (key.endswith("_balances") and "_balances" in said)
    elif (kind, key) not in SATISFIED:
        before = plain(kind)
        same = (np.array_equal(getattr(found, what), getattr(before, what)) for what in ("value", "reserves"))
        assert not all(same), f"{key} changes nothing of a pool of type {kind}"


def outcome(tables: dict[str, dict[str, Any]], series: dict[str, Any]) -> tuple[BarPath | None, str]:
    """What the study computes, or the error that refuses it."""
    try:
        return run(tables, series), ""
    except ConfigError as error:
        return None, str(error)


@pytest.mark.parametrize(
    ("rule", "tables", "said"),
    [
        ("momentum", {"series": {"oracle": "caps.csv"}}, r"series\.oracle = '.*caps\.csv' .* leave it out"),
        ("balancer", {"parameters": {"maximum_weights": 0.7}}, r"parameters\.maximum_weights has no effect"),
        ("balancer", {"pool": {"minimum_weight": 0.3}}, "the weight of BTC is 0.75, .*pool.maximum_weight = 0.7"),
        (
            "given_weights",
            {"pool": {"maximum_weight": 0.7}, "series": {"weights": "weights.csv"}},
            r"pool\.maximum_weight = 0\.7 has no effect on given weights: leave it out",
        ),
        (
            "hodl",
            {"fees": {"gas_cost_usd": 1.0}, "series": {"arb_fee": "fee.csv"}},
            r"rule = 'hodl' does not charge fees\.gas_cost_usd = 1\.0, series\.arb_fee = '.*fee\.csv': leave them out",
        ),
        ("hodl", {"pool": {"arb_frequency": 5}}, r"pool\.arb_frequency = 5 has no effect"),
    ],
)
def test_errors_say_what_to_leave_out(rule: str, tables: dict[str, Any], said: str) -> None:
    parameters = {
        **({} if rule == "given_weights" else {"initial_weights": [0.75, 0.25]}),
        **tables.pop("parameters", {}),
    }
    with pytest.raises(ConfigError, match=said):
        make_experiment(rule, 2, LAYOUT, parameters=parameters, **tables)


def test_a_rule_of_a_file_may_read_the_oracle_without_needing_it(tmp_path: Path) -> None:
    file = tmp_path / "rules.py"
    file.write_text(
        "import jax.numpy as jnp\nfrom quantsim.rules import Output, Rule\n"
        "def outputs(params, observed, settings):\n    return jnp.zeros_like(observed.prices)\n"
        'mine = Rule("mine", "none", (), Output.CHANGE, outputs)\n'
    )
    assert make_experiment(f"{file}:mine", 2, LAYOUT, series={"oracle": "caps.csv"}).series.oracle
