"""Ensembles: the mean of what the members say, each with parameters of its own."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pool_support import (
    FEES,
    HALF_HOURS,
    along_coordinates,
    bar_by_bar,
    drawn_params,
    make_experiment,
    random_prices,
    stacked,
)

from quantsim import Evaluator, Experiment
from quantsim.errors import ConfigError, ParameterError
from quantsim.parameters import scoped
from quantsim.rules import Observed, Output, RuleSettings, ensemble_of, get_rule

ALIKE = {"rule": None, "ensemble": {"one": "momentum", "two": "momentum", "three": "momentum"}}
MIXED = {"rule": None, "ensemble": {"fast": "momentum", "channel": "power_channel"}}


def of_pool(pool: dict[str, Any], **tables: Any) -> Experiment:
    return make_experiment("momentum", 3, HALF_HOURS, pool=pool, **tables)


def test_members_that_agree_are_the_rule_itself() -> None:
    prices, single = random_prices(HALF_HOURS, 3, 4), make_experiment("momentum", 3, HALF_HOURS)
    params = drawn_params(single, 4)
    own = {name: value for name, value in params.items() if name != "initial_weights"}
    alike = {f"{name}.{key}": value for name in ("one", "two", "three") for key, value in own.items()}
    found = bar_by_bar(of_pool(ALIKE), {"initial_weights": params["initial_weights"], **alike}, prices)
    np.testing.assert_allclose(found.value, bar_by_bar(single, params, prices).value, rtol=1e-12)


def test_outputs_are_the_mean_of_the_members() -> None:
    experiment = of_pool(MIXED)
    raw = {
        name: jnp.asarray(value) for name, value in experiment.initial_parameters(drawn_params(experiment, 1)).items()
    }
    observed, settings = Observed(jnp.asarray(random_prices(HALF_HOURS, 3, 1).prices[:40])), RuleSettings(30, 1.0)
    members = [get_rule(name).outputs for name in ("momentum", "power_channel")]
    assert experiment.rule.outputs is not None
    each = [
        jax.jit(function, static_argnums=2)(scoped(raw, group), observed, settings)
        for function, group in zip(members, ("fast", "channel"), strict=True)
        if function is not None
    ]
    found = jax.jit(experiment.rule.outputs, static_argnums=2)(raw, observed, settings)
    np.testing.assert_allclose(found, (each[0] + each[1]) / 2, rtol=1e-13)
    assert np.abs(each[0] - each[1]).max() > 0


def test_gradients_reach_every_member() -> None:
    experiment = of_pool(MIXED, fees=FEES["fee"])
    evaluator = Evaluator(experiment, random_prices(HALF_HOURS, 3, 3))
    names = sorted(experiment.trainable)
    assert {name.partition(".")[0] for name in names} == {"fast", "channel"}
    sets = stacked(evaluator, drawn_params(experiment, 3, strength=0.5))
    found, slopes = along_coordinates(evaluator, sets, [(name, 1) for name in names], 1e-5)
    np.testing.assert_allclose(found, slopes, rtol=1e-5, atol=1e-6 * np.abs(found).max())
    assert (found != 0).all()


def test_weights_and_changes_do_not_mix() -> None:
    with pytest.raises(ConfigError, match=r"all output changes, or all weights.*fast = momentum \(change\)"):
        of_pool({"rule": None, "ensemble": {"fast": "momentum", "slow": "balancer"}})
    assert ensemble_of((("a", get_rule("momentum")), ("b", get_rule("power_channel")))).output is Output.CHANGE


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        ({"rule": "momentum", "ensemble": {"a": "momentum", "b": "momentum"}}, "set either rule or ensemble"),
        ({"rule": None}, "set either rule or ensemble"),
        ({"rule": None, "ensemble": {"a": "momentum"}}, "one member, 'a'"),
        ({"rule": None, "ensemble": {"a": "momentum", "fee": "momentum"}}, "'fee'.*choose another"),
        ({"rule": None, "ensemble": {"a": "momentum", "b.c": "momentum"}}, "ensemble"),
        ({"rule": None, "ensemble": {"a": "momentum", "b": "momentun"}}, "did you mean 'momentum'"),
    ],
)
def test_invalid_ensembles_are_refused(pool: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        of_pool(pool)


def test_parameters_are_given_by_group() -> None:
    nested = of_pool(MIXED, parameters={"fast": {"memory_days": 2.0}, "channel": {"exponents": [1.5, 2.0, 3.0]}})
    dotted = of_pool(MIXED, parameters={"fast.memory_days": 2.0, "channel.exponents": [1.5, 2.0, 3.0]})
    assert nested.identity == dotted.identity
    human = nested.human_parameters(nested.initial_parameters())
    np.testing.assert_allclose(human["fast.memory_days"], 2.0)
    np.testing.assert_allclose(human["channel.exponents"], [1.5, 2.0, 3.0])
    assert human["channel.memory_days"][0] == pytest.approx(10.0), "the default of the rule"
    with pytest.raises(ParameterError, match=r"'fast\.memori_days'.*did you mean 'fast\.memory_days'"):
        nested.initial_parameters({"fast": {"memori_days": 2.0}})
    with pytest.raises(ParameterError, match="unknown parameter 'memory_days'"):
        nested.initial_parameters({"memory_days": 2.0})
    assert (
        nested.override(["parameters.fast.memory_days=3"]).initial_parameters()["fast.logit_lamb"][0]
        > (nested.initial_parameters()["fast.logit_lamb"][0])
    )
