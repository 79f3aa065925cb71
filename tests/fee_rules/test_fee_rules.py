"""Fee rules: bounds, causality, gradients, and pools that use them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fee_support import experiment_of, outcome

from quantsim import Evaluator, Experiment, Prices
from quantsim.errors import ConfigError
from quantsim.fee_rules import FeeRule, fee_rule_names, get_fee_rule
from quantsim.fee_rules.base import HIGHEST_FEE
from quantsim.parameters import bind, to_raw
from quantsim.rules import Observed, RuleSettings
from quantsim.search_space import load_search_space
from quantsim.testing import check_fee_rule

SETTINGS = RuleSettings(chunk_minutes=240, max_memory_days=20.0)
CHUNK, HISTORY, N_BARS = 8, 240, 200  # in half hours
STRENGTH = {"volatility": "fee_per_volatility", "trend": "fee_per_trend"}
FLAT = {"volatility": "log_fee_per_volatility", "trend": "log_fee_per_trend"}


def chunk_prices(n_tokens: int = 3, seed: int = 0, volatility: float = 0.01) -> jax.Array:
    steps = volatility * np.random.default_rng(seed).standard_normal((50, n_tokens))
    return jnp.asarray(100 * np.exp(np.cumsum(steps, axis=0)))


def raw_of(rule: str, **values: float) -> dict[str, jax.Array]:
    raw = to_raw(bind(get_fee_rule(rule).parameters, ("pool",), SETTINGS.chunk_minutes), values)
    return {name: jnp.asarray(value) for name, value in raw.items()}


@functools.partial(jax.jit, static_argnums=0)
def fees(rule: str, raw: dict[str, jax.Array], prices: jax.Array) -> jax.Array:
    return get_fee_rule(rule).fees(raw, Observed(prices), SETTINGS)


def test_the_registry_finds_every_file() -> None:
    assert set(fee_rule_names()) >= set(STRENGTH)
    for name in fee_rule_names():
        rule = get_fee_rule(name)
        assert isinstance(rule, FeeRule)
        assert rule.name == name
        assert rule.description
        assert get_fee_rule(name) is rule
    with pytest.raises(ConfigError, match="unknown fee rule 'trends': did you mean 'trend'"):
        get_fee_rule("trends")


@pytest.mark.parametrize("rule", STRENGTH)
def test_fees_lie_between_the_base_and_the_highest(rule: str) -> None:
    for volatility in (1e-5, 0.01, 0.3):
        raw = raw_of(rule, base_fee=0.002, **{STRENGTH[rule]: 1.0})
        found = np.asarray(fees(rule, raw, chunk_prices(volatility=volatility)))
        assert found.shape == (50,)
        assert (found >= 0.002 * (1 - 1e-12)).all()
        assert (found <= HIGHEST_FEE).all()
    assert found[-1] == HIGHEST_FEE


@pytest.mark.parametrize("rule", STRENGTH)
def test_fees_rise_with_the_signal(rule: str) -> None:
    raw = raw_of(rule, base_fee=0.002, memory_days=2.0)
    calm, lively = (np.asarray(fees(rule, raw, chunk_prices(volatility=at))) for at in (0.001, 0.003))
    assert (lively[2:] > calm[2:]).all()
    np.testing.assert_allclose(fees(rule, raw, jnp.full((20, 2), 7.0)), 0.002, rtol=1e-12)


def test_the_trend_is_the_steepest_per_day_up_or_down() -> None:
    """Prices that move by a share ``s`` a day have, once the averages have settled, a proportional slope of ``s``."""
    days = np.arange(600) * SETTINGS.chunk_minutes / 1440
    raw = raw_of("trend", memory_days=1.0, base_fee=0.001, fee_per_trend=0.5)
    for up in (0.02, -0.02):
        prices = np.exp(np.outer(days, [up, 0.005]))
        assert float(fees("trend", raw, jnp.asarray(prices))[-1]) == pytest.approx(0.001 + 0.5 * 0.02, rel=0.02)


def test_the_volatility_is_the_daily_root_mean_square() -> None:
    signs = np.where(np.random.default_rng(0).random((4000, 2)) < 0.5, -1.0, 1.0)
    prices = np.exp(np.cumsum(signs * np.array([0.003, 0.004]), axis=0))
    raw = raw_of("volatility", memory_days=20.0, base_fee=0.001, fee_per_volatility=0.1)
    daily = np.sqrt(6 * 0.5 * (0.003**2 + 0.004**2))
    assert float(fees("volatility", raw, jnp.asarray(prices))[-1]) == pytest.approx(0.001 + 0.1 * daily, rel=0.03)


@pytest.mark.parametrize("rule", fee_rule_names())
def test_every_fee_rule_keeps_the_laws_of_fee_rules(rule: str) -> None:
    check_fee_rule(rule)


# In a pool


def prices_of_pool(seed: int = 0) -> Prices:
    generator = np.random.default_rng(seed)
    times = np.datetime64("2021-03-01", "s") + 1800 * np.arange(HISTORY + N_BARS).astype("timedelta64[s]")
    spread = 0.004 + 0.006 * (np.sin(np.arange(times.size) / 40) > 0)
    steps = spread[:, None] * generator.standard_normal((times.size, 2))
    return Prices(times, np.exp(np.cumsum(steps, axis=0)) * [40_000.0, 2_000.0], ("BTC", "ETH"), 30)


def with_rule(rule: str, **fee: float) -> Experiment:
    own = {"memory_days": 1.0, "base_fee": 0.001, STRENGTH[rule]: 0.1, **fee}
    return experiment_of(fees={"rule": rule, "noise_trader_ratio": 0.5}, parameters={"fee": own})


def bar_fees(experiment: Experiment, prices: Prices) -> np.ndarray:
    """The fee at every bar, worked out from the rule alone: decided at a chunk boundary, held to the next."""
    rule = get_fee_rule(str(experiment.fees.rule))
    raw = {name: jnp.asarray(row) for name, row in experiment.initial_parameters().items()}
    own = {name.removeprefix("fee."): row for name, row in raw.items() if name.startswith("fee.")}
    settings = RuleSettings(240, experiment.update.max_memory_days)
    return np.repeat(np.asarray(rule.fees(own, Observed(jnp.asarray(prices.prices[::CHUNK])), settings)), CHUNK)


@pytest.mark.parametrize("rule", STRENGTH)
def test_a_pool_charges_the_fee_of_its_rule(rule: str) -> None:
    """The same fees given as a series make the same pool."""
    experiment, prices = with_rule(rule), prices_of_pool()
    series = {"swap_fee": bar_fees(experiment, prices)}
    assert np.ptp(series["swap_fee"][HISTORY:]) > 1e-4
    given = experiment_of(fees={"noise_trader_ratio": 0.5}, series={"swap_fee": "given"})
    found = outcome(experiment, prices)
    assert found == pytest.approx(outcome(given, prices, series=series), rel=1e-9)
    plain = outcome(experiment_of(fees={"swap_fee": 0.001, "noise_trader_ratio": 0.5}), prices)
    assert abs(found["returns"] - plain["returns"]) > 1e-5


def value_and_grad(experiment: Experiment, prices: Prices, rows: dict[str, np.ndarray]) -> Any:
    windows = [HISTORY, HISTORY + 5]
    return Evaluator(experiment, prices).value_and_grad(rows, windows, N_BARS - 8, "returns")


@pytest.mark.parametrize("rule", STRENGTH)
def test_gradients_reach_the_parameters_of_the_rule_and_are_finite_at_constant_prices(rule: str) -> None:
    experiment, prices = with_rule(rule), prices_of_pool(1)
    names = ["fee.logit_lamb", "fee.logit_base_fee", f"fee.{FLAT[rule]}"]
    assert set(names) < experiment.trainable
    raw, step = experiment.initial_parameters(), 1e-6
    moved = [raw]
    for name in names:
        moved += [{**raw, name: raw[name] + step}, {**raw, name: raw[name] - step}]
    rows = {name: np.stack([one[name] for one in moved]) for name in raw}
    values, gradients = value_and_grad(experiment, prices, rows)
    for at, name in enumerate(names):
        wanted = (values[1 + 2 * at] - values[2 + 2 * at]) / (2 * step)
        assert gradients[name][0, 0] == pytest.approx(wanted, rel=2e-4), name
        assert wanted != 0

    still = Prices(prices.times, np.tile(prices.prices[:1], (prices.n_bars, 1)), prices.tokens, 30)
    values, gradients = value_and_grad(experiment, still, rows)
    assert (np.abs(values) < 1e-12).all()
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())


def test_the_search_moves_the_parameters_that_its_space_names(tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text("[fee.base_fee]\nlow = 0.0005\nhigh = 0.01\nlog = true\n[fee.memory_days]\n")
    experiment = experiment_of(fees={"rule": "trend"}, search={"space": str(tmp_path / "space.toml")})
    names = {dimension.name: dimension for dimension in load_search_space(experiment).dimensions}
    assert set(names) == {"fee.base_fee", "fee.memory_days"}
    (draw,) = names["fee.base_fee"].draws
    assert (draw.low, draw.high, draw.log) == (0.0005, 0.01, True)
    own = {dimension.name for dimension in load_search_space(experiment_of(fees={"rule": "trend"})).dimensions}
    assert {"fee.base_fee", "fee.memory_days", "fee.fee_per_trend", "memory_days", "k_per_day"} <= own


USER_RULE = """
import jax.numpy as jnp
from dataclasses import replace
from quantsim.fee_rules import FeeRule
from quantsim.parameters import common
from quantsim.parameters.transforms import sigmoid

