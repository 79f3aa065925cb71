"""Each rule against its formula, worked out in plain Python on the same prices."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantsim.errors import ConfigError
from quantsim.parameters import bind, to_raw
from quantsim.rules import Observed, RuleSettings, get_rule

DAYS = 1440.0
SETTINGS = RuleSettings(1440, 60.0)
N_CHUNKS = 60
PRICES = 100 * np.exp(np.cumsum(0.03 * np.random.default_rng(4).standard_normal((N_CHUNKS, 3)), axis=0))
ORACLE = PRICES * np.array([1e9, 4e8, 2e7]) * (1 + 0.1 * np.sin(np.arange(N_CHUNKS))[:, None])


@functools.partial(jax.jit, static_argnums=(0, 2))
def outputs(rule: str, params: dict[str, jax.Array], settings: RuleSettings) -> jax.Array:
    function = get_rule(rule).outputs
    assert function is not None
    return function(params, Observed(jnp.asarray(PRICES), jnp.asarray(ORACLE)), settings)


def found(rule: str, settings: RuleSettings = SETTINGS, **human: object) -> np.ndarray:
    raw = to_raw(bind(get_rule(rule).parameters, ("A", "B", "C"), 1440), human)
    return np.asarray(outputs(rule, {name: jnp.asarray(value) for name, value in raw.items()}, settings))


def lamb(memory_days: float) -> float:
    """By bisection on the definition of memory."""
    low, high = 0.0, 1.0 - 1e-12
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if np.cbrt(6 * middle / (1 - middle) ** 3) * 2 < memory_days else (low, middle)
    return low


def slopes(memory_days: float) -> np.ndarray:
    decay, average, total = lamb(memory_days), PRICES[0].copy(), np.zeros(3)
    rows = []
    for price in PRICES:
        average = average + (1 - decay) * (price - average)
        total = decay * total + (price - average) / (1 - decay)
        rows.append(total * (1 - decay) ** 3 / (decay * average))
    return np.array(rows)


def averages(memory_days: float, series: np.ndarray) -> np.ndarray:
    decay, average, rows = lamb(memory_days), series[0].copy(), []
    for value in series:
        average = average + (1 - decay) * (value - average)
        rows.append(average)
    return np.array(rows)


def variances(memory_days: float) -> np.ndarray:
    decay, returns = lamb(memory_days), PRICES[1:] / PRICES[:-1] - 1
    mean, total, rows = returns[0].copy(), np.zeros(3), [np.ones(3), np.ones(3)]
    for index, value in enumerate(returns):
        deviation = value - mean
        mean = mean + (1 - decay) * deviation
        total = decay * total + decay * deviation**2
        if index:
            rows.append((1 - decay) * total)
    return np.array(rows)


def centred(signal: np.ndarray, k: float) -> np.ndarray:
    return k * (signal - signal.mean(axis=1, keepdims=True))


def power(slope: np.ndarray, exponent: float, scaling: float = 0.5) -> np.ndarray:
    return np.sign(slope) * np.abs(slope / (2 * scaling)) ** exponent


def channel(
    c: float,
    t: float,
    i: float,
    memories: tuple[float, float, float],
    slopes: Callable[[float], np.ndarray] = slopes,
) -> np.ndarray:
    width, amplitude, exponent, k = 0.02, 3.0, 1.7, 2.0
    reverting, trending, between = (slopes(memory) for memory in memories)
    z = math.pi * reverting / (3 * width)
    inside = np.exp(-i * between**2 / (2 * width**2))
    revert = -amplitude * memories[0] * inside * (z - z**3 / 6) / 0.5415
    return centred(c * revert + t * (1 - inside) * power(trending, exponent, 0.3), k * memories[0])


def spread_out(rows: np.ndarray, cap: float) -> np.ndarray:
    """Caps rows, and distributes the excess over the others in proportion, until nothing exceeds the cap."""
    rows = rows.copy()
    for row in rows:
        while row.max() > cap * (1 + 1e-15):
            high = row >= cap
            row[~high] *= (1 - cap * high.sum()) / row[~high].sum()
            row[high] = cap
    return rows


def shares(values: np.ndarray) -> np.ndarray:
    return values / values.sum(axis=1, keepdims=True)


CHANNEL = {"width": 0.02, "amplitude_per_day": 3.0, "exponents": 1.7, "k_per_day": 2.0, "pre_exp_scaling": 0.3}
CASES: dict[str, tuple[Callable[[], np.ndarray], Callable[[], np.ndarray]]] = {
    "momentum": (
        lambda: found("momentum", memory_days=9.0, k_per_day=2.0),
        lambda: centred(slopes(9.0), 18.0),
    ),
    "power_channel": (
        lambda: found("power_channel", memory_days=9.0, k_per_day=2.0, exponents=1.7, pre_exp_scaling=0.3),
        lambda: centred(power(slopes(9.0), 1.7, 0.3), 18.0),
    ),
    "mean_reversion_channel": (
        lambda: found("mean_reversion_channel", memory_days=9.0, **CHANNEL),
        lambda: channel(1.0, 1.0, 1.0, (9.0, 9.0, 9.0)),
    ),
    "triple_threat": (
        lambda: found(
            "triple_threat_mean_reversion_channel",
            memory_days=9.0,
            trend_memory_days=20.0,
            interaction_memory_days=4.0,
            channel_weight=0.7,
            trend_weight=1.3,
            interaction_weight=2.0,
            **CHANNEL,
        ),
        lambda: channel(0.7, 1.3, 2.0, (9.0, 20.0, 4.0)),
    ),
    "difference_momentum": (
        lambda: found("difference_momentum", memory_days=9.0, alt_memory_days=25.0, k_per_day=2.0),
        lambda: centred(1 - averages(25.0, PRICES) / averages(9.0, PRICES), 18.0),
    ),
    "min_variance": (lambda: found("min_variance", memory_days=9.0), lambda: shares(1 / variances(9.0))),
    "index_market_cap": (
        lambda: found("index_market_cap", memory_days=9.0, cap=1.0),
        lambda: averages(9.0, shares(ORACLE)),
    ),
    "index_supply": (lambda: found("index_supply", cap=0.6), lambda: spread_out(shares(PRICES * ORACLE), 0.6)),
}


@pytest.mark.parametrize("case", CASES)
def test_outputs_are_those_of_the_formula(case: str) -> None:
    ours, wanted = (function() for function in CASES[case])
    np.testing.assert_allclose(ours, wanted, rtol=1e-9, atol=1e-12 * np.abs(wanted).max())
    assert np.abs(wanted[10:]).min() < np.abs(wanted).max(), "the case is to vary"


@pytest.mark.parametrize("use_alt_lamb", [False, True])
def test_three_threats_alike_are_a_mean_reversion_channel(*, use_alt_lamb: bool) -> None:
    settings = RuleSettings(1440, 60.0, use_alt_lamb)
    human = {**CHANNEL, "memory_days": [5.0, 9.0, 100.0]}
    memories = {f"{part}_memory_days": human["memory_days"] for part in ("trend", "interaction")}
    single = found("mean_reversion_channel", settings, **human)
    triple = found("triple_threat_mean_reversion_channel", settings, **human, **memories)
    np.testing.assert_allclose(triple, single, rtol=1e-12, atol=1e-14 * np.abs(single).max())


@pytest.mark.parametrize("rule", ["power_channel", "mean_reversion_channel"])
def test_the_scaling_before_the_power_has_three_forms(rule: str) -> None:
    human = {**{name: CHANNEL[name] for name in ("exponents", "k_per_day")}, "memory_days": 9.0}
    forms = {
        "log2": found(rule, SETTINGS, **human, pre_exp_scaling=0.5),
        "logistic": found(
            rule, RuleSettings(1440, 60.0, pre_exp_scaling="logistic"), **human, bounded_pre_exp_scaling=0.5
        ),
        "off": found(rule, RuleSettings(1440, 60.0, pre_exp_scaling="off"), **human),
    }
    for form in ("logistic", "off"):
        np.testing.assert_allclose(forms[form], forms["log2"], rtol=1e-13, err_msg=form)
    other = found(rule, RuleSettings(1440, 60.0, pre_exp_scaling="logistic"), **human, bounded_pre_exp_scaling=0.2)
    assert np.abs(other - forms["logistic"]).max() > 1e-4 * np.abs(other).max()


def test_the_divisors_of_all_three_slopes_have_the_memory_that_is_stated() -> None:
    settings = RuleSettings(1440, 60.0, use_alt_lamb=True)
    human = {**CHANNEL, "trend_memory_days": 20.0, "interaction_memory_days": 4.0, "alt_memory_days": 30.0}
    ours = found("triple_threat_mean_reversion_channel", settings, memory_days=9.0, **human)

    def with_divisor(memory_days: float) -> np.ndarray:
        return slopes(memory_days) * averages(memory_days, PRICES) / averages(30.0, PRICES)

    wanted = channel(1.0, 1.0, 1.0, (9.0, 20.0, 4.0), with_divisor)
    np.testing.assert_allclose(ours, wanted, rtol=1e-9, atol=1e-12 * np.abs(wanted).max())


@pytest.mark.parametrize("rule", ["mean_reversion_channel", "triple_threat_mean_reversion_channel"])
def test_exponents_below_one_count_in_the_channel_and_have_a_gradient_at_rest(rule: str) -> None:
    human = {**CHANNEL, "exponents": 0.4, "memory_days": 9.0}
    assert np.abs(found(rule, **human) - found(rule, **{**human, "exponents": 1.0})).max() > 1e-3
    raw = to_raw(bind(get_rule(rule).parameters, ("A", "B", "C"), 1440), human)
    params = {name: jnp.asarray(value) for name, value in raw.items()}
    still = jnp.asarray(PRICES).at[:, 1].set(5.0).at[:, 2].set(PRICES[0, 2] * (1 + 1e-15 * np.arange(N_CHUNKS)))

    def total(params: dict[str, jax.Array], prices: jax.Array) -> jax.Array:
        outputs = get_rule(rule).outputs
        assert outputs is not None
        return jnp.sum(outputs(params, Observed(prices), SETTINGS) * jnp.asarray([1.0, 2.0, 4.0]))

    of_params, of_prices = jax.jit(jax.grad(total, argnums=(0, 1)))(params, still)
    assert all(np.isfinite(part).all() for part in of_params.values())
    assert np.isfinite(of_prices).all()


def test_weights_are_equal_while_no_variance_is_known() -> None:
    np.testing.assert_array_equal(found("min_variance", memory_days=9.0)[:2], 1 / 3)


def test_a_price_that_never_moves_takes_all_the_weight() -> None:
    function = get_rule("min_variance").outputs
    assert function is not None
    params = {"logit_lamb": jnp.full(3, 2.0)}
    weights = np.asarray(function(params, Observed(jnp.asarray(PRICES).at[:, 1].set(1.0)), SETTINGS))
    np.testing.assert_allclose(weights[2:], np.tile([0.0, 1.0, 0.0], (N_CHUNKS - 2, 1)), atol=1e-12)


def test_weights_persist_with_a_memory_of_their_own_up_to_the_cap() -> None:
    rule = get_rule("min_variance")
    raw = to_raw(bind(rule.parameters, ("A", "B", "C"), 1440), {"weight_memory_days": [4.0, 25.0, 500.0]})
    assert rule.persistence is not None
    found = rule.persistence({name: jnp.asarray(value) for name, value in raw.items()}, SETTINGS)
    np.testing.assert_allclose(found, [lamb(4.0), lamb(25.0), lamb(60.0)], rtol=1e-9)


def test_an_index_follows_the_shares_of_its_oracle() -> None:
    short = found("index_market_cap", memory_days=1e-3)
    np.testing.assert_allclose(short, shares(ORACLE), rtol=1e-6)
    mixed = found("index_market_cap", memory_days=[1.0, 30.0, 5.0])
    np.testing.assert_allclose(mixed.sum(axis=1), 1.0, rtol=1e-13)
    function = get_rule("index_market_cap").outputs
    assert function is not None
    with pytest.raises(ConfigError, match=r"'index_market_cap' needs an oracle series: set series\.oracle"):
        function({"logit_lamb": jnp.zeros(3)}, Observed(jnp.asarray(PRICES)), SETTINGS)
