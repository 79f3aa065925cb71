"""The registry, and what each rule says on given prices."""

from __future__ import annotations

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantsim.errors import ConfigError
from quantsim.estimators import proportional_slope
from quantsim.parameters import bind, to_raw
from quantsim.rules import Observed, Output, Rule, RuleSettings, centre, get_rule, rule_names
from quantsim.testing import check_rule

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "own_rule.py"
SETTINGS = RuleSettings(chunk_minutes=1440, max_memory_days=60.0)


def prices(n_tokens: int = 3, seed: int = 0) -> jax.Array:
    steps = 0.03 * np.random.default_rng(seed).standard_normal((50, n_tokens))
    return jnp.asarray(100 * np.exp(np.cumsum(steps, axis=0)))


def params(rule: str, n_tokens: int = 3, **values: object) -> dict[str, jax.Array]:
    raw = to_raw(bind(get_rule(rule).parameters, tuple("ABCDEFGH"[:n_tokens]), 1440), values)
    return {name: jnp.asarray(value) for name, value in raw.items()}


@functools.partial(jax.jit, static_argnums=(0, 3))
def outputs(rule: str, values: dict[str, jax.Array], at: jax.Array, settings: RuleSettings = SETTINGS) -> jax.Array:
    function = get_rule(rule).outputs
    assert function is not None
    return function(values, Observed(at, oracle=at * jnp.arange(1.0, 1.0 + at.shape[1])), settings)


def test_the_registry_has_every_file() -> None:
    assert {"momentum", "anti_momentum", "balancer", "hodl"} <= set(rule_names())
    for name in rule_names():
        rule = get_rule(name)
        assert isinstance(rule, Rule)
        assert rule.name == name
        assert rule.description
        assert get_rule(name) is rule
        assert hash(rule) == hash(get_rule(name))
        names = [one for spec in rule.parameters for one in (spec.raw_name, spec.human_name)]
        assert len(names) == len(set(names)), "a name stands for one parameter"
        assert "initial_weights_logits" not in names, "every pool has it"


def test_an_unknown_rule_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'momentun'.*did you mean 'momentum'"):
        get_rule("momentun")
    with pytest.raises(ConfigError, match=r"known: .*balancer"):
        get_rule("zzzzzz")


def test_a_rule_is_either_constant_or_has_outputs() -> None:
    with pytest.raises(ValueError, match="'half'"):
        Rule(name="half", description="", parameters=(), output=Output.CHANGE)


@pytest.mark.parametrize("name", [*rule_names(), f"{EXAMPLE}:calm_momentum"], ids=lambda name: name.rpartition(":")[2])
def test_every_rule_keeps_the_laws_of_rules(name: str) -> None:
    check_rule(name)
    assert get_rule(name).sums_to_zero == (get_rule(name).output is Output.CHANGE)


def test_momentum_is_the_centred_slope() -> None:
    values, at = params("momentum", memory_days=[3.0, 9.0, 200.0], k_per_day=[1.0, 20.0, 5.0]), prices()
    memory = np.array([3.0, 9.0, 60.0])  # the last is capped
    k = np.array([1.0, 20.0, 5.0]) * memory
    logits = params("momentum", memory_days=memory.tolist())["logit_lamb"]
    slope = np.asarray(proportional_slope(at, logits))
    wanted = k * (slope - (k * slope).sum(axis=1, keepdims=True) / k.sum())
    np.testing.assert_allclose(outputs("momentum", values, at), wanted, rtol=1e-10, atol=1e-14)
    np.testing.assert_array_equal(outputs("anti_momentum", values, at), -outputs("momentum", values, at))


def test_a_second_memory_matters_only_where_it_is_on() -> None:
    at, on = prices(), RuleSettings(1440, 60.0, use_alt_lamb=True)
    plain = params("momentum", memory_days=5.0)
    other = params("momentum", memory_days=5.0, alt_memory_days=30.0)
    np.testing.assert_array_equal(outputs("momentum", plain, at), outputs("momentum", other, at))
    with_it = outputs("momentum", other, at, on)
    assert (np.asarray(with_it[1:]) != np.asarray(outputs("momentum", plain, at)[1:])).any()
    same = params("momentum", memory_days=5.0, alt_memory_days=5.0)
    np.testing.assert_allclose(
        outputs("momentum", same, at, on), outputs("momentum", plain, at), rtol=1e-11, atol=1e-15
    )


def test_the_rising_token_gains_weight_with_momentum() -> None:
    at = jnp.asarray(np.exp(0.01 * np.arange(50.0))[:, None] * np.ones(3) * [1.0, 1.0, 1.0])
    at = at.at[:, 1].set(1.0)
    found = np.asarray(outputs("momentum", params("momentum"), at)[-1])
    assert found[0] > 0
    assert found[2] > 0
    assert found[1] < 0


def test_centre_takes_out_the_weighted_mean() -> None:
    signal, k = jnp.asarray(np.random.default_rng(0).standard_normal((7, 4))), jnp.array([0.1, 1.0, 5.0, 40.0])
    found = centre(signal, k)
    np.testing.assert_allclose(found.sum(axis=1), 0.0, atol=1e-13)
    np.testing.assert_allclose(centre(signal + 3.0, k), found, atol=1e-12)
    np.testing.assert_allclose((found / k)[:, 0] - (found / k)[:, 3], signal[:, 0] - signal[:, 3], atol=1e-12)