def fees(params, observed, settings):
    even = jnp.arange(observed.prices.shape[0]) % 2 == 0
    return jnp.where(even, sigmoid(params["logit_low"]), 0.02)

low = replace(common.swap_fee, raw_name="logit_low", human_name="low", default=0.001, opt_in=False)
in_turns = FeeRule("in_turns", "a low fee and a high one in turns", (low,), fees)
"""


def test_a_users_fee_rule(tmp_path: Path) -> None:
    file = tmp_path / "my_fees.py"
    file.write_text(USER_RULE)
    experiment, prices = experiment_of(fees={"rule": f"{file}:in_turns"}), prices_of_pool(2)
    chunks = np.arange(prices.n_bars) // CHUNK
    series = {"swap_fee": np.where(chunks % 2 == 0, 0.001, 0.02)}
    wanted = outcome(experiment_of(series={"swap_fee": "given"}), prices, series=series)
    assert outcome(experiment, prices) == pytest.approx(wanted, rel=1e-9)
    assert "fee.logit_low" in experiment.trainable
    before = experiment.identity
    file.write_text(USER_RULE.replace("0.02", "0.03"))
    assert experiment_of(fees={"rule": f"{file}:in_turns"}).identity != before
    with pytest.raises(ConfigError, match="has no 'in_turn'; it has in_turns"):
        experiment_of(fees={"rule": f"{file}:in_turn"})


def test_a_rule_and_a_number_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"swap_fee = 0.003 and rule = 'trend' both set the fee"):
        experiment_of(fees={"rule": "trend", "swap_fee": 0.003})
