"""The contract's settings of a study, and what the contracts refuse or do differently."""

from __future__ import annotations

import pytest
from chain_support import study

from quantsim import Experiment
from quantsim.contract.fixed_point import ONE
from quantsim.errors import ConfigError
from quantsim.onchain import contract_pool, contract_problems

REFUSED = {
    "hours": (study("pool.trading_minutes=60"), "pool.trading_minutes = 60: contracts trade at any time"),
    "rule": (study(rule="triple_threat_mean_reversion_channel", width=0.1), "the contracts lack this rule"),
    "divisor": (study("update.use_alt_lamb=true"), "the slope's divisor has no memory of its own"),
    "scaling": (
        study('update.pre_exp_scaling="log2"', rule="power_channel", exponents=1.5, pre_exp_scaling=0.2),
        "no scaling before the power; set update.pre_exp_scaling = 'off'",
    ),
    "exponent of 1": (study(rule="power_channel", exponents=1.0), "q = 1 must be above 1"),
    "exponent below 1": (study(rule="power_channel", exponents=0.7), "q = 1 must be above 1"),
    "kappa": (study("parameters.k_per_day=1e-19"), "kappa = 0 must be above 0"),
    "rail": (study("pool.minimum_weight=0.005"), "absoluteWeightGuardRail must be from 0.01 to below 1/2"),
    "rail of each": (study("pool.minimum_weight=[0.05, 0.1]"), "a contract has one guard rail for all tokens"),
    "tuned rail": (
        study("parameters.minimum_weights=0.1"),
        "parameters.minimum_weights: a contract has one guard rail",
    ),
    "upper bound": (study("pool.maximum_weight=0.7"), "a contract's is 1 - (n-1)·minimum_weight = 0.95"),
    "look-ahead": (
        study("update.published_look_ahead=true", rule="min_variance"),
        "update.published_look_ahead = true: no contract does this",
    ),
    "no digits left": (
        study("data.bar_minutes=1", "update.chunk_minutes=1", "update.max_memory_days=36525", memory_days=3e4),
        "the gradient's factor (1-λ)³/λ is 0 instead of 5.954e-22",
    ),
    "no memory": (study("parameters.memory_days=1e-7"), "λ = 0 with 18 decimals, and must be between 0 and 1"),
}


@pytest.mark.parametrize(("experiment", "reason"), REFUSED.values(), ids=list(REFUSED))
def test_what_the_contracts_cannot_do_is_refused(experiment, reason):
    with pytest.raises(ConfigError, match="the contracts cannot run the pool of 'pair'") as error:
        contract_pool(experiment)
    assert reason in str(error.value)


DIFFERENT = {
    "ramp": (
        study("update.interpolation_minutes=360"),
        "contracts move weights over the whole interval of 720 minutes",
    ),
    "curve": (study('update.interpolation="optimal"'), "contracts interpolate linearly"),
    "no fee": (study("fees.swap_fee=0.0"), "a contract's is from 1e-05 to 0.1"),
    "digits of the fee": (study("fees.swap_fee=0.00300001"), "in steps of 1e-7, as 0.003"),
    "fee rule": (study('fees={rule="volatility"}'), "fees.rule = 'volatility': the swap fee varies"),
    "few digits": (
        study("update.chunk_minutes=60", "update.max_memory_days=30000", memory_days=29000.0),
        "the gradient's factor (1-λ)³/λ is",
    ),
    "days": (study("update.chunk_minutes=1440"), "needs contracts with a uint40 interval"),
    "variance": (study(rule="min_variance"), "the contract's variance is that of prices"),
}


@pytest.mark.parametrize(("experiment", "reason"), DIFFERENT.values(), ids=list(DIFFERENT))
def test_what_they_do_differently_is_a_warning(experiment, reason):
    (problem,) = contract_pool(experiment).problems
    assert reason in problem.text
    assert not problem.refused


def test_a_study_that_fits_has_no_problems():
    pool = contract_pool(study())
    assert pool.problems == contract_problems(study()) == ()
    assert pool.settings.rule.name == "Momentum"
    assert pool.settings.update_interval == 43_200
    assert pool.settings.guard_rail == 5 * 10**16
    assert pool.settings.epsilon_max == 216 * 10**15  # 3e-4 a minute
    assert pool.swap_fee == 3 * 10**15
    assert pool.initial_weights == (ONE // 2, ONE // 2)
    assert [len(row) for row in pool.settings.parameters] == [1, 1]


def test_parameters_of_each_token_are_vectors_and_equal_ones_a_single_value():
    pool = contract_pool(study("parameters.memory_days=[5.0, 9.0]", rule="power_channel", exponents=1.4))
    assert [len(row) for row in pool.settings.parameters] == [2, 2, 1]  # κ has the memory in it
    assert pool.problems == ()
    assert len(pool.settings.lambdas) == 2


def test_difference_momentum_has_a_negative_kappa():
    # quantsim: 1 - e2/e1; the contract: short/long - 1, with e1 as the long average.
    pool = contract_pool(study(rule="difference_momentum", alt_memory_days=12.0))
    kappa, short = pool.settings.parameters
    assert kappa[0] < 0
    assert short[0] > pool.settings.lambdas[0]


def test_given_parameters_replace_those_of_the_study():
    pool = contract_pool(study(), {"k_per_day": 2.0, "initial_weights": [0.3, 0.7]})
    assert pool.settings.parameters[0][0] == pytest.approx(10 * ONE, rel=1e-12)
    assert pool.initial_weights[0] == pytest.approx(3 * ONE // 10, rel=1e-12)
    assert sum(pool.initial_weights) == ONE


def test_a_subsidiary_is_a_pool_of_its_own_and_cannot_be_held():
    experiment = Experiment.load("composite_zero_fee")
    alts = contract_problems(experiment, group="alts")
    own = contract_problems(experiment)
    assert any("a contract has one rule" in problem.text for problem in alts)
    assert any("'alts' is a pool" in problem.text for problem in own)
